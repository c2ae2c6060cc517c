"""Which runs a claim compares: like with like, at which depth, and which count."""

import pytest

from reslab import RunConfig, RunStore
from reslab.claims import evaluate
from tests.claims_fixtures import HIGH, LOW, make_net, make_run, one, plain


def test_only_done_runs_count(tmp_path):
    runs = plain(tmp_path, ([1.0] * 3, LOW), ([1.0] * 3, HIGH))
    for state in ("failed", "interrupted", "new"):
        runs.append(make_run(tmp_path, 1.0, 99.0, state, depth=14, shortcut="none", seed=len(runs)))
    assert one(runs, "degradation-test").n == (3, 3)


def test_a_run_that_comes_from_two_stores_is_one_seed(tmp_path):
    runs = plain(tmp_path / "a", ([1.0], [9.0]), ([1.0], [12.0])) + plain(
        tmp_path / "b", ([1.0], [9.0]), ([1.0], [12.0])
    )
    assert one(runs, "degradation-test").words == "indicative for"


def test_like_is_compared_with_like(tmp_path):
    runs = plain(tmp_path, ([1.0] * 3, LOW), ([1.0] * 3, HIGH))
    runs += plain(tmp_path, ([1.0] * 3, HIGH), ([1.0] * 3, LOW), profile="demo")
    runs += make_net(tmp_path, [0.1] * 3, depth=20, shortcut="none", width=8)  # alone in its setting
    verdicts = evaluate(runs, ["degradation-test"])
    assert [(v.verdict, v.setting, v.tests) for v in verdicts] == [
        ("supported", "shapes, smoke, 12 iterations", 2),
        ("contradicted", "shapes, demo, 700 iterations", 2),
    ]
    (other,) = evaluate(plain(tmp_path, ([1.0], [9]), ([1.0], [8]), width=8, iterations=24), ["degradation-test"])
    assert other.setting == "shapes, smoke, 24 iterations, width 8"


def test_the_depth_is_the_deepest_that_both_have_seeds_for(tmp_path):
    for depth, seeds in ((8, 3), (14, 3), (20, 1)):
        for shortcut in ("A", "conv1x1"):
            make_net(tmp_path, [9.0, 9.2, 9.4][:seeds], depth=depth, shortcut=shortcut)
    make_net(tmp_path, [9.0] * 3, depth=26, shortcut="A")
    found = one(RunStore(tmp_path), "shortcut-conv1x1")
    assert [n.net for n in found.numbers] == ["ResNet-14", "ResNet-14 (conv1x1)"] and found.n == (3, 3)
    runs = [*RunStore(tmp_path).find(depth=20), *RunStore(tmp_path).find(depth=8, seed=0)]
    assert one(runs, "shortcut-conv1x1").numbers[0].net == "ResNet-20"
    # Gains from depth: from the shallowest to the deepest.
    assert [n.net for n in one(RunStore(tmp_path), "residual-gains-from-depth").numbers] == ["ResNet-8", "ResNet-26"]


def test_depths_beyond_the_papers_question_are_left_out(tmp_path):
    for depth, error in ((20, 9.0), (56, 12.0), (110, 60.0)):
        make_net(tmp_path, [error, error + 0.1, error + 0.3], depth=depth, shortcut="none")
    for depth, error in ((20, 9.0), (110, 7.0), (1202, 8.0)):
        make_net(tmp_path, [error, error + 0.1, error + 0.3], depth=depth)
    runs = list(RunStore(tmp_path))
    assert one(runs, "degradation-test").numbers[1].net == "plain-56"
    assert one(runs, "residual-gains-from-depth").numbers[1].net == "ResNet-110"
    trains = one(runs, "depth-110-trains")
    assert trains.verdict == "supported" and trains.effect == pytest.approx(-53)


def test_early_is_the_first_eighth_of_the_schedule(tmp_path):
    """80 iterations, a log point every 5: the mean of those at 5 and 10, not of the one at 15."""
    runs = []
    for shortcut, errors in (("none", (80, 60, 1)), ("A", (70, 40, 99))):
        for seed in range(3):
            run = make_run(tmp_path, 50, 50, depth=8, shortcut=shortcut, seed=seed, iterations=80, log_every=5)
            rows = run.metrics
            for row, error in zip(rows, errors, strict=False):
                row["train_error"] = error + seed
            run.write_metrics(rows)
            runs.append(run)
    found = one(runs, "residual-faster-early")
    assert [n.mean for n in found.numbers] == [71, 56] and found.verdict == "supported"


def test_gates_are_told_apart_by_their_bias(tmp_path):
    make_net(tmp_path, [7.0, 7.1, 7.2], shortcut="A")
    for bias, error in ((0, 60.0), (-5, 50.0), (-6, 8.7), (-7, 5.0)):
        make_net(tmp_path, [error, error + 0.1, error + 0.2], shortcut="exclusive-gating", gate_bias=bias)
    runs = list(RunStore(tmp_path))
    found = one(runs, "shortcut-exclusive-gating")
    assert found.verdict == "supported" and [round(f.effect) for f in found.findings] == [53, 43] and found.tests == 2
    assert found.findings[1].second == "ResNet-20 (exclusive-gating), gate bias −5"
    assert one(runs, "shortcut-exclusive-gating-6").effect == pytest.approx(1.7)
    assert one(runs, "shortcut-exclusive-gating-7").verdict == "contradicted"


def test_runs_that_have_not_begun_are_absent(tmp_path):
    runs = plain(tmp_path, ([1.0] * 3, LOW), ([1.0] * 3, HIGH))
    later = [RunStore(tmp_path).run(RunConfig(8, s, "smoke", seed)) for s in ("none", "A") for seed in (3, 4)]
    assert not any(run.path.exists() for run in later)
    names = ["degradation-test", "shortcut-plain"]
    assert evaluate([*later, *runs], names) == evaluate(runs, names)
    absent = one(later, "shortcut-plain")
    assert absent.verdict == "undecided" and absent.missing == one([], "shortcut-plain").missing


def test_the_imagenet_family_is_compared_with_itself(tmp_path):
    fields = dict(family="imagenet", stem="cifar", shortcut="none")
    make_net(tmp_path, LOW, depth=18, **fields)
    make_net(tmp_path, HIGH, depth=34, **fields)
    make_net(tmp_path, HIGH, depth=20, shortcut="none")
    verdict = one(RunStore(tmp_path).find(), "degradation-training")
    assert verdict.verdict == "supported"
    assert [number.net for number in verdict.numbers] == ["plain-18", "plain-34"]
    assert "ImageNet family" in verdict.setting


def test_what_another_family_lacks_is_told_of_the_claims_own_nets(tmp_path):
    """There is no net of 110 layers in the ImageNet family: that is no gap in its runs."""
    make_net(tmp_path, LOW, depth=18, family="imagenet", stem="cifar", shortcut="none")
    verdict = one(RunStore(tmp_path).find(), "depth-110-trains")
    assert verdict.verdict == "undecided" and "110" in str(verdict)

"""Verdicts on run folders whose errors are known."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from reslab import RunConfig, RunStore, claims
from reslab.claims import CLAIMS, evaluate
from reslab.claims import exact as exact_module
from tests.claims_fixtures import make_net, make_run

LOW, HIGH = [9.0, 9.2, 9.4], [12.0, 12.3, 12.9]
NAMES = (
    "degradation-training degradation-test not-overfitting residual-gains-from-depth residual-faster-early "
    "option-order depth-110-trains parameters-equal bottleneck-arithmetic precision-bf16 shortcut-plain "
    "shortcut-scaled shortcut-scaled-both shortcut-exclusive-gating shortcut-exclusive-gating-6 "
    "shortcut-exclusive-gating-7 shortcut-gating-0 shortcut-gating-6 shortcut-conv1x1 shortcut-dropout "
    "order-bn-after-addition order-relu-before-addition order-relu-only-preactivation order-full-preactivation"
)


def one(runs, name, **options) -> claims.Verdict:
    (verdict,) = evaluate(runs, [name], **options)
    return verdict


def plain(store, shallow, deep, **fields):
    """Two plain nets, each (training errors, test errors)."""
    return [
        *make_net(store, shallow[1], shallow[0], depth=8, shortcut="none", **fields),
        *make_net(store, deep[1], deep[0], depth=14, shortcut="none", **fields),
    ]


def welch(first, second, level):
    """scipy's interval."""
    return tuple(stats.ttest_ind(second, first, equal_var=False).confidence_interval(level))


def test_the_catalogue():
    assert set(CLAIMS) == set(NAMES.split())
    for name, claim in CLAIMS.items():
        assert claim.name == name and claim.statement.endswith(".") and claim.source
        for arm in claim.arms:  # every arm is a net that can be trained
            config = RunConfig(depth=arm.depth, **arm.fields)
            assert arm.matches(config), name


def test_a_list_of_claims_does_not_wait_for_torch():
    code = "import sys, reslab.claims; print(len(reslab.claims.CLAIMS), {'torch', 'scipy', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(CLAIMS)), "set()"]


@pytest.mark.parametrize(("shallow", "deep", "verdict"), [(LOW, HIGH, "supported"), (HIGH, LOW, "contradicted")])
def test_degradation(tmp_path, shallow, deep, verdict):
    found = one(plain(tmp_path, ([50.0] * 3, shallow), ([50.0] * 3, deep)), "degradation-test")
    assert (found.verdict, found.direction, found.missing, found.to_run) == (verdict, None, "", ())
    assert found.effect == pytest.approx(np.mean(deep) - np.mean(shallow))
    assert found.interval == pytest.approx(welch(shallow, deep, 0.95)) and found.n == (3, 3) and found.tests == 1
    assert found.setting == "shapes, smoke, 12 iterations"
    assert [(n.net, n.measure, n.n) for n in found.numbers] == [
        ("plain-8", "test error", 3),
        ("plain-14", "test error", 3),
    ]
    assert [n.mean for n in found.numbers] == pytest.approx([np.mean(shallow), np.mean(deep)])
    assert [n.std for n in found.numbers] == pytest.approx([np.std(shallow, ddof=1), np.std(deep, ddof=1)])
    assert {run.id for run in found.runs} == {run.id for run in RunStore(tmp_path)}


def test_claims_tested_together_are_corrected_for_it(tmp_path):
    """Three claims, of which two make the same comparison: two differences of plain nets, and one of depth 8 early."""
    runs = plain(tmp_path, (LOW, LOW), ([10.1, 10.4, 10.2], HIGH))
    runs += make_net(tmp_path, [9.0, 9.1, 9.3], depth=8, shortcut="A")
    names = ["degradation-training", "not-overfitting", "residual-faster-early", "parameters-equal"]
    training, both, early, counted = evaluate(runs, names)
    assert training.tests == both.tests == early.tests == 3 and counted.tests == 0
    level = 1 - 0.05 / 3
    assert training.interval == pytest.approx(welch(LOW, [10.1, 10.4, 10.2], level))
    assert both.findings[0].interval == training.interval
    assert both.findings[1].interval == pytest.approx(welch(LOW, HIGH, level))
    wider = one(runs, "degradation-training", level=0.99).interval
    assert wider == pytest.approx(welch(LOW, [10.1, 10.4, 10.2], 0.99))


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


def test_one_seed_is_indicative_at_most_and_says_what_would_do(tmp_path):
    runs = plain(tmp_path, ([1.0], [9.0]), ([1.0] * 3, HIGH))
    found = one(runs, "degradation-test")
    assert (found.words, found.interval, found.n) == ("indicative for", None, (1, 3))
    assert "One seed of plain-8" in found.missing
    assert [(c.depth, c.seed) for c in found.to_run] == [(8, 1), (8, 2)]
    assert found.commands[0] == "reslab train --depth 8 --shortcut none --profile smoke --seed 1"
    against = one(plain(tmp_path, ([1.0], [12.0]), ([1.0], [9.0]), profile="demo"), "degradation-test")
    assert against.words == "indicative against"


def test_equal_seeds_are_no_interval(tmp_path):
    found = one(plain(tmp_path, ([1.0] * 3, [9.0] * 3), ([1.0] * 3, [90.0] * 3)), "degradation-test")
    assert found.words == "indicative for" and "the same number" in found.missing and len(found.to_run) == 2
    equal = one(plain(tmp_path, ([1.0] * 3, [9.0] * 3), ([1.0] * 3, [9.0] * 3), profile="demo"), "degradation-test")
    assert equal.words == "undecided"


def test_an_open_question_says_how_many_seeds_it_takes(tmp_path):
    found = one(plain(tmp_path, ([1.0] * 3, [9.0, 9.2, 9.4]), ([1.0] * 3, [9.3, 9.4, 9.6])), "degradation-test")
    low, high = found.interval
    assert found.verdict == "undecided" and low < 0 < high and "The interval holds 0" in found.missing
    needed = int(found.missing.split("about ")[1].split()[0])
    spread = [np.std([9.0, 9.2, 9.4], ddof=1), np.std([9.3, 9.4, 9.6], ddof=1)]
    half = {}
    for n in (needed - 1, needed):
        test = stats.ttest_ind_from_stats(0, spread[0], n, 1, spread[1], n, equal_var=False)
        error, freedom = 1 / -test.statistic, (n - 1) * sum(s**2 for s in spread) ** 2 / sum(s**4 for s in spread)
        half[n] = stats.t.ppf(0.975, freedom) * error
    assert half[needed] < found.effect <= half[needed - 1]
    assert {c.seed for c in found.to_run} == set(range(3, min(needed, 8)))


MORE, LESS = ([9.0, 9.2, 9.4], [12.0, 12.3, 12.9]), ([12.0, 12.3, 12.9], [9.0, 9.2, 9.4])


@pytest.mark.parametrize(
    ("training", "test", "verdict", "words"),
    [
        (MORE, MORE, "supported", ""),
        (LESS, MORE, "contradicted", ""),  # overfitting: learned better, tested worse
        (MORE, LESS, "undecided", "nothing to explain"),
        (LESS, LESS, "undecided", "nothing to explain"),
        (([9.0, 9.9], [9.4, 9.6]), MORE, "undecided", "training error"),
    ],
)
def test_not_overfitting(tmp_path, training, test, verdict, words):
    shallow, deep = zip(training, test, strict=True)
    shallow, deep = ([list(v)[: len(shallow[0])] for v in arm] for arm in (shallow, deep))
    found = one(plain(tmp_path, shallow, deep), "not-overfitting")
    assert found.verdict == verdict and words in found.missing
    assert [f.measure for f in found.findings] == ["training error", "test error"]


@pytest.mark.parametrize(
    ("a", "b", "c", "verdict"),
    [
        ([9.0, 9.1, 9.2], [8.0, 8.1, 8.2], [7.0, 7.1, 7.2], "supported"),
        ([9.0, 9.1, 9.2], [8.0, 8.1, 8.2], [8.5, 8.6, 8.7], "contradicted"),
        ([9.0, 9.1, 9.2], [8.0, 8.1, 8.2], [7.9, 8.1, 8.3], "undecided"),
        ([9.0], [8.0], [7.0], "indicative for"),
        ([9.0], [8.0], [8.5], "indicative against"),
    ],
)
def test_the_order_of_options_holds_if_both_steps_do(tmp_path, a, b, c, verdict):
    runs = [
        run for name, values in zip("ABC", (a, b, c), strict=True) for run in make_net(tmp_path, values, shortcut=name)
    ]
    found = one(runs, "option-order")
    assert found.words == verdict
    assert [f.what for f in found.findings] == [
        "ResNet-20 (B) − ResNet-20, test error",
        "ResNet-20 (C) − ResNet-20 (B), test error",
    ]


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


@pytest.mark.parametrize(
    ("fp32", "bf16", "verdict"),
    [
        ([9.0, 9.1, 9.2], [9.1, 9.2, 9.3], "supported"),
        ([9.0, 9.1, 9.2], [11.0, 11.1, 11.2], "contradicted"),
        ([8.0, 9.0, 10.0], [8.1, 9.1, 10.1], "undecided"),  # no difference was found, which is not sameness
        ([9.0], [9.1], "indicative for"),
    ],
)
def test_precisions_are_the_same_within_half_a_point(tmp_path, fp32, bf16, verdict):
    runs = make_net(tmp_path, fp32, precision="fp32") + make_net(tmp_path, bf16, precision="bf16")
    found = one(runs, "precision-bf16")
    assert found.words == verdict and found.findings[0].margin == 0.5 and "fp32" in found.numbers[0].net
    assert "precision" not in found.setting
    assert one(runs, "shortcut-plain").verdict == "undecided"  # each precision a setting of its own elsewhere


def test_what_is_missing_is_said_with_the_runs_that_it_takes(tmp_path):
    nothing = one([], "degradation-training")
    assert nothing.verdict == "undecided" and nothing.n == () and nothing.setting == ""
    assert nothing.missing == "No finished run of plain-20 and plain-56, in any one profile."
    assert [(c.depth, c.shortcut, c.seed) for c in nothing.to_run] == [
        (d, "none", s) for d in (20, 56) for s in range(3)
    ]
    make_net(tmp_path, [7.0, 7.1], depth=14, width=8)
    make_run(tmp_path, 1, 1, "interrupted", depth=14, width=8, shortcut="dropout")
    make_net(tmp_path, [7.0, 7.1], depth=14, width=8, val_split=100, profile="demo")
    found = one(RunStore(tmp_path).find(width=8, profile="smoke"), "shortcut-dropout")
    assert found.missing == "No finished run of ResNet-14 (dropout) (1 unfinished)."
    assert found.setting == "shapes, smoke, 12 iterations, width 8" and len(found.runs) == 2
    assert found.to_run == tuple(
        RunConfig(depth=14, shortcut="dropout", profile="smoke", width=8, seed=seed) for seed in range(3)
    )
    (demo,) = [v for v in evaluate(RunStore(tmp_path).find(profile="demo"), ["shortcut-dropout"])]
    assert demo.numbers[0].measure == "validation error"


def test_published_numbers_are_for_the_papers_recipe_alone(tmp_path):
    paper = dict(profile="paper")
    for shortcut, depth in (("none", 20), ("none", 56), ("none", 110), ("A", 20), ("A", 110), ("dropout", 110)):
        make_net(tmp_path, [9.0, 9.1], depth=depth, shortcut=shortcut, **paper)
        make_net(tmp_path, [9.0, 9.1], depth=depth, shortcut=shortcut, profile="short")
        make_net(tmp_path, [9.0, 9.1], depth=depth, shortcut=shortcut, val_split=5000, **paper)
    make_net(tmp_path, [9.0, 9.1], depth=110, shortcut="conv1x1", **paper)
    runs = list(RunStore(tmp_path))
    for verdict in evaluate(runs):
        if "paper" not in verdict.setting or "val_split" in verdict.setting:
            assert not any(verdict.published) or verdict.n == "exact", verdict
    said = {}
    for verdict in evaluate(RunStore(tmp_path).find(profile="paper", val_split=0)):
        said |= {(n.net, n.measure): n.published for n in verdict.numbers}
    for depth, error in ((20, "9.78"), (56, "12.95")):
        text = said[f"plain-{depth}", "test error"]
        assert error in text and "He et al." not in text and "table" not in text
    assert "8.75" in said["ResNet-20", "test error"] and "6.43" in said["ResNet-110", "test error"]
    assert said["ResNet-110 (dropout)", "test error"] == "He et al. 2016, table 1, median of 5: fail (> 20 %)"
    assert said["ResNet-110 (conv1x1)", "test error"] == "He et al. 2016, table 1, median of 5: 12.22"
    assert "fail" in said["plain-110", "test error"] and "4.36" in said["plain-56", "training error"]
    assert said["plain-20", "training error over the first eighth"] == ""


def test_exact_claims_are_counted_on_the_nets(monkeypatch):
    equal, bottleneck = evaluate([], ["parameters-equal", "bottleneck-arithmetic"])
    assert equal.verdict == bottleneck.verdict == "supported" and equal.n == "exact" and equal.interval is None
    # He et al. 2015: six depths; and 1x1x256x64 + 3x3x64x64 + 1x1x64x256 against two of 3x3x256x256
    assert [n.mean for n in equal.numbers] == [269_722, 464_154, 658_586, 853_018, 1_727_962, 19_421_274]
    assert [n.mean for n in bottleneck.numbers[:2]] == [16_384 + 36_864 + 16_384, 2 * 589_824]
    assert round(bottleneck.numbers[2].mean, 2) == 16.94
    real = exact_module._parameters
    monkeypatch.setattr(
        exact_module, "_parameters", lambda depth, shortcut: real(depth, "B" if shortcut == "A" else shortcut)
    )
    monkeypatch.setattr(exact_module, "PARAMETERS", {20: (269_722, "0.27M")})
    (option_b,) = evaluate([], ["parameters-equal"])
    assert option_b.verdict == "contradicted" and option_b.numbers[0].mean == 2_752  # two projections and their BN


def test_questions_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="did you mean 'degradation-test'"):
        evaluate([], ["degradation-tests"])
    with pytest.raises(ValueError, match=r"level=95 is not possible; allowed: between 0 and 1"):
        evaluate([], level=95)
    assert evaluate([], []) == []


def test_of_whole_studies_without_a_difference_few_support_anything():
    """Seven claims on nets that are all the same in truth, through `evaluate`, three seeds each."""
    nets = [dict(depth=d, shortcut=s) for s in ("none", "A") for d in (8, 14)]
    nets += [dict(depth=14, shortcut=s) for s in ("conv1x1", "dropout", "scaled", "B", "C")]
    random, wrong, studies = np.random.default_rng(3), [], 300
    configs = [RunConfig(profile="smoke", seed=seed, **net) for net in nets for seed in range(3)]
    names = [name for name in CLAIMS if not CLAIMS[name].exact and name not in ("precision-bf16",)]
    for _ in range(studies):
        runs = [_Finished(config, *random.normal(50, 2, 3)) for config in configs]
        verdicts = evaluate(runs, names)
        assert sum(verdict.tests > 0 and bool(verdict.findings) for verdict in verdicts) == 10
        wrong.append({verdict.verdict for verdict in verdicts})
    most = stats.binom.ppf(0.999, studies, 0.05) / studies
    for verdict in ("supported", "contradicted"):
        assert np.mean([verdict in found for found in wrong]) <= most


class _Finished(SimpleNamespace):
    """What `evaluate` reads of a run."""

    def __init__(self, config: RunConfig, early: float, train: float, test: float):
        rows = [
            dict(iteration=3, train_error=early, test_error=test),
            dict(iteration=12, train_error=train, test_error=test),
        ]
        super().__init__(config=config, id=config.id, state="done", metrics=rows, final=rows[-1])


def test_verdicts_are_json_ready(tmp_path):
    runs = plain(tmp_path, ([1.0] * 3, LOW), ([1.0] * 3, HIGH))
    values = json.loads(json.dumps([verdict.to_dict() for verdict in evaluate(runs)]))
    (training,) = [value for value in values if value["name"] == "degradation-test"]
    assert training["verdict"] == "supported" and training["n"] == [3, 3] and len(training["runs"]) == 6
    absent = next(value for value in values if value["name"] == "shortcut-dropout")
    assert absent["to_run"][0] == dict(depth=110, shortcut="A", profile="demo", seed=0)

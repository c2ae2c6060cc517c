"""Verdicts on run folders whose errors are known: the numbers in them, and what they say is missing."""

import json

import numpy as np
import pytest
from scipy import stats

from reslab import RunConfig, RunStore
from reslab.claims import evaluate
from tests.claims_fixtures import HIGH, LOW, make_net, make_run, one, plain


def welch(first, second, level):
    """scipy's interval."""
    return tuple(stats.ttest_ind(second, first, equal_var=False).confidence_interval(level))


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


def test_verdicts_are_json_ready(tmp_path):
    runs = plain(tmp_path, ([1.0] * 3, LOW), ([1.0] * 3, HIGH))
    values = json.loads(json.dumps([verdict.to_dict() for verdict in evaluate(runs)]))
    (training,) = [value for value in values if value["name"] == "degradation-test"]
    assert training["verdict"] == "supported" and training["n"] == [3, 3] and len(training["runs"]) == 6
    absent = next(value for value in values if value["name"] == "shortcut-dropout")
    assert absent["to_run"][0] == dict(depth=110, shortcut="A", profile="demo", seed=0)

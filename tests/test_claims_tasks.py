"""Claims about detection and denoising: read from their own columns, put to runs of their own task alone."""

import json

import numpy as np
import pytest
from scipy import stats

from reslab import RunStore, figures
from reslab.claims import CLAIMS, evaluate, ledger
from tests.claims_fixtures import HIGH, LOW, make_net, make_run, make_task, one, plain

BAD, GOOD = [52.6, 69.6, 61.0], [88.6, 90.9, 87.0]  # mAP@.5, percent
DULL, SHARP = [25.9, 26.0, 26.3], [28.0, 28.1, 27.8]  # PSNR, dB
CLASSIFICATION = [name for name, claim in CLAIMS.items() if claim.task == "classification"]


def detectors(store, plainly, residual, **fields):
    fields = dict(task="detection", depth=18) | fields
    return [
        *make_task(store, "map50", plainly, shortcut="none", **fields),
        *make_task(store, "map50", residual, shortcut="A", **fields),
    ]


def denoisers(store, clean, noise, **fields):
    return [
        *make_task(store, "psnr", clean, **dict(task="denoising", target="clean") | fields),
        *make_task(store, "psnr", noise, **dict(task="denoising", target="noise") | fields),
    ]


MADE = [
    ("residual-detects", detectors, BAD, GOOD, ("plain-18", "ResNet-18")),
    ("noise-is-easier", denoisers, DULL, SHARP, ("direct", "residual")),
]


@pytest.mark.parametrize(("name", "make", "worse", "better", "nets"), MADE)
def test_supported_contradicted_and_one_seed(tmp_path, name, make, worse, better, nets):
    found = one(make(tmp_path / "a", worse, better), name)
    theirs = stats.ttest_ind(better, worse, equal_var=False).confidence_interval(0.95)
    assert found.verdict == "supported" and found.effect == pytest.approx(np.mean(better) - np.mean(worse))
    assert found.interval == pytest.approx(tuple(theirs)) and found.n == (3, 3) and found.tests == 1
    assert tuple(number.net for number in found.numbers) == nets and not any(found.published)
    assert [number.mean for number in found.numbers] == pytest.approx([np.mean(worse), np.mean(better)])
    assert one(make(tmp_path / "b", better, worse), name).verdict == "contradicted"
    few = one(make(tmp_path / "c", worse[:1], better), name)
    assert (few.words, few.interval, few.n) == ("indicative for", None, (1, 3))
    assert few.missing == f"One seed of {nets[0]} shows nothing of the spread." and len(few.to_run) == 2
    assert {(config.task, config.seed) for config in few.to_run} == {(CLAIMS[name].task, 1), (CLAIMS[name].task, 2)}
    alike = one(make(tmp_path / "d", [50.0, 51.0, 52.0], [50.8, 51.8, 52.8]), name)
    assert alike.verdict == "undecided" and "The interval holds 0" in alike.missing and alike.to_run


@pytest.mark.parametrize(("name", "make", "worse", "better", "nets"), MADE)
def test_what_is_missing_can_be_trained(tmp_path, name, make, worse, better, nets):
    nothing = one([], name)
    assert nothing.missing.endswith(", in any one profile.") and len(nothing.to_run) == 6
    assert {config.task for config in nothing.to_run} == {CLAIMS[name].task}
    half = one(make(tmp_path, [], better), name)
    assert half.missing == f"No finished run of {nets[0]}." and len(half.to_run) == 3
    assert "smoke" in half.setting and half.commands[0].count(f"--task {CLAIMS[name].task}") == 1
    assert one(make(tmp_path, worse, better), name).verdict == "supported"


def test_each_task_s_runs_are_put_to_its_own_claims(tmp_path):
    classified = plain(tmp_path, (LOW, LOW), (HIGH, HIGH)) + make_net(tmp_path, LOW, depth=14)
    own = detectors(tmp_path, BAD, GOOD) + denoisers(tmp_path, DULL, SHARP)
    assert evaluate([*own, *classified], CLASSIFICATION) == evaluate(classified, CLASSIFICATION)
    names = ["residual-detects", "noise-is-easier"]
    alone = evaluate(own, names)
    assert evaluate([*classified, *own], names) == alone and {verdict.tests for verdict in alone} == {2}
    # A classifier of the ImageNet family is the same net by all but its task.
    make_net(tmp_path / "b", LOW, depth=18, family="imagenet", stem="cifar")
    assert one(RunStore(tmp_path / "b"), "residual-detects").missing == one([], "residual-detects").missing
    level = 1 - 0.05 / 2
    theirs = stats.ttest_ind(SHARP, DULL, equal_var=False).confidence_interval(level)
    assert alone[1].interval == pytest.approx(tuple(theirs))


def test_all_else_agrees(tmp_path):
    clean = make_task(tmp_path, "psnr", DULL, task="denoising", target="clean")
    for change in (
        dict(sigma=(0, 55)),
        dict(width=8),
        dict(depth=7),
        dict(shortcut="A"),
        dict(iterations=24),
        dict(lr=0.1),
    ):
        noise = make_task(tmp_path, "psnr", SHARP, task="denoising", target="noise", **change)
        assert one([*clean, *noise], "noise-is-easier").verdict == "undecided", change
    found = one(denoisers(tmp_path, DULL, SHARP, sigma=(0, 55)), "noise-is-easier")
    assert found.verdict == "supported" and "sigma (0, 55)" in found.setting


def test_a_detector_of_bottlenecks_lacks_no_plain_twin(tmp_path):
    make_run(tmp_path, 1, 9, task="detection", depth=50, shortcut="A")
    assert one(RunStore(tmp_path), "residual-detects").missing == one([], "residual-detects").missing


def test_the_ledger_and_its_figure_have_their_units(tmp_path):
    runs = detectors(tmp_path, BAD, GOOD) + denoisers(tmp_path, DULL, SHARP)
    table = ledger(runs, ["residual-detects", "noise-is-easier"])
    text, html = str(table), table._repr_html_()
    found, quiet = table
    assert f"{found.effect:+.2f} [" in text and " points" in text and quiet.findings[0].with_unit.endswith("] dB")
    for page in (table.markdown(), html):
        assert "mAP@.5" in page and "PSNR" in page and str(quiet.numbers[0]).split(": ")[1].split(" (")[0] in page
    assert "87.00" not in text and '<span style="white-space:nowrap">26.07 ± 0.21 dB</span>' in html
    points, decibels = json.loads(json.dumps(table.to_json()))
    assert "unit" not in points and decibels["unit"] == decibels["findings"][0]["unit"] == "dB"
    figure = figures.verdict_intervals(table)
    titles = [figure.layout[name].title.text for name in ("xaxis", "xaxis2")]
    assert "percentage points" in titles[0] and "decibels" in titles[1] and len(figure.data) == 2

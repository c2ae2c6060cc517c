"""Claims about what goes on inside nets: what probes found, what was not probed yet, and a net against a number."""

import json

import numpy as np
import pytest
from scipy import stats

from reslab import RunStore
from reslab.claims import CLAIMS, evaluate
from tests.claims_fixtures import find, make_net, make_run, one, probed


def responses(*means: float) -> list[list[dict]]:
    """What the probe finds in nets of two layers whose mean response this is."""
    return [[dict(name="stem.conv", std=mean - 0.1), dict(name="last", std=mean + 0.1)] for mean in means]


def gradients(*decades: float) -> list[list[dict]]:
    return [
        [dict(name="a", variance=1.0, gradient=10.0**reach), dict(name="b", variance=1.0, gradient=1.0)]
        for reach in decades
    ]


def lesions(*errors: float, whole: float = 10.0) -> list[dict]:
    return [dict(error=whole, blocks=[dict(name="stage1.block1", error=error)]) for error in errors]


def surfaces(*pairs: tuple[float, float]) -> list[dict]:
    return [dict(roughness=roughness, negative=negative) for roughness, negative in pairs]


WEAK, STRONG = (0.31, 0.32, 0.34), (0.61, 0.64, 0.66)


@pytest.mark.parametrize(
    ("plain", "residual", "verdict"), [(STRONG, WEAK, "supported"), (WEAK, STRONG, "contradicted")]
)
def test_responses_are_smaller_in_residual_nets(tmp_path, plain, residual, verdict):
    probed(tmp_path, "responses", responses(*plain), depth=20, shortcut="none")
    probed(tmp_path, "responses", responses(*residual), depth=20)
    found = one(RunStore(tmp_path), "responses-residual")
    theirs = stats.ttest_ind(residual, plain, equal_var=False).confidence_interval(0.95)
    assert found.verdict == verdict and found.interval == pytest.approx(tuple(theirs)) and found.n == (3, 3)
    assert found.effect == pytest.approx(np.mean(residual) - np.mean(plain))
    number = found.numbers[0]
    assert str(number) == f"plain-20: {np.mean(plain):.3f} ± {np.std(plain, ddof=1):.3f} (n = 3)"
    assert number.measure == "response of a layer" and "%" not in str(found.findings[0])


def test_responses_are_smaller_still_in_deeper_nets(tmp_path):
    for depth, means in ((8, STRONG), (20, (0.5, 0.6, 0.7)), (56, WEAK), (1202, STRONG)):
        probed(tmp_path, "responses", responses(*means), depth=depth)
    found = one(RunStore(tmp_path), "responses-deeper")
    assert found.verdict == "supported" and [number.net for number in found.numbers] == ["ResNet-8", "ResNet-56"]


@pytest.mark.parametrize(
    ("deep", "verdict"),
    [
        ((0.0, -0.1, 0.1), "supported"),
        ((2.0, 3.0, 2.5), "supported"),  # grown, not vanished
        ((-0.5, -0.6, -0.7), "supported"),  # less, and within a decade
        ((-0.2, -0.7, -1.4), "undecided"),
        ((-4.0, -4.5, -5.0), "contradicted"),
    ],
)
def test_gradients_do_not_vanish_within_a_decade(tmp_path, deep, verdict):
    probed(tmp_path, "signals", gradients(0.0, 0.1, -0.1), depth=8, shortcut="none")
    probed(tmp_path, "signals", gradients(*deep), depth=20, shortcut="none")
    found = one(RunStore(tmp_path), "gradients-healthy")
    assert found.verdict == verdict and found.findings[0].margin == 1.0
    assert str(found.findings[0]).endswith(" decades") and "decades (n = 3)" in str(found.numbers[1])
    if verdict == "undecided":
        assert "The interval holds the margin of 1 decade (plain-20" in found.missing and found.to_run


@pytest.mark.parametrize(
    ("errors", "verdict", "words"),
    [
        ((12.0, 12.5, 13.0), "supported", "supported"),
        ((19.0, 19.5, 20.0), "contradicted", "contradicted"),
        ((14.5, 15.0, 15.5), "undecided", "undecided"),
        ((12.0,), "indicative", "indicative for"),
        ((19.0,), "indicative", "indicative against"),
    ],
)
def test_one_lesion_of_a_deep_residual_net_costs_less_than_five_points(tmp_path, errors, verdict, words):
    probed(tmp_path, "lesions", lesions(*errors), depth=56)
    found = one(RunStore(tmp_path), "lesions-residual-harmless")
    assert (found.verdict, found.words, found.n) == (verdict, words, (len(errors),))
    (finding,) = found.findings
    rise = np.array(errors) - 10
    assert finding.effect == pytest.approx(rise.mean() - 5) and finding.n == (len(errors),)
    assert finding.what == "ResNet-56 − 5 points, rise of the error without a block"
    if len(errors) > 1:
        theirs = stats.ttest_1samp(rise, 5).confidence_interval(0.95)
        assert finding.interval == pytest.approx((theirs.low - 5, theirs.high - 5)) and found.tests == 1
        assert str(found.numbers[0]) == f"ResNet-56: {rise.mean():.2f} ± 0.50 points (n = 3)"
    else:
        assert finding.interval is None and "One seed of ResNet-56" in found.missing
        assert [config.seed for config in found.to_run] == [1, 2]


def test_shallow_nets_do_not_speak_for_deep_ones(tmp_path):
    probed(tmp_path, "lesions", lesions(60.0, 61.0), depth=20)
    found = one(RunStore(tmp_path), "lesions-residual-harmless")
    assert found.verdict == "undecided" and found.missing == "No finished run of ResNet-56."


@pytest.mark.parametrize(
    ("plain", "whole", "verdict"),
    [
        ((88.0, 87.0, 89.0), 15.0, "supported"),
        ((60.0, 61.0, 62.0), 15.0, "contradicted"),  # much, and yet not to chance
        ((88.0, 87.0, 89.0), 88.5, "contradicted"),  # it was there from the beginning: nothing was lost
    ],
)
def test_one_lesion_ruins_a_plain_net(tmp_path, plain, whole, verdict):
    probed(tmp_path, "lesions", lesions(13.0, 14.0, 15.0), depth=20)
    probed(tmp_path, "lesions", lesions(*plain, whole=whole), depth=20, shortcut="none")
    found = one(RunStore(tmp_path), "lesions-plain-fatal")
    rises = [np.array([3.0, 4.0, 5.0]), np.array(plain) - whole]
    assert found.verdict == verdict and [f.n for f in found.findings] == [(3, 3), (3,)] and found.tests == 2
    theirs = stats.ttest_ind(rises[1], rises[0], equal_var=False).confidence_interval(1 - 0.05 / 2)
    assert found.findings[0].interval == pytest.approx(tuple(theirs))
    left = stats.ttest_1samp(90 - np.array(plain), 10).confidence_interval(1 - 0.05 / 2)
    assert found.findings[1].interval == pytest.approx((left.low - 10, left.high - 10))
    # The distance to chance is the plain net's alone.
    assert [number.net for number in found.numbers] == ["ResNet-20", "plain-20", "plain-20"]


def test_the_surface_is_smoother_in_both_respects(tmp_path):
    rough, smooth = [(0.3, 0.2), (0.31, 0.22), (0.33, 0.21)], [(0.03, 0.02), (0.031, 0.01), (0.033, 0.03)]
    probed(tmp_path, "roughness", surfaces(*rough), depth=20, shortcut="none")
    probed(tmp_path, "roughness", surfaces(*smooth), depth=20)
    found = one(RunStore(tmp_path), "surface-smoother")
    assert found.verdict == "supported"
    assert [str(f).rpartition("]")[2] for f in found.findings] == ["", ""] and found.findings[1].effect == -19
    probed(tmp_path / "b", "roughness", surfaces(*rough), depth=20, shortcut="none")
    probed(tmp_path / "b", "roughness", surfaces(*((r, n + 0.3) for r, n in smooth)), depth=20)
    assert one(RunStore(tmp_path / "b"), "surface-smoother").verdict == "contradicted"


# What was not probed


def test_runs_that_are_there_are_to_be_probed_and_not_trained_again(tmp_path):
    plain = make_net(tmp_path, [9.0] * 3, depth=20, shortcut="none")
    residual = make_net(tmp_path, [9.0] * 3, depth=20)
    runs = [*plain, *residual]
    found = one(runs, "responses-residual")
    assert (found.verdict, found.to_run, found.findings) == ("undecided", (), ())
    assert found.missing == "plain-20 and ResNet-20 not probed yet: `reslab probe responses RUN...`."
    assert found.commands == ["reslab probe responses " + " ".join(run.id for run in runs)]
    values = json.loads(json.dumps(found.to_dict()))
    assert values["to_probe"] == [run.id for run in runs] and values["to_run"] == []
    for run, result in zip(residual, responses(*WEAK), strict=True):
        find(run, "responses", result)
    found = one(runs, "responses-residual")
    assert found.missing == "plain-20 not probed yet: `reslab probe responses RUN...`."
    assert found.to_probe == tuple(plain) and [number.net for number in found.numbers] == ["ResNet-20"]
    assert evaluate(plain, ["degradation-test"])[0].to_probe == ()


def test_probing_is_asked_for_before_training(tmp_path):
    make_net(tmp_path, [9.0] * 2, depth=20, shortcut="none")
    found = one(RunStore(tmp_path), "lesions-plain-fatal")
    assert found.missing == ("plain-20 not probed yet: `reslab probe lesions RUN...`. No finished run of ResNet-20.")
    kinds = [" ".join(command.split()[:4]) for command in found.commands]
    assert (
        kinds
        == ["reslab probe lesions shapes-plain20-smoke-s0-" + found.to_probe[0].id[-8:]]
        + ["reslab train --depth 20"] * 4
    )  # a third seed of plain-20, and three of its twin
    # A setting in which everything is trained comes before one in which something is not.
    make_net(tmp_path, [9.0], depth=14, shortcut="none", width=8)
    make_net(tmp_path, [9.0], depth=14, width=8)
    found = one(RunStore(tmp_path), "lesions-plain-fatal")
    assert "width 8" in found.setting and found.missing.startswith("ResNet-14 and plain-14 not probed")


def test_the_depths_that_are_there_are_probed(tmp_path):
    """Shallow and deep, though neither counts yet: not the paper's depths, which nobody trained."""
    for depth in (8, 14):
        make_net(tmp_path, [9.0] * 3, depth=depth)
    found = one(RunStore(tmp_path), "responses-deeper")
    assert {run.config.depth for run in found.to_probe} == {8, 14} and found.to_run == ()


def test_seeds_without_a_probe_are_asked_for_before_new_ones(tmp_path):
    plain = probed(tmp_path, "responses", responses(0.6), depth=20, shortcut="none")
    more = [make_run(tmp_path, 9, 9, depth=20, shortcut="none", seed=seed) for seed in (1, 2, 3)]
    residual = probed(tmp_path, "responses", responses(0.3), depth=20)
    found = one([*plain, *more, *residual], "responses-residual")
    assert found.words == "indicative for" and found.n == (1, 1)
    assert found.missing == (
        "One seed of plain-20 and ResNet-20 shows nothing of the spread. "
        "3 more are there, not probed yet: `reslab probe responses RUN...`."
    )
    assert found.to_probe == tuple(more) and {config.shortcut for config in found.to_run} == {"A"}


def test_each_claim_says_which_probes_it_reads():
    assert {name: claim.probes for name, claim in CLAIMS.items() if claim.probes} == {
        "responses-residual": ("responses",),
        "responses-deeper": ("responses",),
        "gradients-healthy": ("signals",),
        "lesions-residual-harmless": ("lesions",),
        "lesions-plain-fatal": ("lesions",),
        "surface-smoother": ("roughness",),
    }

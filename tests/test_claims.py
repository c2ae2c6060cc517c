"""The list of claims, those that are counted on the nets, and questions that make no sense."""

import subprocess
import sys

import pytest

from reslab import RunConfig
from reslab.claims import CLAIMS, evaluate
from reslab.claims import exact as exact_module

NAMES = (
    "degradation-training degradation-test not-overfitting residual-gains-from-depth residual-faster-early "
    "option-order depth-110-trains parameters-equal bottleneck-arithmetic precision-bf16 shortcut-plain "
    "shortcut-scaled shortcut-scaled-both shortcut-exclusive-gating shortcut-exclusive-gating-6 "
    "shortcut-exclusive-gating-7 shortcut-gating-0 shortcut-gating-6 shortcut-conv1x1 shortcut-dropout "
    "order-bn-after-addition order-relu-before-addition order-relu-only-preactivation order-full-preactivation "
    "responses-residual responses-deeper gradients-healthy lesions-residual-harmless lesions-plain-fatal "
    "surface-smoother residual-detects noise-is-easier"
)


def test_the_catalogue():
    assert set(CLAIMS) == set(NAMES.split())
    for name, claim in CLAIMS.items():
        assert claim.name == name and claim.statement.endswith(".") and claim.source
        for arm in claim.arms:  # every arm is a net that can be trained
            config = RunConfig(task=claim.task, depth=arm.depth, **arm.fields)
            assert arm.matches(config), name


def test_a_list_of_claims_does_not_wait_for_torch():
    code = "import sys, reslab.claims; print(len(reslab.claims.CLAIMS), {'torch', 'scipy', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(CLAIMS)), "set()"]


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

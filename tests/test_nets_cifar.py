"""The nets against the paper's numbers and hand-computed tensors."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reslab import RunConfig, cifar_net
from reslab.nets import SHORTCUTS, IdentityPadded, register
from reslab.nets.blocks import BasicBlock, Bottleneck

# He et al. 2015, section 4.2 with batch norm's scale and shift and the classifier's bias (shared/FACTS.md, section 1).
PARAMETERS = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962, 1202: 19_421_274}


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(("depth", "parameters"), PARAMETERS.items())
@pytest.mark.parametrize("shortcut", ["none", "A"])
def test_parameter_counts_are_the_papers(depth, parameters, shortcut):
    with torch.device("meta"):
        assert count(cifar_net(depth, shortcut)) == parameters


def test_projections_add_their_weights_and_batch_norm():
    base = count(cifar_net(20, "A"))
    needed = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    everywhere = needed + 3 * (16 * 16 + 2 * 16) + 2 * (32 * 32 + 2 * 32) + 2 * (64 * 64 + 2 * 64)
    assert count(cifar_net(20, "B")) - base == needed
    assert count(cifar_net(20, "C")) - base == everywhere


def test_option_a_subsamples_and_pads_as_computed_by_hand():
    x = torch.arange(2 * 4 * 4.0).view(1, 2, 4, 4)
    fx = torch.full((1, 4, 2, 2), 100.0)
    zero = [[100.0, 100.0], [100.0, 100.0]]
    expected = torch.tensor([[zero, [[100.0, 102.0], [108.0, 110.0]], [[116.0, 118.0], [124.0, 126.0]], zero]])
    assert torch.equal(SHORTCUTS["A"](2, 4, 2)(x, fx), expected)
    assert torch.equal(SHORTCUTS["A"](2, 2, 1)(x, x), 2 * x)


@pytest.mark.parametrize("shortcut", ["B", "C"])
def test_projection_is_a_strided_1x1_convolution_with_batch_norm(shortcut):
    merge = SHORTCUTS[shortcut](3, 5, 2).eval()
    x, fx = torch.randn(2, 3, 8, 8), torch.randn(2, 5, 4, 4)
    projected = torch.einsum("oi,nihw->nohw", merge.conv.weight[:, :, 0, 0], x[:, :, ::2, ::2])
    torch.testing.assert_close(merge(x, fx), fx + projected / math.sqrt(1 + 1e-5))


def test_b_is_the_identity_where_shapes_agree_and_c_is_not():
    x = torch.randn(1, 4, 2, 2)
    assert torch.equal(SHORTCUTS["B"](4, 4, 1)(x, x), x + x)
    assert count(SHORTCUTS["B"](4, 4, 1)) == 0
    assert count(SHORTCUTS["C"](4, 4, 1)) == 4 * 4 + 2 * 4


def test_plain_ignores_the_input():
    assert torch.equal(SHORTCUTS["none"](2, 4, 2)(torch.randn(1, 2, 4, 4), fx := torch.randn(1, 4, 2, 2)), fx)


def test_relu_comes_after_the_addition():
    block = BasicBlock(4, 4, 1, SHORTCUTS["A"]).eval()
    nn.init.zeros_(block.conv2.weight)  # F(x) = 0
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(block(x), F.relu(x))


def test_stages_have_the_papers_shapes():
    net, x, shapes = cifar_net(20, "A"), torch.randn(1, 3, 32, 32), []
    for stage in (net.stem, net.stage1, net.stage2, net.stage3):
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8)]
    assert "stage1.block3.conv2" in dict(net.named_modules())


def test_he_initialisation():
    net = cifar_net(56, "none", generator=torch.Generator().manual_seed(0))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight
            he = math.sqrt(2 / (weight.shape[1] * 9))
            assert abs(weight.std().item() / he - 1) < 4 / math.sqrt(2 * weight.numel())  # four standard errors
            assert abs(weight.mean().item()) < 4 * he / math.sqrt(weight.numel())
    assert not net.fc.bias.any()


def test_same_generator_same_net():
    first, second = (cifar_net(8, "C", generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_bottleneck_weights_are_the_articles():
    block = Bottleneck(256, 64, 1, SHORTCUTS["A"])
    weights = sum(m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d))
    assert weights == 69_632  # 1x1x256x64 + 3x3x64x64 + 1x1x64x256 (FACTS.md, section 5)
    assert cifar_net(29, "B", block="bottleneck")(torch.randn(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (dict(depth=21), ["depth=21", "6n+2", "20", "56"]),
        (dict(depth=2), ["depth=2", "6n+2"]),
        (dict(depth=26, block="bottleneck"), ["9n+2", "29"]),
        (dict(shortcut="D"), ["'D'", "none, A, B, C"]),
        (dict(block="big"), ["'big'", "basic, bottleneck"]),
        (dict(activation_order="pre"), ["'pre'", "original, bn-after-addition"]),
        (dict(gate_bias=-3.0), ["gate_bias=-3.0", "'A' has no gate"]),
        (dict(width=0), ["width=0", "at least 1"]),
    ],
)
def test_what_cannot_be_built_is_refused_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError) as refusal:
        cifar_net(**arguments)
    assert all(word in str(refusal.value) for word in words)


def test_a_shortcut_of_ones_own_is_one_decorator_away():
    @register("test-half")
    class Half(IdentityPadded):
        def merge(self, x, fx):
            return super().merge(0.5 * x, fx)

    try:
        assert cifar_net(8, "test-half")(torch.randn(1, 3, 32, 32)).shape == (1, 10)
        x, fx = torch.randn(1, 4, 8, 8), torch.randn(1, 8, 4, 4)
        padded = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
        torch.testing.assert_close(SHORTCUTS["test-half"](4, 8, 2)(x, fx), fx + padded / 2)
        name = RunConfig(shortcut="test-half").id

        @register("test-half")  # the same cell, edited and run again
        class Half(IdentityPadded):
            def merge(self, x, fx):
                return super().merge(0.1 * x, fx)

        assert RunConfig(shortcut="test-half").id != name
        with pytest.raises(ValueError, match="already registered"):
            register("test-half")(SHORTCUTS["A"])
    finally:
        del SHORTCUTS["test-half"]

"""Nets grown by hand against the nets they were grown from, bit for bit."""

import pytest
import torch
from torch import nn

from reslab import cifar_net
from reslab.nets import SHORTCUTS, IdentityPadded, deepened, padding_projection
from reslab.nets.blocks import BasicBlock, Bottleneck
from reslab.nets.construction import set_to_identity


def trained(depth: int, shortcut: str, width: int = 4, block: str = "basic") -> nn.Module:
    """A net whose batch norms have met pictures, and whose scales and shifts are not what they began with."""
    generator = torch.Generator().manual_seed(0)
    net = cifar_net(depth, shortcut, width=width, block=block, generator=generator)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(generator=generator)
        for _ in range(3):
            net(torch.randn(16, 3, 16, 16, generator=generator))
    return net.eval()


@pytest.mark.parametrize("shortcut", ["none", "A", "B", "rezero", "stochastic-depth"])
@pytest.mark.parametrize("width", [4, 16])
@torch.no_grad()
def test_a_deepened_net_has_the_shallow_nets_logits_to_the_last_bit(shortcut, width):
    net = trained(8, shortcut, width)
    deep = deepened(net, 20)
    assert not deep.training and [len(s) for s in (deep.stage1, deep.stage2, deep.stage3)] == [3, 3, 3]
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) and ".shortcut" not in n for n, m in deep.named_modules()) == 20
    for size in (8, 16, 32):
        images = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(size))
        assert torch.equal(deep(images), net(images))
        images = images.to(memory_format=torch.channels_last)  # another kernel
        assert torch.equal(deep(images), net(images))


@torch.no_grad()
def test_the_added_blocks_are_there_and_can_learn():
    """Equal outputs come from identities, not from blocks that are passed by."""
    net = trained(8, "A")
    deep, images = deepened(net, 14), torch.randn(2, 3, 16, 16)
    before = deep(images)
    deep.stage2.block2.bn2.bias.fill_(1.0)
    assert not torch.equal(deep(images), before)
    assert torch.equal(net.stage2.block1.conv1.weight, deep.stage2.block1.conv1.weight)


@torch.no_grad()
def test_in_training_only_the_residual_net_stays_what_it_was():
    """A plain block's batch norm divides by the batch's own deviation."""
    images = torch.randn(8, 3, 16, 16)
    for shortcut, same in (("A", True), ("none", False)):
        net = trained(8, shortcut)
        deep = deepened(net, 14)
        assert torch.equal(deep.train()(images), net.train()(images)) == same


def test_bottlenecks_pass_on_with_a_shortcut_and_cannot_without():
    deep = deepened(trained(11, "B", block="bottleneck"), 20)
    assert len(deep.stage3) == 2
    with pytest.raises(ValueError, match="Bottleneck with the shortcut Plain cannot be the identity: use basic blocks"):
        deepened(trained(11, "none", block="bottleneck"), 20)


@pytest.mark.parametrize("shortcut", ["C", "scaled", "exclusive-gating", "concat"])
def test_a_shortcut_that_changes_x_is_refused(shortcut):
    with pytest.raises(ValueError, match="cannot be the identity"):
        deepened(cifar_net(8, shortcut, width=4), 14)


def test_depths_and_orders_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="depth=8 is less than"):
        deepened(cifar_net(14, width=4), 8)
    with pytest.raises(ValueError, match=r"depth=15 is not 6n\+2"):
        deepened(cifar_net(8, width=4), 15)
    with pytest.raises(ValueError, match="activation_order='original'"):
        deepened(cifar_net(8, width=4, activation_order="full-preactivation"), 14)


@pytest.mark.parametrize("shortcut", ["none", "A"])
def test_a_block_set_to_the_identity_passes_on_what_is_not_negative(shortcut):
    block = set_to_identity(BasicBlock(8, 8, 1, SHORTCUTS[shortcut]))
    x = 100 * torch.randn(2, 8, 16, 16)
    assert torch.equal(block(x.relu()), x.relu()) and torch.equal(block(x), x.relu())
    assert torch.equal(block.residual(x.relu()), x.relu() if shortcut == "none" else torch.zeros_like(x))


def test_a_bottleneck_with_the_identity_as_shortcut_can_be_set_too():
    x = torch.rand(2, 16, 8, 8)
    assert torch.equal(set_to_identity(Bottleneck(16, 4, 1, IdentityPadded))(x), x)


@pytest.mark.parametrize(("inside", "outside"), [(8, 16), (3, 8), (4, 4)])
def test_the_projection_that_pads_is_option_a_to_the_last_bit(inside, outside):
    projection, x = padding_projection(inside, outside, 2), torch.randn(2, inside, 8, 8)
    expected = torch.zeros(2, outside, 4, 4)
    start = (outside - inside) // 2
    expected[:, start : start + inside] = x[:, :, ::2, ::2]
    assert torch.equal(projection(x, torch.zeros(2, outside, 4, 4)), expected)
    assert torch.equal(IdentityPadded(inside, outside, 2)(x, torch.zeros(2, outside, 4, 4)), expected)

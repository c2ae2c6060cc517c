"""Probes against what can be computed without them: finite differences, norms, positions set to zero by hand."""

import copy

import pytest
import torch
from torch import nn

from reslab import cifar_net
from reslab.nets import SHORTCUTS, padding_projection
from reslab.nets.blocks import BasicBlock, initialise
from reslab.probes import block_inputs, sensitivities, survival


def a_net(shortcut: str = "A", depth: int = 8, **kind) -> nn.Module:
    return cifar_net(depth, shortcut, width=4, generator=torch.Generator().manual_seed(0), **kind)


def images(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


# Inputs


@pytest.mark.parametrize("training", [False, True])
def test_inputs_are_what_the_net_feeds_its_blocks_and_the_net_stays(training):
    net = a_net().train(training)
    before = copy.deepcopy(net.state_dict())
    seen = block_inputs(net, images())
    assert list(seen) == ["stage1.block1", "stage2.block1", "stage3.block1"]
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())
    assert net.training == training and not any(m._forward_pre_hooks for m in net.modules())
    with torch.no_grad():
        x = net.stem(images())
        for block, given in zip((net.stage1.block1, net.stage2.block1, net.stage3.block1), seen.values(), strict=True):
            assert torch.equal(given, x)
            x = block(x)


# Sensitivity


def outputs(block: BasicBlock, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    fx = block.residual(x)
    return fx, block.shortcut(x, fx)


@pytest.mark.parametrize("shortcut", ["A", "B", "exclusive-gating"])
@torch.no_grad()
def test_sensitivity_is_the_slope_of_a_small_step(shortcut):
    """One direction, by hand: a central difference in float64."""
    net = a_net(shortcut)
    found = sensitivities(net, images(), directions=1, seed=3)
    generator, step = torch.Generator().manual_seed(3), 1e-5
    twin = copy.deepcopy(net).double().train()
    for (name, x), measured in zip(block_inputs(twin, images().double()).items(), found, strict=True):
        block = twin.get_submodule(name)
        moves = []
        for conv in (block.conv1, block.conv2):
            random = torch.randn(conv.weight.shape, generator=generator, dtype=torch.float64)
            moves.append(random * conv.weight.norm() / random.norm())
        sides = []
        for sign in (1, -1):
            moved = copy.deepcopy(block)
            for conv, move in zip((moved.conv1, moved.conv2), moves, strict=True):
                conv.weight += sign * step * move
            sides.append(outputs(moved, x))
        slopes = [(up - down).norm() / (2 * step) for up, down in zip(*sides, strict=True)]
        expected = [(slope / out.norm()).item() for slope, out in zip(slopes, outputs(block, x), strict=True)]
        assert measured.name == name
        assert [measured.of_f, measured.of_h] == pytest.approx(expected, rel=1e-6)


def test_with_an_addition_the_factor_is_the_ratio_of_norms():
    net = a_net(depth=14)
    twin = copy.deepcopy(net).double().train()
    inputs = block_inputs(twin, images().double())
    for measured in sensitivities(net, images()):
        fx, h = outputs(twin.get_submodule(measured.name), inputs[measured.name])
        assert measured.factor == pytest.approx((h.norm() / fx.norm()).item(), rel=1e-9)


def test_in_a_plain_net_f_is_all_there_is_and_the_net_stays():
    net = a_net("none")
    before = copy.deepcopy(net.state_dict())
    assert [measured.factor for measured in sensitivities(net, images())] == [1.0] * 3
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())


# Survival


@pytest.mark.parametrize("name", ["A", "B"])
def test_a_quarter_of_the_positions_and_all_channels_survive(name):
    shortcut = SHORTCUTS[name](4, 8, 2).eval()
    initialise(shortcut, torch.Generator().manual_seed(0))
    left = survival(shortcut, 8, 8)
    assert (left.positions, left.channels, left.of) == (0.25, 4, 4)
    assert left.empty == (0.5 if name == "A" else 0)
    assert left.weights == (0 if name == "A" else 4 * 8 + 2 * 8)
    assert left.row["positions of x that it reads"] == "25 %" and left.row["channels of x that are left"] == "4 of 4"
    x, fx = torch.randn(1, 4, 8, 8), torch.zeros(1, 8, 4, 4)
    blind = x.clone()
    blind[:, :, 1::2, :] = blind[:, :, :, 1::2] = 7.0  # what it does not read
    assert torch.equal(shortcut(blind, fx), shortcut(x, fx))


def test_a_projection_that_loses_channels_is_found_out():
    shortcut = padding_projection(4, 8, 2)
    nn.init.zeros_(shortcut.conv.weight[2:].detach())
    assert survival(shortcut, 4, 6).channels == 0
    shortcut = SHORTCUTS["B"](4, 8, 2).eval()
    with torch.no_grad():
        shortcut.conv.weight[:, 1] = 2 * shortcut.conv.weight[:, 0]
        shortcut.bn.bias.fill_(3.0)
    assert survival(shortcut, 4, 6).channels == 3


def test_where_the_shape_stays_everything_survives():
    left = survival(SHORTCUTS["A"](4, 4, 1), 6, 6)
    assert (left.positions, left.channels, left.empty, left.weights) == (1.0, 4, 0.0, 0)

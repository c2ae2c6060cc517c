"""The denoising net against the paper's counts, a net assembled by hand, and what its two targets mean."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reslab import RunConfig
from reslab.denoising.net import CUT, GREY, SHIFT, SPREAD, UNITS, dncnn
from reslab.nets.parts import parts


def made(seed=0, **options):
    return dncnn(**dict(width=6) | options, generator=torch.Generator().manual_seed(seed))


def settled(net):
    """The net in evaluation mode, with running statistics and weights that are not those of the start."""
    generator = torch.Generator().manual_seed(5)
    for name, tensor in net.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            tensor.normal_(generator=generator)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=generator)
    return net.eval()


@pytest.fixture
def noisy():
    return torch.rand(2, 3, 12, 10, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("depth", "width"), [(17, 64), (17, 16), (5, 8)])
@pytest.mark.parametrize("shortcut", ["none", "A"])
@pytest.mark.parametrize("target", ["noise", "clean"])
def test_layers_and_parameters_are_counted_by_hand(depth, width, shortcut, target):
    with torch.device("meta"):
        net = dncnn(depth, shortcut, target, width)
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == sum(part.layers for part in parts(net)) == depth
    assert all(conv.kernel_size == (3, 3) for conv in convolutions)
    # As in Zhang et al. 2017, section III-A: no batch norm after the first and the last, no bias where it follows.
    first, last = 27 * width + width, 27 * width + 3
    assert sum(p.numel() for p in net.parameters()) == first + (depth - 2) * (9 * width**2 + 2 * width) + last


def test_without_shortcuts_it_is_the_papers_row_of_layers(noisy):
    net = settled(made())
    x, (first, *middle, last) = (noisy - GREY) / SPREAD, [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    x = F.relu(F.conv2d(x, first.weight, first.bias, padding=1))
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == len(middle) == 15
    for conv, norm in zip(middle, norms, strict=True):
        x = F.conv2d(x, conv.weight, padding=1)
        x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        x = F.relu(x)
    expected = net.unit * F.conv2d(x, last.weight, last.bias, padding=1)
    with torch.no_grad():
        torch.testing.assert_close(net.noise(noisy), expected)
        torch.testing.assert_close(net(noisy), noisy - expected)


def test_shortcut_a_adds_each_blocks_input(noisy):
    net = settled(made(shortcut="A"))
    assert len(net.stage1) == 7
    x = net.stem((noisy - GREY) / SPREAD)
    for block in net.stage1:
        within = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(x)))))
        x = F.relu(within + x)
    with torch.no_grad():
        torch.testing.assert_close(net.noise(noisy), net.unit * net.last(x))


def test_the_two_targets_are_the_same_layers_read_differently(noisy):
    residual, direct = settled(made(target="noise")), settled(made(target="clean"))
    for (name, one), (other_name, other) in zip(
        residual.state_dict().items(), direct.state_dict().items(), strict=True
    ):
        assert name == other_name and torch.equal(one, other)
    with torch.no_grad():
        computed = residual.noise(noisy)
        torch.testing.assert_close(direct(noisy), UNITS["clean"] / UNITS["noise"] * computed + GREY)
        torch.testing.assert_close(residual(noisy), noisy - computed)
        for net in (residual, direct):
            torch.testing.assert_close(net(noisy) + net.noise(noisy), noisy)


def test_the_squared_error_of_the_picture_is_that_of_the_noise(noisy):
    net, clean = settled(made()), torch.rand(noisy.shape, generator=torch.Generator().manual_seed(2))
    of_picture = F.mse_loss(net(noisy), clean)
    of_noise = F.mse_loss(net.noise(noisy), noisy - clean)
    torch.testing.assert_close(of_picture, of_noise)
    ours, theirs = (torch.autograd.grad(loss, [*net.parameters()]) for loss in (of_picture, of_noise))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_under_bf16_the_picture_stays_float32(noisy):
    net = settled(made())
    nn.init.zeros_(net.last.weight)
    nn.init.zeros_(net.last.bias)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(net(noisy), noisy)  # in bfloat16 it would be rounded to eight bits


def test_at_the_start_the_residual_net_leaves_the_picture_and_the_direct_one_is_grey(noisy):
    residual, direct = (made(target=target, width=16).train() for target in ("noise", "clean"))
    with torch.no_grad():
        assert (residual(noisy) - noisy).abs().mean() < 0.1
        assert (direct(noisy) - GREY).abs().mean() < 0.1


def test_initialisation():
    net = made(width=16)
    for conv in (module for module in net.modules() if isinstance(module, nn.Conv2d)):
        weight = conv.weight.detach()
        assert conv.bias is None or not conv.bias.any()
        if conv is net.last:
            assert weight.std().item() == pytest.approx(0.01, rel=4 / math.sqrt(2 * weight.numel()))
            continue
        taps = weight.square().mean((0, 1)) * weight.shape[1]  # He: 2 over all nine, nine tenths of it in the centre
        expected = torch.full((3, 3), 2 * 0.1 / 9)
        expected[1, 1] += 2 * 0.9
        spread = 6 * math.sqrt(2 / (weight.shape[0] * weight.shape[1]))  # six standard errors of a variance
        assert ((taps / expected - 1).abs() < spread).all()
    shifts = torch.tensor([CUT] * 5 + [SHIFT] * 11)  # ReLU cuts off most in 30 % of the channels, little in the others
    assert all(torch.equal(module.bias, shifts) for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    for block in made(shortcut="A", width=16).stage1:
        assert torch.equal(block.bn1.bias, shifts) and not block.bn2.bias.any()
    again, other = made(width=16), made(1, width=16)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
    assert not torch.equal(net.last.weight, other.last.weight)


@pytest.mark.parametrize("order", ["full-preactivation", "relu-only-preactivation", "bn-after-addition"])
def test_every_order_learns_from_every_layer(order, noisy):
    net = made(depth=7, shortcut="A", activation_order=order)
    F.mse_loss(net(noisy), noisy).backward()
    assert (net.final is not None) == order.endswith("preactivation")
    assert all(p.grad is not None for p in net.parameters())


def test_pictures_of_any_size():
    assert made()(torch.rand(1, 3, 7, 19)).shape == (1, 3, 7, 19)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (dict(depth=18), ["depth=18", "2n+3", "5, 7, 9, 17"]),
        (dict(depth=3), ["depth=3", "2n+3"]),
        (dict(target="sharp"), ["'sharp'", "noise, clean"]),
        (dict(shortcut="D"), ["'D'", "none, A, B, C"]),
        (dict(activation_order="pre"), ["'pre'", "original, bn-after-addition"]),
        (dict(gate_bias=-3.0), ["gate_bias=-3.0", "'none' has no gate"]),
        (dict(width=0), ["width=0", "at least 1"]),
    ],
)
def test_what_cannot_be_built_is_refused_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError) as refusal:
        dncnn(**arguments)
    assert all(word in str(refusal.value) for word in words)


def test_a_config_makes_it():
    config = RunConfig(task="denoising", profile="smoke", target="clean", shortcut="A")
    net = config.make_net(torch.Generator().manual_seed(3))
    same = dncnn(17, "A", "clean", config.width, torch.Generator().manual_seed(3))
    assert net.target == "clean"
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), same.parameters(), strict=True))

"""Responses and signals against a linear net that can be computed by hand, and hooks that the test sets itself."""

import copy
import math
from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import reslab
from reslab.nets.blocks import BasicBlock
from reslab.nets.shortcuts import Plain
from reslab.probes import gradient_reach, gradient_spread, responses, signals, without_norm
from reslab.probes.responses import STANDARD as RESPONSES
from reslab.probes.responses import Response
from reslab.probes.responses import measured as measured_responses
from reslab.probes.signals import STANDARD as SIGNALS
from reslab.probes.signals import Signal
from reslab.probes.signals import measured as measured_signals
from reslab.probes.subject import subject

A, B, C = 1.5, -0.5, 2.0  # the weights of the three layers
U, V = 0.8, -0.3  # and of the classifier
X = torch.tensor([-2.0, -1.0, 0.5, 3.0])
Y = torch.tensor([0, 1, 1, 0])


def linear_net() -> nn.Module:
    """x -> a x -> ab x -> abc x -> (u, v) abc x, for pictures of one pixel: of a 3x3 kernel only the centre counts."""
    block = BasicBlock(1, 1, 1, Plain)
    for name in ("bn1", "relu1", "bn2", "relu2"):
        setattr(block, name, nn.Identity())
    stem = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 1, 1, bias=False), bn=nn.Identity()))
    net = nn.Sequential(OrderedDict(stem=stem, block=block, flat=nn.Flatten(), fc=nn.Linear(1, 2, bias=False)))
    with torch.no_grad():
        for conv, weight in ((stem.conv, A), (block.conv1, B), (block.conv2, C)):
            conv.weight.normal_(generator=torch.Generator().manual_seed(0))
            conv.weight[0, 0, conv.kernel_size[0] // 2, conv.kernel_size[0] // 2] = weight
        net.fc.weight.copy_(torch.tensor([[U], [V]]))
    return net


def a_net(shortcut: str = "A", depth: int = 8, **kind) -> nn.Module:
    return reslab.cifar_net(depth, shortcut, width=4, generator=torch.Generator().manual_seed(0), **kind)


def pictures(count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 8, 8, generator=generator), torch.randint(10, (count,), generator=generator)


# The closed form


def test_responses_of_the_linear_net():
    found = responses(linear_net(), X[:, None, None, None])
    spread = math.sqrt(sum((x - X.mean()) ** 2 for x in X) / len(X))
    assert [each.name for each in found] == ["stem.conv", "block.conv1", "block.conv2"]
    assert [each.std for each in found] == pytest.approx(
        [abs(A) * spread, abs(A * B) * spread, abs(A * B * C) * spread]
    )


def test_signals_of_the_linear_net():
    found = signals(linear_net(), X[:, None, None, None], Y)
    variance = sum((x - X.mean()) ** 2 for x in X).item() / len(X)
    assert [each.variance for each in found] == pytest.approx(
        [A**2 * variance, (A * B) ** 2 * variance, (A * B * C) ** 2 * variance]
    )
    # d loss / d z = (p - 1 or p) (u - v), p the probability of class 0; z = abc x
    slopes = [
        (1 / (1 + math.exp(-(U - V) * A * B * C * x)) - (y == 0)) * (U - V) * x
        for x, y in zip(X.tolist(), Y.tolist(), strict=True)
    ]
    mean = abs(sum(slopes)) / len(X)
    expected = [mean * abs(B * C), mean * abs(A * C), mean * abs(A * B)]
    assert [each.gradient for each in found] == pytest.approx(expected, rel=1e-5)


# Hooks of the test's own


@pytest.mark.parametrize("order", ["original", "full-preactivation"])
def test_responses_are_over_all_images_positions_and_channels(order):
    net, seen = a_net(activation_order=order, depth=14), {}
    images = pictures(600)[0]  # more than go at a time
    with torch.no_grad():
        net.train()(images[:50])  # running statistics that are not 0 and 1
        for layer in ("stem.bn", "stage2.block2.bn1" if order == "original" else "stage2.block2.bn2"):
            net.get_submodule(layer).register_forward_hook(
                lambda _m, _i, out, layer=layer: seen.update({layer: out.clone()})
            )
        before = copy.deepcopy(net.state_dict())
        net.eval()(images)
        expected = [output.double().std(correction=0).item() for output in seen.values()]
        found = {each.name: each.std for each in responses(net.train(), images)}
    assert [found["stem.conv"], found["stage2.block2.conv1"]] == pytest.approx(expected, rel=1e-5)
    assert len(found) == 13 and net.training
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shortcut", ["none", "A", "C", "exclusive-gating"])
def test_signals_are_those_of_a_pass_by_hand(shortcut, training):
    net, (images, labels) = a_net(shortcut), pictures()
    twin, seen = copy.deepcopy(net).train(training), {}
    twin.stage2.block1.bn2.register_forward_hook(lambda _m, _i, out: seen.update(out=out.detach().clone()))
    F.cross_entropy(twin(images), labels).backward()
    before = copy.deepcopy(net.state_dict())
    found = {each.name: each for each in signals(net, images, labels, training)}
    assert found["stem.conv"].gradient == pytest.approx(twin.stem.conv.weight.grad.norm().item(), rel=1e-5)
    own = found["stage2.block1.conv2"]
    assert own.gradient == pytest.approx(twin.stage2.block1.conv2.weight.grad.norm().item(), rel=1e-5)
    by_hand = seen["out"].transpose(0, 1).flatten(1).var(1, correction=0).mean().item()
    assert own.variance == pytest.approx(by_hand, rel=1e-5)
    if training:
        assert own.variance == pytest.approx(1, rel=1e-3)
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_what_a_net_draws_at_random_is_drawn_again_and_the_callers_random_numbers_stay():
    net, given = a_net("dropout"), pictures()
    before = torch.get_rng_state()
    first = signals(net, *given)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert signals(net, *given) == first


# Without batch norm


def test_without_norm_nothing_stands_in_its_place():
    net = a_net("B")
    bare = without_norm(net, gain=0.5)
    assert any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in bare.modules())
    assert torch.equal(bare.stem.conv.weight, 0.5 * net.stem.conv.weight)
    images = pictures()[0]
    x = F.relu(F.conv2d(images, 0.5 * net.stem.conv.weight, padding=1))
    torch.testing.assert_close(bare.stem(images), x)
    block = net.stage1.block1
    fx = F.conv2d(F.relu(F.conv2d(x, 0.5 * block.conv1.weight, padding=1)), 0.5 * block.conv2.weight, padding=1)
    torch.testing.assert_close(bare.stage1.block1(x), F.relu(fx + x))


def test_gradients_are_healthy_with_batch_norm_and_vanish_without_it_in_a_plain_net():
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(32, 3, 8, 8, generator=generator), torch.randint(10, (32,), generator=generator)
    plain, residual = (
        reslab.cifar_net(56, s, width=8, generator=torch.Generator().manual_seed(0)) for s in ("none", "A")
    )
    normed, bare = signals(plain, images, labels), signals(without_norm(plain, 0.5**0.5), images, labels)
    assert all(each.variance == pytest.approx(1, abs=0.02) for each in normed)
    assert gradient_reach(normed) > -3 > -9 > gradient_reach(bare)
    assert bare[-1].variance < 1e-12
    assert gradient_spread(normed) > 2 > 1.5 > gradient_spread(signals(residual, images, labels))
    assert signals(without_norm(residual), images, labels)[-1].variance > 1e3


def test_reach_and_spread():
    layers = [Signal("a", 1.0, 1e-2), Signal("b", 1.0, 1e-5), Signal("c", 1.0, 10.0)]
    assert gradient_reach(layers) == pytest.approx(-5) and gradient_spread(layers) == pytest.approx(6)
    dead = [*layers, Signal("d", 0.0, 0.0)]
    assert gradient_reach(dead) == -math.inf and gradient_spread(dead) == math.inf


# What is kept


def test_standard_results_are_kept_in_the_run_folder(tmp_path):
    run = reslab.train(reslab.RunConfig(depth=8, profile="smoke"), tmp_path)
    found, at_first, at_last = measured_responses(run), measured_signals(run), measured_signals(run, at="trained")
    shown = subject(run, **RESPONSES)
    assert found == responses(shown.net, shown.images) and isinstance(found[0], Response)
    shown = subject(run, "initial", **SIGNALS)
    assert at_first == signals(shown.net, shown.images, shown.labels) != at_last
    files = {path: path.stat().st_mtime_ns for path in (run.path / "probes").iterdir()}
    assert (measured_responses(run), measured_signals(run)) == (found, at_first)
    assert {path: path.stat().st_mtime_ns for path in (run.path / "probes").iterdir()} == files and len(files) == 3

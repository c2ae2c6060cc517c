"""A rescaled net, and lines through it, against what batch norm and the definition say."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from reslab import RunConfig
from reslab.lessons.scale import random_line, rescaled, weights_norm
from reslab.probes import Subject


@pytest.fixture(scope="module")
def seen() -> Subject:
    config = RunConfig(depth=8, shortcut="A", profile="smoke")
    net, random = config.make_net(torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    for name, buffer in net.named_buffers():  # as if it had been trained
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(torch.rand(buffer.shape, generator=random) + 0.5)
    images = torch.randn(32, 3, 16, 16, generator=random)
    return Subject("ResNet-8", net.eval(), images, torch.randint(10, (32,), generator=random), config, "train")


@torch.no_grad()
def test_a_rescaled_net_computes_the_same_with_larger_weights(seen):
    twin = rescaled(seen.net, 3.0)
    torch.testing.assert_close(twin(seen.images), seen.net(seen.images), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(twin.stem.conv.weight, 3 * seen.net.stem.conv.weight)
    classifier = sum(p.square().sum() for n, p in seen.net.named_parameters() if n.startswith("fc") and p.ndim > 1)
    kernels = sum(p.square().sum() for p in seen.net.parameters() if p.ndim == 4)
    assert weights_norm(twin) == pytest.approx((9 * kernels + classifier).sqrt().item(), rel=1e-5)
    assert torch.equal(seen.net(seen.images), seen.net.eval()(seen.images))  # untouched


def test_filter_normalised_lines_do_not_see_the_scale(seen):
    big = replace(seen, net=rescaled(seen.net, 4.0))
    normal, of_big = (torch.tensor(random_line(each, points=5).loss[0]) for each in (seen, big))
    torch.testing.assert_close(normal, of_big, rtol=1e-3, atol=1e-4)
    assert (normal - normal[2]).abs().max() > 1  # a flat line would say nothing


@torch.no_grad()
@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_a_step_of_fixed_length_is_as_long_in_any_net(seen, factor):
    each = replace(seen, net=rescaled(seen.net, factor))
    surface = random_line(each, 7.0, points=3, span=0.5)
    assert surface.x == (-0.5, 0.0, 0.5) and surface.y == (0.0,) and surface.total == 3
    assert (surface.images, surface.split, surface.name) == (32, "train", "ResNet-8")
    assert surface.directions == "a random direction of fixed length, seed 0"
    random, twin = torch.Generator().manual_seed(0), copy.deepcopy(each.net)
    moved = [p for p in twin.parameters() if p.ndim > 1]
    steps = [torch.randn(p.shape, generator=random) for p in moved]
    size = torch.cat([step.flatten() for step in steps]).norm()
    for at, loss, error in zip((-0.5, 0.0, 0.5), surface.loss[0], surface.error[0], strict=True):
        for p, own, step in zip(moved, (p for p in each.net.parameters() if p.ndim > 1), steps, strict=True):
            p.copy_(own + at * 7.0 / size * step)
        logits = twin(seen.images)
        assert loss == pytest.approx(F.cross_entropy(logits, seen.labels).item(), rel=1e-3)
        assert error == pytest.approx(100 * (logits.argmax(1) != seen.labels).float().mean().item())

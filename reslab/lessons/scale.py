"""Why directions are filter-normalised: two nets that compute the same, and look different without (Li et al. 2018)."""

import copy

import torch
from torch import nn

from ..probes.layers import weighted_layers
from ..probes.subject import Subject
from ..probes.surface import Evaluator, Plane, Surface
from ..probes.surface.directions import random_direction
from ..probes.surface.weights import are_weights, entries, vector


@torch.no_grad()
def rescaled(net: nn.Module, factor: float) -> nn.Module:
    """A copy of `net` whose convolutions have weights `factor` times as large wherever batch norm follows, and batch
    norm's running statistics to match: in evaluation mode it computes the same, up to rounding. Raises ValueError for a
    net without batch norm.
    """
    twin = copy.deepcopy(net)
    if not any(layer.norm for layer in weighted_layers(twin)):
        raise ValueError("without batch norm larger weights are another function; take a run with norm='batch'")
    for layer in weighted_layers(twin):
        if layer.norm is not None:
            layer.conv.weight.mul_(factor)
            layer.norm.running_mean.mul_(factor)
            layer.norm.running_var.add_(layer.norm.eps).mul_(factor**2).sub_(layer.norm.eps)
    return twin


def weights_norm(net: nn.Module) -> float:
    """The norm of all the weights that a direction moves: those of convolutions and of the classifier."""
    return torch.stack([p.detach().norm() for p in net.parameters() if p.ndim > 1]).norm().item()


def random_line(
    seen: Subject, length: float | None = None, points: int = 41, span: float = 1.0, seed: int = 0
) -> Surface:
    """Loss and error from x = -span to span along a random direction from `seen`'s net.

    Without `length` the direction is filter-normalised; with it, it is Gaussian and a step of 1 is that long, however
    large the net's weights are. The Gaussian numbers are the same in both for one `seed`.
    """
    generator = torch.Generator().manual_seed(seed)
    if length is None:
        direction, words = random_direction(seen.net, generator), f"a random direction, filter-normalised, seed {seed}"
    else:
        parts = [
            torch.randn(e.shape, generator=generator).flatten()
            if e.weight and len(e.shape) > 1
            else torch.zeros(e.shape).flatten()
            for e in entries(seen.net)
        ]
        direction, words = torch.cat(parts), f"a random direction of fixed length, seed {seed}"
        direction *= length / direction.norm()
    plane = Plane(vector(seen.net), (direction,), are_weights(seen.net), words)
    x = torch.linspace(-span, span, points).tolist()
    with Evaluator(seen.net, seen.images, seen.labels) as evaluate:
        losses, errors = zip(*evaluate.evaluate(plane, [(at, 0.0) for at in x]), strict=True)
    return Surface(seen.name, tuple(x), (0.0,), (losses,), (errors,), len(seen.labels), seen.split, words)

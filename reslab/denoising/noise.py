"""Gaussian noise as a pure function of integers: see reslab.data.draws."""

import math
from collections.abc import Sequence

import torch

from ..data.draws import draws

# Streams of random numbers, apart from those in reslab/data: the noise of training and of held-out pictures, its
# strength, which pictures are mirrored, and where patches are cut out (11 is in classical.py).
TRAINING, HELD_OUT, STRENGTH, MIRROR, PATCH = 7, 8, 9, 10, 12


def gaussian(count: int, *key: int, device: torch.device | str | None = None) -> torch.Tensor:
    """`count` values of a standard normal distribution, float32 [count], determined by the integers in `key` alone.

    Box and Muller's transform, two values from two uniform ones. In float64, so that its tails reach beyond 8.
    """
    pairs = (count + 1) // 2
    uniform = _uniform(2 * pairs, *key, device=device)
    radius, angle = (-2 * uniform[:pairs].log()).sqrt(), 2 * math.pi * uniform[pairs:]
    return torch.cat([radius * angle.cos(), radius * angle.sin()])[:count].float()


def gaussian_pictures(shape: Sequence[int], *key: int, device: torch.device | str | None = None) -> torch.Tensor:
    """The same as pictures of `shape` [N, 3, H, W], in channels_last layout."""
    count, channels, height, width = shape
    values = gaussian(math.prod(shape), *key, device=device)
    return values.view(count, height, width, channels).permute(0, 3, 1, 2)


def strengths(count: int, sigma: tuple[int, int], *key: int, device: torch.device | str | None = None) -> torch.Tensor:
    """A standard deviation for each of `count` pictures, uniform in `sigma` (of 255), in units of the pictures' range:
    float32 [count, 1, 1, 1].
    """
    low, high = sigma
    return ((low + (high - low) * _uniform(count, *key, device=device)) / 255).float().view(-1, 1, 1, 1)


def _uniform(count: int, *key: int, device: torch.device | str | None = None) -> torch.Tensor:
    """Uniform in (0, 1), float64 [count]."""
    return (draws(count, *key, device=device).double() + 0.5) / 2**62

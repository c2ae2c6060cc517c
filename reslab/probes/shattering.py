"""Shattered gradients: how alike the gradients of neighbouring inputs are (Balduzzi et al. 2017, 1702.08591)."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..runs import Run
from .results import kept
from .settling import settled_subject
from .when import INITIAL

STANDARD: dict[str, Any] = dict(points=128, lines=4, images=128, split="test")  # and `at`
BATCH = 64  # points at a time


@dataclass(frozen=True)
class Correlation:
    """How alike gradients are that lie `lags` points apart on a line: 1 the same direction, 0 unrelated."""

    lags: tuple[int, ...]  # 0, 1, 2 ... to a quarter of the points
    values: tuple[float, ...]  # -1 to 1
    points: int  # on the line


def gradient_correlation(
    net: nn.Module, start: torch.Tensor, end: torch.Tensor, points: int = 128, logit: int = 0
) -> Correlation:
    """How the gradient of one of the logits with respect to the input changes on the way from picture `start` to
    picture `end` [3, H, W]; `points` evenly spaced ones lie on the straight line between them, both ends included.

    The value at a lag is the mean, over all pairs of points so far apart, of the cosine between their gradients. Close
    to 1 the net looks linear from one point to the next; white noise has 0 at every lag but 0: a step says nothing of
    the next one. The paper's inputs are numbers, so that its gradients are too; here each is a whole picture, which
    makes one line say as much as many. The net is a copy in evaluation mode, where each point is a picture by itself:
    with the statistics of a batch, its neighbours would change it. An untrained net needs `settled` statistics first.

    Raises ValueError for fewer than 8 points.
    """
    if points < 8:
        raise ValueError(f"points={points} are too few to compare; allowed: 8 or more")
    twin = copy.deepcopy(net).eval().requires_grad_(False)
    places = torch.linspace(0, 1, points, device=start.device, dtype=start.dtype)
    directions = []
    for some in places.split(BATCH):
        line = torch.lerp(start, end, some[:, None, None, None]).requires_grad_()
        with torch.enable_grad():
            (gradients,) = torch.autograd.grad(twin(line)[:, logit].sum(), line)
        directions.append(F.normalize(gradients.flatten(1).double(), dim=1))
    cosines = torch.cat(directions) @ torch.cat(directions).T
    lags = tuple(range(points // 4 + 1))
    return Correlation(lags, tuple(cosines.diagonal(lag).mean().item() for lag in lags), points)


def brown(points: int) -> Correlation:
    """The correlation of brown noise, a random walk in many dimensions that begins at 0: after i steps and after i + k
    its cosine is sqrt(i / (i + k)) (Balduzzi et al. 2017, section 2). That of white noise is 1, then 0.
    """
    lags = tuple(range(points // 4 + 1))
    values = (sum((i / (i + lag)) ** 0.5 for i in range(1, points - lag + 1)) / (points - lag) for lag in lags)
    return Correlation(lags, tuple(values), points)


def settings(at: str | int = INITIAL) -> dict[str, Any]:
    """Under which a result is kept."""
    return STANDARD | dict(at=at)


def measured(
    run: Run, at: str | int = INITIAL, data: str | Path | None = None, device: str | torch.device | None = None
) -> Correlation:
    """The mean correlation of a run that is done over the lines between its first pictures, each for the logit of the
    picture where it begins: before the first iteration, with settled statistics, or `at` "trained"; with the STANDARD
    settings, from its folder if it was measured before.
    """
    lines, points = STANDARD["lines"], STANDARD["points"]

    def measure() -> dict[str, Any]:
        shown = settled_subject(run, at, STANDARD["images"], STANDARD["split"], data, device)
        found = [
            gradient_correlation(shown.net, *shown.images[first : first + 2], points, int(shown.labels[first])).values
            for first in range(0, 2 * lines, 2)
        ]
        return dict(values=[sum(values) / len(values) for values in zip(*found, strict=True)])

    values = kept(run, "shattering", settings(at), measure)["values"]
    return Correlation(tuple(range(len(values))), tuple(values), points)

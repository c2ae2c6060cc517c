"""How far a loss surface is from a smooth bowl, in two numbers that do not depend on the scale of the loss."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from ...runs import Run
from ..results import kept
from ..when import TRAINED
from .plan import Plan
from .result import Surface

# Half a filter's size is where the nets differ: further out every net's loss is that of wrong guesses. Several planes,
# because the same net looks twice as rough in one as in another.
STANDARD: dict[str, Any] = dict(points=11, span=0.5, images=500, split="train", precision="fp32", seeds=[0, 1, 2])
NOISE = 1e-4  # of the loss, in its second differences: float32's own is a hundredth of that


@dataclass(frozen=True)
class Roughness:
    """Of a loss surface, each from 0 for a convex quadratic to 1.

    `roughness` is what the quadratic function that fits the surface best, by least squares, leaves over: the residual's
    standard deviation over the surface's. A loss above that of the uniform guess, ln(classes), counts as that: there it
    tells only how large the wrong logits are, up to 10^12 in deep plain nets, and a few corners would decide.

    `negative` is the share of the inner points where the surface curves downwards in some direction of the plane: where
    the matrix of its second differences has a negative eigenvalue, beyond NOISE times the loss there.
    """

    roughness: float
    negative: float


def rough(surface: Surface, classes: int) -> Roughness:
    """The roughness of a computed surface of a net for so many classes.

    Raises ValueError for a line, fewer than 3 x 3 points, or if points are missing.
    """
    loss = np.minimum(np.array(surface.loss), 1e38)  # infinities too have differences then
    if min(loss.shape) < 3 or surface.done < surface.total:
        raise ValueError(
            f"the surface of {surface.name} has {surface.done} of {'x'.join(map(str, loss.shape))} points; it takes "
            "a whole one of 3x3 at least to tell how rough it is"
        )
    return Roughness(_residual(surface, np.minimum(loss, math.log(classes))), _negative(loss))


def _residual(surface: Surface, loss: np.ndarray) -> float:
    x, y = (axis.ravel() for axis in np.meshgrid(surface.x, surface.y))
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1)
    z = loss.ravel()
    fitted = terms @ np.linalg.lstsq(terms, z, rcond=None)[0]
    return float((z - fitted).std() / z.std()) if z.std() > 0 else 0.0


def _negative(loss: np.ndarray) -> float:
    middle = loss[1:-1, 1:-1]
    xx = loss[1:-1, 2:] - 2 * middle + loss[1:-1, :-2]
    yy = loss[2:, 1:-1] - 2 * middle + loss[:-2, 1:-1]
    xy = (loss[2:, 2:] - loss[2:, :-2] - loss[:-2, 2:] + loss[:-2, :-2]) / 4
    smallest = (xx + yy) / 2 - np.hypot((xx - yy) / 2, xy)
    return float((smallest < -NOISE * middle).mean())


def settings(at: str | int = TRAINED) -> dict[str, Any]:
    """Under which a result is kept."""
    return STANDARD if at == TRAINED else STANDARD | dict(at=at)


def measured(
    run: Run, at: str | int = TRAINED, data: str | Path | None = None, device: str | torch.device | None = None
) -> Roughness:
    """The roughness around a run that is done, as trained or `at` another time, with the STANDARD settings, the mean
    over their planes; from its folder if it was measured before. Raises ValueError for a run that is not done.
    """
    from .computing import surface  # here, with what evaluates nets

    def measure() -> dict[str, float]:
        fields = dict(STANDARD)
        planes = [Plan(**fields, seed=seed, at=at) for seed in fields.pop("seeds")]
        found = [rough(surface(run, plan, data, device), run.config.facts.classes) for plan in planes]
        return asdict(Roughness(mean(each.roughness for each in found), mean(each.negative for each in found)))

    return Roughness(**kept(run, "roughness", settings(at), measure))

"""The error axis of the curves: where it begins and ends, smoothing, and names that keep apart."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .nets import Net

TOPS = (2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100)  # upper ends of the error axis
SCALES = ("linear", "log")
LOG_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Scale:
    """The error axis: linear from 0 to `top` percent, or logarithmic from `bottom` to `top`."""

    kind: str
    bottom: float
    top: float

    @classmethod
    def of(cls, nets: list[Net], kind: str) -> "Scale":
        return cls(kind, _bottom(nets), _top(nets))

    @property
    def axis(self) -> dict[str, Any]:
        if self.kind == "linear":
            return dict(range=[0, self.top])
        ticks = [tick for tick in LOG_TICKS if self.bottom <= tick <= self.top]
        return dict(type="log", range=[math.log10(self.bottom), math.log10(self.top)], tickvals=ticks, ticktext=ticks)

    def share(self, error: float) -> float:
        """How far up the axis an error lies, 0 to 1."""
        if self.kind == "linear":
            return error / self.top
        return math.log(max(error, self.bottom) / self.bottom) / math.log(self.top / self.bottom)

    def value(self, share: float) -> float:
        """The error that lies this far up."""
        return share * self.top if self.kind == "linear" else self.bottom * (self.top / self.bottom) ** share


def _top(nets: list[Net]) -> float:
    """The error axis' upper end: some room above the last quarter of the curves, where the answer is.

    The paper's runs get the 20 % at which its figure 6 is cut. Medians, so that a spike does not squeeze the rest.
    """
    late = []
    for net in nets:
        for seed in net.seeds:
            quarter = slice(-max(1, len(seed.iterations) // 4), None)
            late += [np.median(seed.columns[name][quarter]) for name in ("train_error", "test_error")]
    return next((top for top in TOPS if top >= 1.5 * max(late)), 100)


def _bottom(nets: list[Net]) -> float:
    """Where a logarithmic error axis begins: below the smallest error that is not 0."""
    errors = [
        s.columns[name][s.columns[name] > 0] for n in nets for s in n.seeds for name in ("train_error", "test_error")
    ]
    lowest = min((values.min() for values in errors if len(values)), default=1.0)
    return max(0.01, 10 ** (math.floor(5 * math.log10(0.9 * lowest)) / 5))


def smoothed(values: np.ndarray, smoothing: float) -> np.ndarray:
    """An exponential moving average [log points] that starts at the first value; the latest counts 1 - smoothing."""
    weights = smoothing ** np.arange(len(values))
    sums = np.convolve(values, weights)[: len(values)]
    return sums / np.cumsum(weights)


def apart(heights: list[float], gap: float, top: float) -> list[float]:
    """The heights moved as little as it takes to be `gap` apart and within 0 and `top`, in their order."""
    order = np.argsort(heights, kind="stable")
    places = np.array(heights, dtype=float)[order]
    for _ in range(200):
        for i in range(len(places) - 1):
            push = max(0.0, gap - (places[i + 1] - places[i])) / 2
            places[i], places[i + 1] = places[i] - push, places[i + 1] + push
        places = places.clip(gap / 3, top)
    result = np.empty_like(places)
    result[order] = places
    return result.tolist()

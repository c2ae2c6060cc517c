"""The scale that loss surfaces share: the same colour and the same height mean the same loss in all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..probes.surface import Surface
from .axes import SCALES

WHATS = ("loss", "error")
UNITS = dict(loss="loss (nats)", error="error (%)")
# Where a loss is cut unless it is told otherwise. Guessing among ten classes has 2.3; far from the minimum batch norm's
# statistics fit no longer, and a plain net's loss goes into the millions, beside which all else would be flat.
TOPS = dict(linear=10.0, log=100.0)
FLOOR = dict(loss=1e-3, error=0.1)  # what is lower is drawn here where the scale is logarithmic

# Matplotlib's viridis: even steps in lightness to colour-blind eyes too, and one way through the hues.
COLOURS = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725")
CUT = "#d9dce1"  # grey, which the scale has nowhere: what is cut
BAND = 0.05  # of the colour axis, at its upper end, that says so


@dataclass(frozen=True)
class Heights:
    """What is drawn of several surfaces: their `what`, linear or logarithmic, from `low` to `high`.

    Values above `high` are cut, if there are such; `share` says how many, 0..1.
    """

    what: str
    scale: str
    low: float
    high: float
    share: float

    @classmethod
    def of(
        cls, surfaces: Sequence[Surface], what: str = "loss", scale: str = "log", top: float | None = None
    ) -> "Heights":
        """The scale of all that is computed of these surfaces. Raises ValueError for an unknown `what` or `scale`, and
        for a `top` that is not above 0.
        """
        for name, value, allowed in (("what", what, WHATS), ("scale", scale, SCALES)):
            if value not in allowed:
                raise ValueError(f"{name}={value!r} is not possible; allowed: {', '.join(allowed)}")
        if top is not None and not top > 0:
            raise ValueError(f"top={top!r} is not possible; allowed: a number above 0, or None")
        known = np.concatenate([grid[~np.isnan(grid)] for grid in (values(s, what) for s in surfaces)])
        if not len(known):
            known = np.ones(1)
        floor = FLOOR[what] if scale == "log" else 0.0
        top = top or (TOPS[scale] if what == "loss" else 100.0)
        high = max(min(known.max(), top), 2 * floor)
        low = 0.0 if scale == "linear" else min(max(known.min(), floor), high / 2)
        return cls(what, scale, float(low), float(high), float((known > high).mean()))

    def place(self, value: Any) -> np.ndarray:
        """How high values are drawn: themselves, or their decimal logarithm; what is cut lies just above the end."""
        value = np.asarray(value, dtype=float)
        if self.scale == "log":
            value = np.log10(np.maximum(value, self.low))
        low, high = self.ends
        return np.minimum(value, high + BAND / 2 * (high - low))

    @property
    def ends(self) -> tuple[float, float]:
        """The places of `low` and `high`."""
        return (math.log10(self.low), math.log10(self.high)) if self.scale == "log" else (self.low, self.high)

    @property
    def room(self) -> tuple[float, float]:
        """The ends of an axis that holds all places: a little more where something is cut."""
        low, high = self.ends
        return low, high + (BAND * (high - low) if self.share else 0)

    @property
    def ticks(self) -> dict[str, Any]:
        """tickvals and ticktext of an axis."""
        if self.scale == "linear":
            step = _nice((self.high - self.low) / 5)
            marks = [step * i for i in range(int(self.high / step + 1e-9) + 1)]
        else:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1,) if self.high / self.low > 3e3 else (1, 3) if self.high / self.low > 30 else (1, 2, 5)
            marks = [m * 10.0**p for p in powers for m in steps]
            marks = [mark for mark in marks if 0.999 * self.low <= mark <= 1.001 * self.high]
        texts = [f"{mark:,.10g}" for mark in marks]
        places = self.place(marks).tolist()
        if self.share:  # in the place of the mark at the end, which is too near
            kept = [i for i, mark in enumerate(marks) if mark < 0.999 * self.high]
            texts = [*(texts[i] for i in kept), f"> {self.high:,.4g}"]
            places = [*(places[i] for i in kept), self.room[1]]
        return dict(tickvals=places, ticktext=texts)

    @property
    def level(self) -> float:
        """The distance between two contour lines, in places."""
        low, high = self.ends
        return _nice((high - low) / 20)

    @property
    def colours(self) -> list[tuple[float, str]]:
        """The colour scale over `room`: grey where something is cut."""
        end = 1 / (1 + BAND) if self.share else 1.0
        scale = [(end * i / (len(COLOURS) - 1), colour) for i, colour in enumerate(COLOURS)]
        return [*scale, (end, CUT), (1.0, CUT)] if self.share else scale

    @property
    def told(self) -> str:
        """What a title says of the scale."""
        share = f"{100 * self.share:.0f}" if self.share >= 0.01 else "less than 1"
        cut = f", cut above {self.high:,.4g} (grey: {share} % of the points)" if self.share else ""
        return f"{'logarithmic' if self.scale == 'log' else 'linear'} scale{cut}"


def values(surface: Surface, what: str) -> np.ndarray:
    """Loss or error [y, x], NaN where it is not computed yet."""
    return np.array(getattr(surface, what), dtype=float)


def pictures(surface: Surface) -> str:
    """What the loss is the mean over."""
    return f"{surface.images:,} {dict(train='training').get(surface.split, surface.split)} pictures"


def number(value: float) -> str:
    """Three digits, with a power of ten only where it saves zeros: 0.0586, 5,710, 4.69 × 10^7 (as HTML)."""
    if not 1e-3 <= abs(value) < 1e5 and 0 < abs(value) < math.inf:
        power = math.floor(math.log10(abs(value)))
        return f"{value / 10**power:.3g}×10<sup>{power}</sup>".replace("-", "−")
    return f"{float(f'{value:.3g}'):,.10g}".replace("-", "−") if math.isfinite(value) else "∞"


def _nice(step: float) -> float:
    """The next of 1, 2 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(step))
    return next(nice * power for nice in (1, 2, 5, 10) if nice * power >= step * (1 - 1e-9))

"""What timing a net gave, and what follows from it: mean and spread, images a second, the ratio to torchvision's."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isnan
from typing import Any, NamedTuple

AXES = ("depth", "batch", "multiply_adds")  # what times are drawn against
LEVEL = 0.95  # of the intervals of ratios


@dataclass(frozen=True)
class Timing:
    """How long one net took for batches of one size, in one mode: "forward" or "forward + backward"."""

    net: str
    twin: str | None  # the name of torchvision's same net
    mode: str
    batch: int  # images
    size: int  # pixels a side
    precision: str
    channels_last: bool
    depth: int  # convolutions and linear layers on the main path
    parameters: int
    multiply_adds: int  # of one image, forward
    seconds: tuple[float, ...]  # of each batch, round by round; at least two

    @property
    def n(self) -> int:
        return len(self.seconds)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.seconds)

    @property
    def std(self) -> float:
        """Of single batches, not of their mean."""
        return statistics.stdev(self.seconds)

    @property
    def images_per_second(self) -> float:
        return self.batch / self.mean


class Ratio(NamedTuple):
    """The median of ratios and the ends of its interval, which are None where there are too few ratios for one."""

    median: float
    low: float | None
    high: float | None


def ratio_to_twin(timing: Timing, timings: Sequence[Timing]) -> Ratio | None:
    """The time of a batch over that of torchvision's same net in the same round: below 1 is faster than torchvision.

    The median over the rounds, with the 95 % interval that makes no assumption on how times are distributed (order
    statistics, by scipy). None if its twin is not among the `timings`.
    """
    from scipy.stats import quantile_test  # here: it takes a second to load

    theirs = [t for t in timings if (t.net, t.mode, t.batch) == (timing.twin, timing.mode, timing.batch)]
    if not theirs:
        return None
    ratios = [a / b for a, b in zip(timing.seconds, theirs[0].seconds, strict=True)]
    ends = quantile_test(ratios, p=0.5).confidence_interval(LEVEL)
    low, high = (None, None) if any(map(isnan, ends)) else map(float, ends)
    return Ratio(statistics.median(ratios), low, high)


def timing_row(timing: Timing, timings: Sequence[Timing]) -> dict[str, Any]:
    """One line of a result: the Timing's fields, n, mean, std, images_per_second, and ratio, ratio_low and ratio_high
    to its twin among the `timings`, None where they are not known. Seconds, and pixels as asked for.
    """
    ratio = ratio_to_twin(timing, timings) or Ratio(None, None, None)
    row = asdict(timing) | {name: getattr(timing, name) for name in ("n", "mean", "std", "images_per_second")}
    rounded = [round(seconds, 7) for seconds in timing.seconds]
    return row | dict(seconds=rounded, ratio=ratio.median, ratio_low=ratio.low, ratio_high=ratio.high)


def timing_of(row: Mapping[str, Any]) -> Timing:
    """The Timing that a line of a result was made from."""
    values = {field.name: row[field.name] for field in fields(Timing)}
    return Timing(**values | dict(seconds=tuple(row["seconds"])))

"""From measurements to the numbers that are reported: medians, ratios within a round, shares of the machine's limit."""

from collections.abc import Mapping, Sequence
from typing import Any

from .clock import spread
from .work import Work

Samples = Mapping[str, Sequence[float]]  # contestant -> images a second in each round


def make_row(
    depth: int, precision: str, samples: Samples, work: Work, limit: tuple[float, str], batch: int
) -> dict[str, Any]:
    """One line of the table: how `precision` ("fp32" or "bf16") did among the `samples` of this depth.

    They hold `precision`, "eager" (reslab's own eager float32 step) and perhaps "baseline". Ratios are those of the
    same round, then the median: what slowed both down is in neither. Names in _low and _high hold the least and the
    most over the rounds. `limit` is (seconds that the step's work takes at the machine's rates, which rate sets them);
    `share_of_limit` is those seconds over the median step's.
    """
    mine, theirs = samples[precision], samples.get("baseline")
    seconds, bound = limit
    step = spread([batch / speed for speed in mine]).median
    return dict(
        depth=depth,
        precision=precision,
        **_named("images_per_second", mine),
        milliseconds=1000 * step,
        **_named("baseline_images_per_second", theirs),
        **_named("ratio", theirs and _ratios(mine, theirs)),
        **_named("eager_images_per_second", samples["eager"]),
        **_named("over_eager", _ratios(mine, samples["eager"])),
        share_of_limit=seconds / step,
        limit_images_per_second=batch / seconds,
        bound=bound,
        gflop=work.flops / 1e9,
        megabytes=work.bytes / 1e6,
    )


def _ratios(mine: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(mine, theirs, strict=True)]


def _named(name: str, values: Sequence[float] | None) -> dict[str, float | None]:
    middle, low, high = spread(values) if values else (None, None, None)
    return {name: middle, f"{name}_low": low, f"{name}_high": high}

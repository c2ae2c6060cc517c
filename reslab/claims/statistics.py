"""Means over seeds and differences of two, with Student's and Welch's intervals, and the correction for several."""

from collections.abc import Sequence
from math import hypot, sqrt
from statistics import fmean, variance

MOST = 100  # seeds of a net, beyond which nobody will go


def difference(first: Sequence[float], second: Sequence[float]) -> float:
    """Mean of the second less mean of the first."""
    return fmean(second) - fmean(first)


def welch(first: Sequence[float], second: Sequence[float], level: float) -> tuple[float, float] | None:
    """Welch's interval of `difference(first, second)`, which does not take the two spreads for equal.

    Unpaired also where both nets have the same seeds: a seed means the same images in the same order, but the nets
    differ, so it is no common cause that pairing could take out; and with few seeds pairing costs half of the degrees
    of freedom. None where the spread is unknown: with one value in an arm, or where all values of both are the same
    (`statistics.variance` is exact, so that equal values have no variance).

    The degrees of freedom are Welch and Satterthwaite's, but at most those of two arms as small as the smaller one.
    With as many seeds in each arm, as studies have, that is scipy's `ttest_ind(equal_var=False)`. With 2 seeds against
    10 theirs may be ten where the spread of the two seeds decides: at the levels that a correction asks for, far too
    many such intervals miss the truth (tests/test_claims_simulation.py).
    """
    sizes = len(first), len(second)
    if min(sizes) < 2:
        return None
    parts = variance(first) / sizes[0], variance(second) / sizes[1]
    if not sum(parts):
        return None
    freedom = sum(parts) ** 2 / sum(part**2 / (n - 1) for part, n in zip(parts, sizes, strict=True))
    freedom = min(freedom, 2 * (min(sizes) - 1))
    half = _quantile(level, freedom) * sqrt(sum(parts))
    return difference(first, second) - half, difference(first, second) + half


def student(values: Sequence[float], level: float) -> tuple[float, float] | None:
    """Student's interval of the mean; None where the spread is unknown, as with `welch`."""
    n = len(values)
    spread = variance(values) if n > 1 else 0
    if not spread:
        return None
    half = _quantile(level, n - 1) * sqrt(spread / n)
    return fmean(values) - half, fmean(values) + half


def _quantile(level: float, freedom: float) -> float:
    """Of Student's t: the share `level` of it lies within ± this."""
    from scipy.special import stdtrit  # who only lists claims does not wait for it

    return float(stdtrit(freedom, (1 + level) / 2))


def simultaneous(level: float, tests: int) -> float:
    """The level of each of `tests` intervals at which all hold at once with `level` or more (Bonferroni)."""
    return 1 - (1 - level) / max(tests, 1)


def seeds_needed(nets: Sequence[Sequence[float]], level: float, distance: float) -> int | None:
    """Seeds of each of these nets, two or one, that bring half the interval's width below `distance`, if the spreads
    stay as they are.

    None if it takes more than MOST.
    """
    spreads = [variance(values) for values in nets]
    share = sum(spreads) ** 2 / sum(spread**2 for spread in spreads)
    for n in range(2, MOST + 1):
        if _quantile(level, share * (n - 1)) * hypot(*map(sqrt, spreads)) / sqrt(n) < distance:
            return n
    return None

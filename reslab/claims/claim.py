"""What a claim is: a statement, where it is made, and the nets whose numbers bear it out or not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .measures import MEASURES
from .reading import all_hold

if TYPE_CHECKING:  # a list of claims is read without torch
    from ..training.config import RunConfig
    from .reading import Outcome
    from .verdict import Finding

# From the depths at which each arm has runs, the depth of each arm in the comparison; None if there is none.
DepthRule = Callable[[Sequence[set[int]]], tuple[int, ...] | None]


@dataclass(frozen=True)
class Arm:
    """The nets of one side of a comparison. What is not named here is the same on all sides: see reslab.claims.arms."""

    shortcut: str = "A"
    depth: int = 110  # in the paper: what to train where nothing is
    activation_order: str = "original"
    gate_bias: float | None = None  # of gates; None where there are none
    precision: str | None = None  # None: that of the setting
    target: str | None = None  # of a denoiser; None elsewhere
    norm: str = "batch"  # what the papers say is of nets with batch norm

    @property
    def fields(self) -> dict[str, object]:
        """The RunConfig fields that it names, without the depth."""
        named = dict(shortcut=self.shortcut, activation_order=self.activation_order, gate_bias=self.gate_bias)
        named |= dict(norm=self.norm)
        others = dict(precision=self.precision, target=self.target)
        return named | {name: value for name, value in others.items() if value}

    def matches(self, config: "RunConfig") -> bool:
        return all(getattr(config, name) == value for name, value in self.fields.items())


@dataclass(frozen=True)
class Part:
    """One comparison of two arms, or of one with a number. The effect is the second one's mean less the first one's, or
    less the number, in the unit of the measure's differences.
    """

    measure: str  # a name in reslab.claims.measures.MEASURES
    expected: str  # of the second arm against the first: "higher", "lower", "same" or "not lower"
    first: int = 0  # index of an arm
    second: int = 1
    against: float | None = None  # the number, in the measure's unit; the first arm is then none of it

    @property
    def arms(self) -> tuple[int, ...]:
        """The indices of those that it looks at."""
        return (self.first, self.second) if self.against is None else (self.second,)


def deepest(depths: Sequence[set[int]]) -> tuple[int, ...] | None:
    """One depth for all arms: the deepest that all have, because there the nets differ most."""
    common = set.intersection(*depths)
    return (max(common),) * len(depths) if common else None


def shallowest(depths: Sequence[set[int]]) -> tuple[int, ...] | None:
    """One depth for all arms: the shallowest that all have."""
    common = set.intersection(*depths)
    return (min(common),) * len(depths) if common else None


def deepest_from(least: int) -> DepthRule:
    """One depth for all arms, `least` or more."""
    return lambda depths: deepest([{depth for depth in some if depth >= least} for some in depths])


def deepest_to(most: int) -> DepthRule:
    """One depth for all arms, `most` or less."""
    return lambda depths: deepest([{depth for depth in some if depth <= most} for some in depths])


def shallow_and_deep(most: int) -> DepthRule:
    """For two arms of one kind: the shallowest net, and the deepest of at most `most` layers."""

    def rule(depths: Sequence[set[int]]) -> tuple[int, ...] | None:
        if len(depths) < 2 or not all(depths):
            return None
        low, high = min(depths[0]), max((depth for depth in depths[1] if depth <= most), default=0)
        return (low, high) if high > low else None

    return rule


@dataclass(frozen=True)
class Claim:
    """`parts` must all hold, unless `reading` says otherwise; a claim without parts is counted on the nets themselves.

    With `some`, not every arm after the first must have runs: those that have are all compared with it.
    """

    name: str
    statement: str
    source: str
    arms: tuple[Arm, ...] = ()
    parts: tuple[Part, ...] = ()
    depths: DepthRule = deepest
    reading: "Callable[[Sequence[Finding]], Outcome]" = all_hold
    some: bool = False
    margin: float = 0.5  # in the measure's unit: within it "same" is the same, and "not lower" not lower
    note: str = ""
    task: str = "classification"  # whose runs alone are put to it

    @property
    def exact(self) -> bool:
        return not self.parts

    @property
    def probes(self) -> tuple[str, ...]:
        """Those whose results it reads, which a run must have to count."""
        read = (MEASURES[part.measure].probe for part in self.parts)
        return tuple(dict.fromkeys(probe for probe in read if probe))

    @property
    def contrasts(self) -> tuple[str, ...]:
        """What its arms may differ in besides what every claim's may: see reslab.claims.arms.NET."""
        return tuple(name for name in ("precision", "target") if any(getattr(arm, name) for arm in self.arms))

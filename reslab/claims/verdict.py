"""What comes out: a verdict, the differences that it rests on, and the numbers of each net."""

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .claim import Claim
from .reading import AGAINST, FOR
from .units import PERCENT, Unit

if TYPE_CHECKING:
    from ..runs import Run
    from ..training.config import RunConfig


@dataclass(frozen=True)
class Number:
    """What we got for one net: the mean over n seeds, their standard deviation (None for n = 1), or an exact count.

    A mean has a unit, percent unless said; an exact count has none.
    """

    net: str
    measure: str  # such as "test error" or "parameters"
    mean: float | int
    std: float | None = None
    n: int | None = None  # None: exact
    published: str = ""  # what others got, for runs of the `paper` profile on CIFAR-10 alone
    unit: Unit = PERCENT

    def __str__(self) -> str:
        if self.n is None:
            return f"{self.net}: " + (f"{self.mean:,}" if isinstance(self.mean, int) else f"{self.mean:.2f}")
        return f"{self.net}: {self.unit.value(self.mean, self.std)} (n = {self.n})"


@dataclass(frozen=True)
class Finding:
    """One difference: the second net's mean less the first one's, or less the number that `first` says."""

    first: str
    second: str
    measure: str
    expected: str  # "higher", "lower", "same" or "not lower": the second against the first
    effect: float
    interval: tuple[float, float] | None  # simultaneous with those of all other findings of one `evaluate`
    n: tuple[int, ...]  # seeds of both nets, or of the one
    verdict: str
    direction: str | None = None
    margin: float | None = None  # of "same" and "not lower" alone
    unit: Unit = PERCENT  # of the measure; effect, interval and margin are in that of its differences

    @property
    def what(self) -> str:
        return f"{self.second} − {self.first}, {self.measure}"

    def __str__(self) -> str:
        return self._said("" if self.unit.axis == PERCENT.axis else self.unit.difference)

    @property
    def with_unit(self) -> str:
        """Effect and interval where differences of several units stand together: percentage points are said too."""
        return self._said(self.unit.difference)

    def _said(self, unit: str) -> str:
        effect = self.unit.change(self.effect)
        if self.interval:
            return f"{effect} {self.unit.range(self.interval)} {unit}".rstrip()
        return f"{effect} {unit}, no interval" if unit else f"{effect} no interval"


@dataclass(frozen=True, repr=False)
class Verdict:
    """What the runs of one setting say of a claim.

    `effect`, `interval` and `n` are those of the finding that decides: the worst of several. `n` is "exact" for what is
    counted on the nets, () where there is nothing to compare.
    """

    claim: Claim
    verdict: str  # "supported", "contradicted", "undecided" or "indicative"
    direction: str | None = None  # of "indicative": "for" or "against"
    effect: float | None = None  # the second net less the first: see findings
    interval: tuple[float, float] | None = None
    n: tuple[int, ...] | str = ()
    setting: str = ""  # such as "CIFAR-10, short, 2,000 iterations"
    numbers: tuple[Number, ...] = ()
    missing: str = ""  # what it would take to say more
    to_probe: "tuple[Run, ...]" = ()  # runs that are done, whose nets would have to be looked into
    to_run: "tuple[RunConfig, ...]" = ()  # runs that would
    runs: "tuple[Run, ...]" = ()  # that it rests on
    findings: tuple[Finding, ...] = ()
    tests: int = 0  # differences with an interval in one `evaluate`, for which every interval is corrected
    level: float = 0.95  # at which all of them hold at once
    unit: Unit = PERCENT  # of what `effect` and `interval` are differences of

    def __repr__(self) -> str:
        return f"Verdict({self.claim.name}: " + ", ".join(filter(None, [self.words, self.setting])) + ")"

    @property
    def words(self) -> str:
        """The verdict as it is shown: "supported", "indicative for", "indicative against" ..."""
        return f"{self.verdict} {self.direction}" if self.direction in (FOR, AGAINST) else self.verdict

    @property
    def published(self) -> tuple[str, ...]:
        """What others got for each of `numbers`, "" where nothing comparable is known."""
        return tuple(number.published for number in self.numbers)

    @property
    def held(self) -> str:
        """The interval of the finding that decides, in its unit; "" where there is none."""
        return f"{self.unit.range(self.interval)} {self.unit.difference}".rstrip() if self.interval else ""

    @property
    def commands(self) -> list[str]:
        """Command lines that probe `to_probe` and train `to_run`."""
        return [*self.probe_commands, *self.train_commands]

    @property
    def probe_commands(self) -> list[str]:
        """The one that probes `to_probe`, if there is anything to."""
        names = ",".join(self.claim.probes)
        return [shlex.join(["reslab", "probe", names, *(run.id for run in self.to_probe)])] if self.to_probe else []

    @property
    def train_commands(self) -> list[str]:
        """Command lines that train `to_run`."""
        from ..batch.sharing import as_command

        return [as_command(config) for config in self.to_run]

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready; a run by its id, a run that is wanted by the fewest fields that give its config.

        What is in percent, or for differences in percentage points of one, names no `unit`; all else does.
        """
        from ..batch.sharing import settings

        claim = {name: getattr(self.claim, name) for name in ("name", "statement", "source", "note")}
        names = ("verdict", "direction", "effect", "interval", "n", "setting", "missing", "tests", "level")
        values = {name: getattr(self, name) for name in names}
        values |= dict(
            numbers=[_facts(number, number.unit.number) for number in self.numbers],
            findings=[_facts(finding, finding.unit.difference) for finding in self.findings],
            to_run=[settings(config) for config in self.to_run],
            runs=[run.id for run in self.runs],
        )
        if self.claim.probes:
            values |= dict(unit=self.unit.difference, to_probe=[run.id for run in self.to_probe])
        elif self.unit is not PERCENT:
            values |= dict(unit=self.unit.difference)
        return {key: _plain(value) for key, value in (claim | values).items()}


def _facts(one: Number | Finding, unit: str) -> dict[str, Any]:
    values = {name: value for name, value in vars(one).items() if name != "unit"}
    return values if one.unit is PERCENT else values | dict(unit=unit)


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

"""What comes out: a verdict, the differences that it rests on, and the numbers of each net."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .claim import Claim
from .reading import AGAINST, FOR

if TYPE_CHECKING:
    from ..runs import Run
    from ..training.config import RunConfig


@dataclass(frozen=True)
class Number:
    """What we got for one net: the mean over n seeds, their standard deviation (None for n = 1), or an exact count."""

    net: str
    measure: str  # such as "test error" or "parameters"
    mean: float | int
    std: float | None = None
    n: int | None = None  # None: exact
    published: str = ""  # what others got, for runs of the `paper` profile on CIFAR-10 alone

    def __str__(self) -> str:
        if self.n is None:
            return f"{self.net}: " + (f"{self.mean:,}" if isinstance(self.mean, int) else f"{self.mean:.2f}")
        spread = f" ± {self.std:.2f}" if self.std is not None else ""
        return f"{self.net}: {self.mean:.2f}{spread} % (n = {self.n})"


@dataclass(frozen=True)
class Finding:
    """One difference: the second net's mean less the first one's, in percentage points."""

    first: str
    second: str
    measure: str
    expected: str  # "higher", "lower" or "same": the second against the first
    effect: float
    interval: tuple[float, float] | None  # simultaneous with those of all other findings of one `evaluate`
    n: tuple[int, int]
    verdict: str
    direction: str | None = None
    margin: float | None = None  # percentage points; of "same" alone

    @property
    def what(self) -> str:
        return f"{self.second} − {self.first}, {self.measure}"

    def __str__(self) -> str:
        held = "[{:+.2f}, {:+.2f}]".format(*self.interval) if self.interval else "no interval"
        return f"{self.effect:+.2f} {held}".replace("-", "−")


@dataclass(frozen=True, repr=False)
class Verdict:
    """What the runs of one setting say of a claim.

    `effect`, `interval` and `n` are those of the finding that decides: the worst of several. `n` is "exact" for what is
    counted on the nets, () where there is nothing to compare.
    """

    claim: Claim
    verdict: str  # "supported", "contradicted", "undecided" or "indicative"
    direction: str | None = None  # of "indicative": "for" or "against"
    effect: float | None = None  # percentage points, the second net less the first: see findings
    interval: tuple[float, float] | None = None
    n: tuple[int, ...] | str = ()
    setting: str = ""  # such as "CIFAR-10, short, 2,000 iterations"
    numbers: tuple[Number, ...] = ()
    missing: str = ""  # what it would take to say more
    to_run: "tuple[RunConfig, ...]" = ()  # runs that would
    runs: "tuple[Run, ...]" = ()  # that it rests on
    findings: tuple[Finding, ...] = ()
    tests: int = 0  # differences with an interval in one `evaluate`, for which every interval is corrected
    level: float = 0.95  # at which all of them hold at once

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
    def commands(self) -> list[str]:
        """Command lines that train `to_run`."""
        from ..batch.sharing import as_command

        return [as_command(config) for config in self.to_run]

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready; a run by its id, a run that is wanted by the fewest fields that give its config."""
        from ..batch.sharing import settings

        claim = {name: getattr(self.claim, name) for name in ("name", "statement", "source", "note")}
        names = ("verdict", "direction", "effect", "interval", "n", "setting", "missing", "tests", "level")
        values = {name: getattr(self, name) for name in names}
        values |= dict(
            numbers=[vars(number) for number in self.numbers],
            findings=[vars(finding) for finding in self.findings],
            to_run=[settings(config) for config in self.to_run],
            runs=[run.id for run in self.runs],
        )
        return {key: _plain(value) for key, value in (claim | values).items()}


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

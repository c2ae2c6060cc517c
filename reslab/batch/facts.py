"""What a study's page and its summary tell besides figures: read from the run folders once, and put in order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..claims import Ledger
from ..figures.table import SummaryTable, summary_table
from ..runs import Run
from .spec import Experiment

UNTOLD = ("plugins",)  # fields of a config with paths in them: the run's id tells them apart
SITTING = ("started", "resumed")  # what provenance has anew for each sitting


@dataclass(frozen=True)
class StudyFacts:
    """A study that has run, or as much of it as has. `runs` are all that it has, begun or not."""

    experiment: Experiment
    profile: str
    runs: Sequence[Run]
    ledger: Ledger
    commands: Sequence[tuple[str, str]]  # that go on from here, each with what it does
    failures: Sequence[tuple[str, str]] = ()  # run, and in a sentence what happened to it

    @cached_property
    def table(self) -> SummaryTable:
        return summary_table(self.runs)

    @cached_property
    def told(self) -> "list[RunFacts]":
        return [RunFacts.of(run) for run in self.runs]

    @property
    def begun(self) -> "list[RunFacts]":
        return [run for run in self.told if run.config]

    @property
    def done(self) -> int:
        return sum(run.state == "done" for run in self.told)

    @property
    def commits(self) -> list[str]:
        """Git commits of all sittings; "" is code outside of git. A "+" behind one: with changes that are not in it."""
        sittings = [sitting for run in self.told for sitting in run.sittings]
        found = [f"{s.get('git_commit') or ''}{'+' * bool(s.get('git_dirty'))}" for s in sittings]
        return sorted(set(found))

    @property
    def seconds(self) -> float:
        """Of training, over all runs."""
        return sum(run.final.get("seconds", 0.0) for run in self.told)


@dataclass(frozen=True)
class RunFacts:
    """One run as its folder has it, read once. What is not there yet is empty."""

    id: str
    state: str
    config: dict[str, Any]  # without paths; {} before the run's first sitting
    provenance: dict[str, Any]  # of the first sitting, data fingerprints as fields of their own
    sittings: list[dict[str, Any]]  # provenance of each, in order
    final: dict[str, Any]  # the last log point

    @classmethod
    def of(cls, run: Run) -> "RunFacts":
        first = run.provenance
        resumed = first.get("resumed", [])
        rows = run.metrics
        sittings = [{**first, **later} for later in [{}, *resumed]] if first else []
        state = run.state
        config = {} if state == "new" else _config(run)
        return cls(run.id, state, config, _flat(first), sittings, rows[-1] if rows else {})

    @property
    def resumed(self) -> str:
        """What later sittings had different, such as "2nd: threads 2"; "" for a run in one sitting."""
        told = []
        for number, (before, now) in enumerate(zip(self.sittings, self.sittings[1:], strict=False), 2):
            changed = {n: v for n, v in _flat(now).items() if _flat(before).get(n) != v}
            told.append(f"{number}: {', '.join(f'{n} {v}' for n, v in changed.items()) or 'the same'}")
        return "; ".join(told)


def _config(run: Run) -> dict[str, Any]:
    values = run.config.for_any_seed.to_dict() | dict(seed=run.config.seed)
    return {name: value for name, value in values.items() if name not in UNTOLD}


def _flat(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Without the times of sittings, and with each part of the data's fingerprint as a value of its own."""
    flat = {n: v for n, v in provenance.items() if n not in (*SITTING, "dataset_fingerprint", "precision")}
    flat |= {"computed in": provenance["precision"]} if "precision" in provenance else {}
    prints = provenance.get("dataset_fingerprint", {})
    return flat | {f"{part} data": str(value) for part, value in prints.items()}


def divided(values: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What all mappings have in common, and what each has of its own, with the same names in the same order."""
    values = list(values)
    names = list(dict.fromkeys(name for each in values for name in each))
    same = [name for name in names if all(name in each and each[name] == values[0][name] for each in values)]
    own = [name for name in names if name not in same]
    return {name: values[0][name] for name in same}, [{name: each.get(name, "") for name in own} for each in values]

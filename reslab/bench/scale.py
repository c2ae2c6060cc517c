"""What grows with the number of runs: listing stores of ten to ten thousand, planning and orchestrating up to one."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from . import batches
from .children import python_takes
from .clock import spread
from .folders import write_runs
from .machine import describe, source
from .rounds import interleaved

COUNTS = (10, 100, 1_000, 10_000)
BATCHES = (10, 100, 1_000)  # runs of a study
FEW = 2  # rounds of what takes minutes
LIMIT = 1.0  # seconds that listing ten thousand runs may take
PLANNING, DRY_RUN, ORCHESTRATION = "planning", "reslab reproduce --dry-run", "orchestration, each run"
LIMITS = {PLANNING: 2.0, DRY_RUN: 2.0, ORCHESTRATION: 0.05}  # seconds, for a thousand runs
COMMANDS = {
    "reslab runs": [],
    "reslab runs --state failed": ["--state", "failed"],
    "reslab runs --depth 56": ["--depth", "56"],
}

Report = Callable[[str], None]


def measure_scale(
    report: Report, counts: Sequence[int] = COUNTS, studies: Sequence[int] = BATCHES, rounds: int = 5
) -> dict[str, Any]:
    """machine, commit, dirty, date, `rows`: what, runs, seconds (median), low, high, limit (None for none); and
    `memory`: runs, megabytes (the most that the process which orchestrates had).

    `counts` are stores, `studies` are studies, of an even number of runs each. The files are in memory when they are
    read; each measurement is a process of its own, from its start to its end but for planning.
    """
    rows = listing(report, counts, rounds)
    more, memory = studying(report, studies, min(rounds, FEW))
    return dict(machine=describe(torch.device("cpu")), **source(), rows=rows + more, memory=memory)


def listing(report: Report, counts: Sequence[int] = COUNTS, rounds: int = 5) -> list[dict[str, Any]]:
    """Rows of `reslab runs`, all and filtered, one for each number of runs."""
    rows = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            report(f"writing {count:,} run folders")
            write_runs(Path(folder), count)
            measures = {what: lambda options=options: _listing(folder, *options) for what, options in COMMANDS.items()}
            for once in measures.values():  # brings the files into memory
                once()
            told = lambda what, index, count=count: report(f"{what}, {count:,} runs, {index + 1} of {rounds}")  # noqa: E731
            seconds = interleaved(measures, rounds, told)
        rows += [row(what, count, seconds[what], LIMIT if count == max(COUNTS) else None) for what in measures]
    return rows


def studying(
    report: Report, counts: Sequence[int] = BATCHES, rounds: int = FEW
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of planning and of orchestrating studies, and the memory of the latter."""
    rows, memory = [], []
    for count in counts:
        seconds, megabytes = _study(report, count, rounds)
        limits = LIMITS if count == max(BATCHES) else {}
        rows += [row(what, count, values, limits.get(what)) for what, values in seconds.items()]
        memory.append(dict(runs=count, megabytes=megabytes))
    return rows, memory


def _study(report: Report, count: int, rounds: int) -> tuple[dict[str, list[float]], float]:
    """Seconds by what was done with a study of `count` runs, and the most megabytes that orchestrating it took."""
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        folder, stores = Path(name), iter(range(rounds))
        study, half, whole = batches.write_study(folder, count), folder / "half", folder / "whole"
        report(f"writing two stores for a study of {count:,} runs")
        batches.write_store(half, study, 0.5)
        batches.write_store(whole, study, 1)

        def orchestration() -> float:
            cost = batches.orchestration(study, folder / str(next(stores)))  # its runs end, so stores of its own
            peaks.append(cost.megabytes)
            return cost.seconds

        measures = {
            PLANNING: lambda: batches.planning(study, half),
            DRY_RUN: lambda: batches.dry_run(study, whole),
            ORCHESTRATION: orchestration,
        }
        told = lambda what, index: report(f"{what}, {count:,} runs, {index + 1} of {rounds}")  # noqa: E731
        return interleaved(measures, rounds, told), max(peaks)


def row(what: str, runs: int, seconds: Sequence[float], limit: float | None = None) -> dict[str, Any]:
    """How long `what` took with so many runs: the middle one of the measurements, least and most."""
    middle, low, high = spread(seconds)
    return dict(what=what, runs=runs, seconds=middle, low=low, high=high, limit=limit)


def _listing(store: str, *options: str) -> float:
    return python_takes("-m", "reslab", "runs", "--store", store, *options)

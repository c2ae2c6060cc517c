"""What grows with the number of runs: seconds of a command over stores of ten to ten thousand runs."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from ..runs import COLUMNS, Run
from ..training.config import RunConfig
from .clock import spread
from .machine import describe, source
from .rounds import interleaved

COUNTS = (10, 100, 1_000, 10_000)
DEPTHS, SHORTCUTS = (20, 32, 44, 56), ("none", "A")
LOG_POINTS = 20
FAILED = 100  # every so many runs one has failed
LIMIT = 1.0  # seconds that listing ten thousand runs may take
COMMANDS = {
    "reslab runs": [],
    "reslab runs --state failed": ["--state", "failed"],
    "reslab runs --depth 56": ["--depth", "56"],
}

Report = Callable[[str], None]


def measure_scale(report: Report, counts: Sequence[int] = COUNTS, rounds: int = 5) -> dict[str, Any]:
    """machine, commit, dirty, date and `rows`: what, runs, seconds (median), low, high, limit (None for none).

    The files are in memory when they are read; each measurement is a process of its own, from its start to its end.
    """
    return dict(machine=describe(torch.device("cpu")), **source(), rows=listing(report, counts, rounds))


def listing(report: Report, counts: Sequence[int] = COUNTS, rounds: int = 5) -> list[dict[str, Any]]:
    """Rows of `reslab runs`, all and filtered, one for each number of runs."""
    rows = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            report(f"writing {count:,} run folders")
            write_runs(Path(folder), count)
            measures = {what: lambda options=options: _seconds(folder, *options) for what, options in COMMANDS.items()}
            for once in measures.values():  # brings the files into memory
                once()
            told = lambda what, index, count=count: report(f"{what}, {count:,} runs, {index + 1} of {rounds}")  # noqa: E731
            seconds = interleaved(measures, rounds, told)
        rows += [row(what, count, seconds[what], LIMIT if count == max(COUNTS) else None) for what in measures]
    return rows


def row(what: str, runs: int, seconds: Sequence[float], limit: float | None = None) -> dict[str, Any]:
    """How long `what` took with so many runs: the middle one of the measurements, least and most."""
    middle, low, high = spread(seconds)
    return dict(what=what, runs=runs, seconds=middle, low=low, high=high, limit=limit)


def write_runs(folder: Path, count: int) -> None:
    """So many folders of runs that are done, but for some that failed: what a store looks like, made quickly."""
    settings = RunConfig(20, profile="short").to_dict()
    points = [dict.fromkeys(COLUMNS, 12.345678901234567 / point) for point in range(1, LOG_POINTS + 1)]
    example = Run(folder / "example")
    example.path.mkdir()
    example.write_metrics([point | dict(iteration=200 * index) for index, point in enumerate(points, 1)])
    metrics = (example.path / "metrics.csv").read_bytes()
    (example.path / "metrics.csv").unlink()
    example.path.rmdir()
    provenance = json.dumps(describe(torch.device("cpu")) | source())
    for index in range(count):
        seed, net = divmod(index, len(DEPTHS) * len(SHORTCUTS))
        depth, shortcut = DEPTHS[net % len(DEPTHS)], SHORTCUTS[net // len(DEPTHS)]
        run = folder / f"cifar10-{'plain' if shortcut == 'none' else 'res'}{depth}-short-s{seed}-{index:08x}"
        run.mkdir()
        state = "failed" if index % FAILED == 0 else "done"
        status = dict(state=state, iteration=4_000, iterations=4_000, host="host", pid=1, process_started=1.0)
        status |= dict(heartbeat=time.time(), failure=None, token=f"{index:032x}")
        config = settings | dict(depth=depth, shortcut=shortcut, seed=seed)
        for name, values in (("config.json", config), ("status.json", status)):
            (run / name).write_text(json.dumps(values, indent=1))
        (run / "provenance.json").write_text(provenance)
        (run / "metrics.csv").write_bytes(metrics)


def _seconds(store: str, *options: str) -> float:
    start = time.perf_counter()
    command = [sys.executable, "-m", "reslab", "runs", "--store", store, *options]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise OSError(f"a process that was to be measured failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return seconds

"""A grid whose loss is known, and processes that compute it and may be killed."""

import json
import multiprocessing
import os
import time
from pathlib import Path

from reslab.files import place
from reslab.probes.surface import worker
from reslab.probes.surface.grid import Grid

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["reslab.probes.surface.worker"])
AXIS = [-1.0, -0.5, 0.0, 0.5, 1.0]
HEADER = dict(net="a bowl", images=1, split="train", words="known", x=AXIS, y=[y / 3 for y in AXIS], path=[])


def bowl(x: float, y: float) -> tuple[float, float]:
    """Loss and error, with digits that a rounded file would lose."""
    return 1 / 3 + 0.1 * x + 2 * x * x + x * y + 3 * y * y, 100 / 7 * abs(x)


def begin(folder: str | Path) -> Grid:
    """The grid, begun."""
    Grid(place(folder)).begin(HEADER)
    return Grid(place(folder))


def start(folder: str | Path, log: Path, seconds: float = 0.0, environment: dict[str, str] | None = None):
    """A process that computes the grid, each point in so many seconds, and writes to `log` which ones."""
    process = CONTEXT.Process(target=_compute, args=(str(folder), log, seconds, environment or {}))
    process.start()
    return process


def _compute(folder: str, log: Path, seconds: float, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    worker.KEEP_EVERY = worker.LOOK_EVERY = worker.LOOK_EVERY_REMOTE = 0.05

    def evaluate(x: float, y: float) -> tuple[float, float]:
        time.sleep(seconds)
        with open(log, "a") as file:
            file.write(json.dumps([os.getpid(), x, y]) + "\n")
        return bowl(x, y)

    worker.compute(begin(folder), evaluate)


def computed(log: Path) -> list[tuple[int, float, float]]:
    """Who computed which points, in order."""
    return [tuple(json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []

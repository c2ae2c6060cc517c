"""Training in processes that a test may kill, forked from a server that has torch imported: each starts in a moment."""

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reslab import Run, RunConfig, RunStore, train

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["reslab.training.loop"])

TIME_COLUMNS = {"seconds", "images_per_second"}


def start(
    config: RunConfig, store: str | Path, environment: dict[str, str] | None = None, **options: Any
) -> multiprocessing.Process:
    process = CONTEXT.Process(target=_train, args=(environment or {}, config, store), kwargs=options)
    process.start()
    return process


def _train(environment: dict[str, str], *arguments: Any, **options: Any) -> None:
    os.environ.update(environment)  # or it would be the one that the server was started in
    train(*arguments, **options)


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.005)


def owned_by(store: str | Path, config: RunConfig, process: multiprocessing.Process) -> Callable[[], bool]:
    run = RunStore(store).run(config)
    return lambda: run.status.get("pid") == process.pid


def result(run: Run) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """What must be the same however often a run was stopped: metrics but for the clock, and the weights' bytes."""
    rows = [{k: v for k, v in row.items() if k not in TIME_COLUMNS} for row in run.metrics]
    return rows, {name: tensor.numpy().tobytes() for name, tensor in run.weights().items()}

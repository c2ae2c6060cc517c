"""Run folders as training leaves them, made quickly, without training."""

import json
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ..runs import COLUMNS, Run
from ..training.config import RunConfig
from .machine import describe, source

DEPTHS, SHORTCUTS = (20, 32, 44, 56), ("none", "A")
LOG_POINTS = 20
FAILED = 100  # every so many runs one has failed


def write_runs(folder: Path, count: int) -> None:
    """So many folders of runs that are done, but for some that failed: what a store looks like."""
    settings = RunConfig(20, profile="short").to_dict()
    for index in range(count):
        seed, net = divmod(index, len(DEPTHS) * len(SHORTCUTS))
        depth, shortcut = DEPTHS[net % len(DEPTHS)], SHORTCUTS[net // len(DEPTHS)]
        run = folder / f"cifar10-{'plain' if shortcut == 'none' else 'res'}{depth}-short-s{seed}-{index:08x}"
        state = "failed" if index % FAILED == 0 else "done"
        write_run(run, settings | dict(depth=depth, shortcut=shortcut, seed=seed), state)


def write_run(folder: Path, config: Mapping[str, Any], state: str) -> None:
    """The folder of one run of this config, at its end, in this state."""
    metrics, provenance = _example()
    folder.mkdir(parents=True)
    for name, values in (("config.json", config), ("status.json", status(config, state))):
        (folder / name).write_text(json.dumps(values, indent=1))
    (folder / "provenance.json").write_text(provenance)
    (folder / "metrics.csv").write_bytes(metrics)
    (folder / "notebook.ipynb").write_text("{}")


def status(config: Mapping[str, Any], state: str) -> dict[str, Any]:
    """What status.json holds after a sitting that ended like this."""
    values = dict(state=state, iteration=config["iterations"], iterations=config["iterations"], host="host", pid=1)
    return values | dict(process_started=1.0, heartbeat=time.time(), failure=None, token="0" * 32)


@cache
def _example() -> tuple[bytes, str]:
    """metrics.csv and provenance.json, the same for all."""
    points = [dict.fromkeys(COLUMNS, 12.345678901234567 / point) for point in range(1, LOG_POINTS + 1)]
    with TemporaryDirectory() as folder:
        run = Run(folder)
        run.write_metrics([point | dict(iteration=200 * index) for index, point in enumerate(points, 1)])
        metrics = (run.path / "metrics.csv").read_bytes()
    return metrics, json.dumps(describe(torch.device("cpu")) | source())

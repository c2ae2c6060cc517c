"""Run, RunStore: the run folder, which is all that figures, claims and widgets ever read.

A run folder holds config.json, metrics.csv, status.json, provenance.json, checkpoint.pt, at the end
weights.safetensors, notebook.ipynb where papermill ran it, and plugins/ where the shortcut is a user's own.
"""

import csv
import io
import json
import os
import socket
import time
import warnings
from collections.abc import Iterator
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from .files import write_atomically, write_json
from .names import check_names

if TYPE_CHECKING:  # torch takes a second to load, and who lists ten thousand runs does not need it
    import torch

    from .training.config import RunConfig

# Errors in percent, losses in nats, seconds of wall clock over all sittings; train_* are running means since the last
# log point.
COLUMNS = {
    "iteration": int,
    "epoch": float,
    "lr": float,
    "train_loss": float,
    "train_error": float,
    "test_loss": float,
    "test_error": float,
    "seconds": float,
    "images_per_second": float,
}
STATES = ("new", "running", "interrupted", "failed", "done")
PLUGINS = "plugins"  # where a run folder keeps a copy of the file that its shortcut comes from
SILENT = 60.0  # seconds without a heartbeat after which an owner counts as gone


def alive(status: dict[str, Any]) -> bool:
    """Whether the owner in a run's status still trains: heard of lately and, on this machine, the same live process."""
    if status["state"] != "running" or time.time() - status["heartbeat"] > SILENT:
        return False
    if status["host"] != socket.gethostname():
        return True
    try:
        process = psutil.Process(status["pid"])
        same = abs(process.create_time() - status["process_started"]) < 1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Run:
    """One run folder, read afresh at every access: a live run and last month's look the same."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.state})"

    @property
    def id(self) -> str:
        return self.path.name

    @cached_property
    def config(self) -> "RunConfig":
        """The run's settings, its plugins being the copies it keeps. Raises ValueError if config.json is not ours."""
        from .nets.plugins import check_copy
        from .training.config import RunConfig

        values = json.loads((self.path / "config.json").read_text())
        copies = [self.path / PLUGINS / name for name in values.get("plugins", [])]
        for copy in copies:
            check_copy(copy, self.path / PLUGINS)
        return RunConfig.from_dict(values | dict(plugins=copies))

    @property
    def status(self) -> dict[str, Any]:
        """state, host, pid, heartbeat (Unix seconds), iteration, failure; {"state": "new"} before the first sitting."""
        path = self.path / "status.json"
        return json.loads(path.read_text()) if path.exists() else {"state": "new"}

    @property
    def state(self) -> str:
        """One of new, running, interrupted, failed, done. A run whose owner was killed is interrupted, not running."""
        status = self.status
        return "interrupted" if status["state"] == "running" and not alive(status) else status["state"]

    @property
    def provenance(self) -> dict[str, Any]:
        """Git commit, versions, device, threads, precision, data fingerprint of the first sitting; {} before it."""
        path = self.path / "provenance.json"
        return json.loads(path.read_text()) if path.exists() else {}

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.csv, one a log point, in order; see COLUMNS for names, types and units."""
        path = self.path / "metrics.csv"
        if not path.exists():
            return []
        with open(path, newline="") as file:
            return [{name: COLUMNS[name](row[name]) for name in COLUMNS} for row in csv.DictReader(file)]

    def column(self, name: str) -> list[Any]:
        """One column of the metrics. Raises ValueError for a name that is no column."""
        check_names([name], list(COLUMNS), "metrics.csv")
        return [row[name] for row in self.metrics]

    @property
    def final(self) -> dict[str, Any]:
        """The last log point: final-iteration numbers, never the best epoch. Raises ValueError if there is none yet."""
        rows = self.metrics
        if not rows:
            raise ValueError(f"{self.id} has no log point yet")
        return rows[-1]

    def weights(self) -> "dict[str, torch.Tensor]":
        """The trained net's state dict. Raises ValueError if the run is not done."""
        from safetensors.torch import load_file

        if self.state != "done":
            raise ValueError(
                f"{self.id} is {self.state}: weights are there when it is done; train it with the same config"
            )
        return load_file(self.path / "weights.safetensors")

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Replaces metrics.csv by these rows, whole."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.path / "metrics.csv", text.getvalue())


class RunStore:
    """A folder of run folders. Without a root: the folder that RESLAB_STORE names, else ./runs."""

    def __init__(self, root: str | Path | None = None):
        root = root or os.environ.get("RESLAB_STORE", "runs")
        if "://" in str(root):
            raise ValueError(f"store={str(root)!r} is a URL; a store is a folder on this machine or a mounted disk")
        self.root = Path(root)

    def run(self, config: "RunConfig") -> Run:
        """The run of this config, which may be new; nothing is written."""
        return Run(self.root / config.id)

    def create(self, config: "RunConfig") -> Run:
        """The run of this config with its folder, config.json and a copy of each plugin in place."""
        run = self.run(config)
        run.path.mkdir(parents=True, exist_ok=True)
        if not (run.path / "config.json").exists():
            for plugin in config.plugins:
                (run.path / PLUGINS).mkdir(exist_ok=True)
                write_atomically(run.path / PLUGINS / plugin.copy_name, plugin.source)
            copies = [plugin.copy_name for plugin in config.plugins]
            write_json(run.path / "config.json", config.to_dict() | dict(plugins=copies))
        return run

    def __iter__(self) -> Iterator[Run]:
        """All runs, by id. A folder whose config cannot be read is left out with a warning that says why."""
        for path in sorted(self.root.glob("*/config.json")):
            run = Run(path.parent)
            try:
                _ = run.config
            except ValueError as error:
                # A user's shortcut that is not registered in this process, say.
                warnings.warn(f"{run.id} is left out: {error}", stacklevel=2)
                continue
            yield run

    def find(self, state: str | None = None, **wanted: Any) -> list[Run]:
        """Runs whose config has these values, such as find(depth=56, shortcut="none"); `state` filters by state.

        Raises ValueError for a name that is no RunConfig field or a state that does not exist.
        """
        from .training.config import RunConfig

        check_names(wanted, [field.name for field in fields(RunConfig)], "RunConfig")
        if state is not None and state not in STATES:
            raise ValueError(f"state={state!r} is not possible; allowed: {', '.join(STATES)}")
        return [
            run
            for run in self
            if all(getattr(run.config, name) == value for name, value in wanted.items()) and state in (None, run.state)
        ]

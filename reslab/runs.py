"""Run, RunStore: the run folder, which is all that figures, claims and widgets ever read.

A run folder holds config.json, metrics.csv, status.json, provenance.json, checkpoint.pt, at the end
weights.safetensors, notebook.ipynb where papermill ran it, plugins/ where the shortcut is a user's own, signals.csv and
weights/ where that was recorded, and probes/ where it was looked into. On a URL there is owner-000001.json too: see
reslab.training.hold.
"""

import csv
import hashlib
import io
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import Place, must_read, names, place, read, read_many, write_atomically, write_json
from .names import absolute_folder, check_names
from .status import SILENT, STATES, alive, told_state

if TYPE_CHECKING:  # torch takes a second to load, and who lists ten thousand runs does not need it
    import torch
    from torch import nn
    from upath import UPath

    from .training.config import RunConfig

__all__ = ["COLUMNS", "PLUGINS", "SILENT", "STATES", "TASK_COLUMNS", "Run", "RunStore", "alive", "metrics", "states"]

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
# What some tasks measure besides, at the end of a row: mean average precision in percent, peak signal to noise ratio in
# dB, structural similarity of at most 1.
TASK_COLUMNS = {"map50": float, "map": float, "psnr": float, "ssim": float}
PLUGINS = "plugins"  # where a run folder keeps a copy of the file that its shortcut comes from


class Run:
    """One run folder, read afresh at every access: a live run and last month's look the same.

    `path` is a Path, or a UPath where the store is a URL.
    """

    def __init__(self, path: "str | Path | UPath"):
        self.path: Place = place(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.state})"

    @property
    def id(self) -> str:
        return self.path.name

    @cached_property
    def config(self) -> "RunConfig":
        """The run's settings, its plugins being the copies it keeps. Raises ValueError if config.json is not ours."""
        return self._config(must_read(self.path / "config.json"))

    def _config(self, content: bytes) -> "RunConfig":
        from .nets.plugins import kept_copy
        from .training.config import RunConfig, before_there_were

        values = before_there_were(json.loads(content))
        copies = [kept_copy(self.path / PLUGINS, name) for name in values.get("plugins", [])]
        return RunConfig.from_dict(values | dict(plugins=copies))

    @property
    def status(self) -> dict[str, Any]:
        """state, host, pid, heartbeat (Unix seconds), iteration, failure; {"state": "new"} before the first sitting."""
        return _status(read(self.path / "status.json"))

    @property
    def state(self) -> str:
        """One of new, running, interrupted, failed, done. A run whose owner was killed is interrupted, not running."""
        return states([self])[0]

    @property
    def provenance(self) -> dict[str, Any]:
        """Git commit, versions, device, threads, precision, data fingerprint of the first sitting; {} before it."""
        return json.loads(read(self.path / "provenance.json") or "{}")

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.csv, one a log point, in order; see COLUMNS and TASK_COLUMNS for names, types, units."""
        return metrics([self])[0]

    def column(self, name: str) -> list[Any]:
        """One column of the metrics. Raises ValueError for a name that is no column."""
        rows = self.metrics
        check_names([name], list(rows[0] if rows else COLUMNS), "metrics.csv")
        return [row[name] for row in rows]

    @property
    def final(self) -> dict[str, Any]:
        """The last log point: final-iteration numbers, never the best epoch. Raises ValueError if there is none yet."""
        rows = self.metrics
        if not rows:
            raise ValueError(f"{self.id} has no log point yet")
        return rows[-1]

    def weights(self) -> "dict[str, torch.Tensor]":
        """The trained net's state dict. Raises ValueError if the run is not done."""
        from safetensors.torch import load, load_file

        if self.state != "done":
            raise ValueError(
                f"{self.id} is {self.state}: weights are there when it is done; train it with the same config"
            )
        path = self.path / "weights.safetensors"
        return load_file(path) if isinstance(path, Path) else load(read(path))

    def net(self) -> "nn.Module":
        """The trained net, in evaluation mode. Raises ValueError if the run is not done."""
        net = self.config.make_net()
        net.load_state_dict(self.weights())
        return net.eval()

    def write_metrics(self, rows: list[dict[str, Any]]) -> str:
        """Replaces metrics.csv by these rows, whole. Returns the file's SHA-256, which a done run's status keeps."""
        text = io.StringIO()
        own = [name for name in TASK_COLUMNS if rows and name in rows[0]]
        writer = csv.DictWriter(text, [*COLUMNS, *own], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue().encode()
        write_atomically(self.path / "metrics.csv", content)
        return hashlib.sha256(content).hexdigest()


def _status(content: bytes | None) -> dict[str, Any]:
    return {"state": "new"} if content is None else json.loads(content)


def states(runs: Sequence[Run]) -> list[str]:
    """The state of each run; from an object store all at the same time.

    There a run is done if its metrics.csv is the one that its owner finished with: see reslab.training.hold. Raises
    ValueError if a status.json is not ours.
    """
    found = _states(runs)
    for run, state in zip(runs, found, strict=True):
        if isinstance(state, ValueError):
            raise ValueError(f"{run.path}: {state}")
    return found


def _states(runs: Sequence[Run]) -> list[str | ValueError]:
    statuses, found = [], []
    for content in read_many([run.path / "status.json" for run in runs]):
        try:
            statuses.append(_status(content))
            found.append(told_state(statuses[-1]))
        except ValueError as error:
            statuses[len(found) :] = [{}]
            found.append(error)
    sealed = [i for i, run in enumerate(runs) if found[i] == "done" and not isinstance(run.path, Path)]
    for i, content in zip(sealed, read_many([runs[i].path / "metrics.csv" for i in sealed]), strict=True):
        if statuses[i].get("metrics") not in (None, hashlib.sha256(content or b"").hexdigest()):
            found[i] = "interrupted"
    return found


def metrics(runs: Sequence[Run]) -> list[list[dict[str, Any]]]:
    """The metrics of each run; from an object store all at the same time."""
    texts = [(content or b"").decode() for content in read_many([run.path / "metrics.csv" for run in runs])]
    return [[_values(row) for row in csv.DictReader(io.StringIO(text))] for text in texts]


def _values(row: dict[str, str]) -> dict[str, Any]:
    own = {name: kind(row[name]) for name, kind in TASK_COLUMNS.items() if name in row}
    return {name: kind(row[name]) for name, kind in COLUMNS.items()} | own


class RunStore:
    """A folder of run folders, or the URL of one: in S3, s3://bucket/runs, or in this process, memory://runs.

    Without a root: what RESLAB_STORE names, else ./runs. Endpoint and credentials of S3 come from the environment or
    from ~/.aws (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID ...). Raises ValueError for a URL of another kind, or if the driver
    of S3 is not installed.
    """

    def __init__(self, root: "str | Path | UPath | None" = None):
        self.root: Place = place(root or os.environ.get("RESLAB_STORE", "runs"))

    @property
    def url(self) -> str:
        """The absolute folder, or the URL: what another process is given as `store`."""
        return str(self.root.absolute())

    def run(self, config: "RunConfig") -> Run:
        """The run of this config, which may be new; nothing is written."""
        return Run(self.root / config.id)

    def create(self, config: "RunConfig") -> Run:
        """The run of this config with its folder, config.json and a copy of each plugin in place."""
        run = self.run(config)
        folders = isinstance(run.path, Path)  # in an object store a folder is a part of a name
        if folders:
            run.path.mkdir(parents=True, exist_ok=True)
        if read(run.path / "config.json") is None:
            for plugin in config.plugins:
                if folders:
                    (run.path / PLUGINS).mkdir(exist_ok=True)
                write_atomically(run.path / PLUGINS / plugin.copy_name, plugin.source)
            copies = [plugin.copy_name for plugin in config.plugins]
            write_json(run.path / "config.json", config.to_dict() | dict(plugins=copies))
        return run

    def __iter__(self) -> Iterator[Run]:
        """All runs, by id. A folder whose config cannot be read is left out with a warning that says why."""
        runs = [Run(self.root / name) for name in names(self.root)]
        for run, content in zip(runs, read_many([run.path / "config.json" for run in runs]), strict=True):
            if content is None:
                continue
            try:
                run.config = run._config(content)
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
        if "dataset" in wanted:
            wanted["dataset"] = absolute_folder(wanted["dataset"])
        runs = [run for run in self if all(getattr(run.config, name) == value for name, value in wanted.items())]
        if state is None:
            return runs
        found = _states(runs)
        for run, its in zip(runs, found, strict=True):
            if isinstance(its, ValueError):
                warnings.warn(f"{run.id} is left out: {its}", stacklevel=2)
        return [run for run, its in zip(runs, found, strict=True) if its == state]

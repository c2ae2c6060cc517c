"""The runs of a store as they are now, whoever trains them; read again only where a file has changed."""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..figures.nets import dataset_title, overrides
from ..figures.style import net_colour, net_label
from ..names import check_names
from ..remote import StoreUnreachable, sentences
from ..runs import Run, RunStore
from ..training.config import RunConfig

if TYPE_CHECKING:
    from upath import UPath

FILES = ("config.json", "status.json", "metrics.csv")
ENDED = ("done", "failed")
EVERY, REMOTE_EVERY = 0.7, 5.0  # seconds between two looks, at a folder and at a URL
MODIFIED = ("LastModified", "last_modified", "updated", "mtime", "created")  # names that drivers have for a file's time


@dataclass
class _Known:
    """What was read of one run, and when its files were written: what changes, and grows, when a file is replaced."""

    run: Run
    times: tuple[Any, ...]
    row: dict[str, Any] | None  # None for a run that was not asked for


class Following:
    """Runs of `store` whose config has the values `wanted`, or just those with the ids `runs`.

    `refresh` looks at the store; after it `runs` are the runs by id, `rows` what a RunTable shows of them, the newest
    first. Raises ValueError for a name that is no RunConfig field.
    """

    def __init__(self, store: RunStore, runs: Iterable[str] | None = None, **wanted: Any):
        check_names(wanted, [field.name for field in fields(RunConfig)], "RunConfig")
        self.store, self.ids, self.wanted = store, None if runs is None else set(runs), wanted
        self.runs: dict[str, Run] = {}
        self.rows: list[dict[str, Any]] = []
        self._known: dict[str, _Known] = {}
        self._told: set[str] = set()  # what cannot be read, said once

    @property
    def every(self) -> float:
        """Seconds that are good to leave between two looks."""
        return EVERY if isinstance(self.store.root, Path) else REMOTE_EVERY

    def refresh(self) -> set[str]:
        """The ids of runs that are new, have changed or are gone since the last look."""
        before = {name: known.row for name, known in self._known.items()}
        try:
            written = self._written()
        except StoreUnreachable as error:
            self._tell("", str(error))
            return set()
        self._told.discard("")
        self._known = {name: known for name, times in written.items() if (known := self._look(name, times))}
        shown = [known for known in self._known.values() if known.row]
        shown.sort(key=lambda known: known.times[0], reverse=True)
        self.runs = {known.run.id: known.run for known in shown}
        self.rows = [known.row for known in shown]
        after = {name: known.row for name, known in self._known.items()}
        return {name for name in {*before, *after} if before.get(name) != after.get(name)}

    def _written(self) -> dict[str, tuple[Any, ...]]:
        """When the FILES of each run were written, 0 for one that is not there; without runs that have no config."""
        root = self.store.root
        if not isinstance(root, Path):
            folders = [root] if self.ids is None else [root / name for name in self.ids]
            return {name: times for folder in folders for name, times in _listed(folder, root).items()}
        try:
            with os.scandir(root) as entries:
                names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
        except FileNotFoundError:  # nobody has trained anything yet
            return {}
        names = [name for name in names if self.ids is None or name in self.ids]
        written = {name: tuple(_modified(root / name / file) for file in FILES) for name in names}
        return {name: times for name, times in written.items() if times[0]}

    def _look(self, name: str, times: tuple[Any, ...]) -> _Known | None:
        run = Run(self.store.root / name)
        known = self._known.get(name)
        try:
            if known is None or known.times != times:
                run = known.run if known and known.times[0] == times[0] else run  # its config is read already
                return _Known(run, times, self._row(run))
            if known.row and known.row["state"] not in ENDED:  # an owner may have died without a word
                known.row = known.row | dict(state=known.run.state)
        except (ValueError, OSError, KeyError) as error:  # half copied, of another version, deleted just now
            self._tell(name, f"{name} is left out until it can be read: {error!r}")
            return known
        self._told.discard(name)
        return known

    def _tell(self, name: str, message: str) -> None:
        if name not in self._told:
            warnings.warn(message, stacklevel=3)
        self._told.add(name)

    def _row(self, run: Run) -> dict[str, Any] | None:
        config = run.config
        if any(getattr(config, name) != value for name, value in self.wanted.items()):
            return None
        status, last = run.status, (run.metrics or [{}])[-1]
        state = run.state
        iteration = max(status.get("iteration", 0), last.get("iteration", 0))
        also = (f"{name} {value}" for name, value in overrides(config).items() if name != "dataset")
        return dict(
            id=run.id,
            colour=net_colour(config),
            net=net_label(config),
            dataset=dataset_title(config),
            profile=config.profile,
            also=", ".join(also),
            seed=config.seed,
            state=state,
            progress=iteration / config.iterations,
            train_error=last.get("train_error"),
            test_error=last.get("test_error"),
            seconds=last.get("seconds"),
        )


def _modified(path: os.PathLike) -> int:
    """Nanoseconds."""
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return 0


def _listed(folder: "UPath", root: "UPath") -> dict[str, tuple[Any, ...]]:
    """By run, the times of its FILES, from one listing of all that `folder` holds.

    Stores tell the time in seconds, so what else they tell, such as a digest, is a part of it.
    """
    with sentences(folder):
        found = folder.fs.find(folder.path, detail=True)
    times: dict[str, dict[str, Any]] = {}
    for path, info in found.items():
        name, _, file = path[len(root.path.rstrip("/")) + 1 :].rpartition("/")
        if file in FILES and "/" not in name:
            time = next((info[key] for key in MODIFIED if key in info), None)
            times.setdefault(name, {})[file] = (time, str(info))
    return {name: tuple(its.get(file, 0) for file in FILES) for name, its in times.items() if FILES[0] in its}

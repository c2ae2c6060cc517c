"""The runs of a store as they are now, whoever trains them; read again only where a file has changed."""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from ..figures.nets import DATASET_NAMES, overrides
from ..figures.style import net_colour, net_label
from ..names import check_names
from ..runs import Run, RunStore
from ..training.config import RunConfig

FILES = ("config.json", "status.json", "metrics.csv")
ENDED = ("done", "failed")


@dataclass
class _Known:
    """What was read of one run, and when its files were written (nanoseconds)."""

    run: Run
    times: tuple[int, ...]
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

    def refresh(self) -> set[str]:
        """The ids of runs that are new, have changed or are gone since the last look."""
        before = {name: known.row for name, known in self._known.items()}
        self._known = {name: known for name in self._names() if (known := self._look(name))}
        shown = [known for known in self._known.values() if known.row]
        shown.sort(key=lambda known: known.times[0], reverse=True)
        self.runs = {known.run.id: known.run for known in shown}
        self.rows = [known.row for known in shown]
        after = {name: known.row for name, known in self._known.items()}
        return {name for name in {*before, *after} if before.get(name) != after.get(name)}

    def _names(self) -> list[str]:
        try:
            with os.scandir(self.store.root) as entries:
                names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
        except FileNotFoundError:  # nobody has trained anything yet
            return []
        return [name for name in names if self.ids is None or name in self.ids]

    def _look(self, name: str) -> _Known | None:
        run = Run(self.store.root / name)
        times = tuple(_written(run.path / file) for file in FILES)
        if not times[0]:
            return None
        known = self._known.get(name)
        try:
            if known is None or known.times != times:
                run = known.run if known and known.times[0] == times[0] else run  # its config is read already
                return _Known(run, times, self._row(run))
            if known.row and known.row["state"] not in ENDED:  # an owner may have died without a word
                known.row = known.row | dict(state=known.run.state)
        except (ValueError, OSError, KeyError) as error:  # half copied, of another version, deleted just now
            if name not in self._told:
                warnings.warn(f"{name} is left out until it can be read: {error!r}", stacklevel=2)
            self._told.add(name)
            return known
        self._told.discard(name)
        return known

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
            dataset=DATASET_NAMES.get(config.dataset, config.dataset),
            profile=config.profile,
            also=", ".join(also),
            seed=config.seed,
            state=state,
            progress=iteration / config.iterations,
            train_error=last.get("train_error"),
            test_error=last.get("test_error"),
            seconds=last.get("seconds"),
        )


def _written(path: os.PathLike) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return 0

"""Runs as their small files tell them: read once, filtered and sorted, with no net and no torch in sight."""

import gc
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import exists, must_read
from ..names import absolute_folder, check_names
from ..runs import COLUMNS, TASK_COLUMNS, Run, RunStore
from ..status import STATES, told_state
from .reading import CONFIG, Reader, reader

if TYPE_CHECKING:  # it takes a while to load, and who has a disk does not need it
    from upath import UPath

# What a run is sorted by besides its config. lr is there: the config's is the one that tells runs apart.
OWN = ("id", "state", *(name for name in (*COLUMNS, *TASK_COLUMNS) if name != "lr"))
NEW = {"state": "new"}
ROW = 512  # bytes: a row of metrics.csv has at most a third of that


@dataclass(frozen=True)
class Entry:
    """One run folder as it was when it was read.

    `status` is status.json as it is; `state` is that of Run.state; `final` is the last log point, None if there is none
    yet; `held` is config.json if it was read already.
    """

    root: "Path | UPath"
    id: str
    status: dict[str, Any]
    state: str
    final: dict[str, Any] | None
    held: dict[str, Any] | None

    @property
    def run(self) -> Run:
        return Run(self.root / self.id)

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.json as it is."""
        return json.loads(must_read(self.run.path / CONFIG)) if self.held is None else self.held

    @property
    def iterations(self) -> int:
        """Mini-batches until the end."""
        return self.status["iterations"] if "iterations" in self.status else self.config["iterations"]

    def setting(self, name: str) -> Any:
        """A field of the run's config, JSON-ready. Raises ValueError if the config is not ours."""
        if name in self.config:
            return self.config[name]
        return self.run.config.to_dict()[name]  # a run from before this field: RunConfig knows what it did then


@dataclass(frozen=True)
class Listing:
    """The runs that were asked for, by id, and why some folders could not be read: {id: reason}."""

    entries: list[Entry]
    left_out: dict[str, str]


def find(
    store: RunStore, state: str | None = None, wanted: Mapping[str, Any] | None = None, configs: bool = True
) -> Listing:
    """The runs of the store with this state, whose config has these values, such as {"depth": 56}.

    Without `configs`, those that nothing depends on are left to be read when an entry is asked for its own: that saves
    a third of the time. Raises ValueError for a name that is no RunConfig field or a state that does not exist, OSError
    if the store cannot be read.
    """
    if state is not None and state not in STATES:
        raise ValueError(f"state={state!r} is not possible; allowed: {', '.join(STATES)}")
    wanted = {name: absolute_folder(value) if name == "dataset" else value for name, value in (wanted or {}).items()}
    with _no_collections():
        return _find(store, state, wanted, configs)


def _find(store: RunStore, state: str | None, wanted: Mapping[str, Any], configs: bool) -> Listing:
    files, left_out = reader(store.root), {}
    ids = files.folders()
    held = _parse(ids, files, CONFIG, left_out) if configs or wanted else {}
    if configs or wanted:
        ids = _chosen(store, held, wanted, left_out)
    statuses = _parse(ids, files, "status.json", left_out)
    if new := [id for id in ids if id not in statuses and id not in left_out]:
        held |= _parse([id for id in new if id not in held], files, CONFIG, left_out)  # which say how long they will be
        statuses |= {id: NEW for id in new if id in held}
    states = _states({id: statuses[id] for id in ids if id in statuses}, left_out)
    on_disk = isinstance(store.root, Path)
    ids = [id for id, its in states.items() if state in (None, its) or not on_disk]
    ends = dict(zip(ids, files.read(ids, "metrics.csv", last=ROW), strict=True))
    if not on_disk:
        states |= {id: "interrupted" for id in ids if states[id] == "done" and not _sealed(statuses[id], ends[id])}
        ids = [id for id in ids if state in (None, states[id])]
    finals = _last_rows(ids, files, ends)
    entries = [Entry(store.root, id, statuses[id], states[id], finals[id], held.get(id)) for id in ids]
    return Listing(entries, left_out)


def _chosen(
    store: RunStore, configs: Mapping[str, dict[str, Any]], wanted: Mapping[str, Any], left_out: dict[str, str]
) -> list[str]:
    """Ids of the configs that have the wanted values; those that are not ours are left out, with the reason."""
    _check_fields(wanted, configs.values())
    if not wanted:
        return list(configs)
    chosen = []
    for id, config in configs.items():
        try:
            entry = Entry(store.root, id, {}, "", None, config)
            if all(entry.setting(name) == value for name, value in wanted.items()):
                chosen.append(id)
        except ValueError as error:
            left_out[id] = str(error)
    return chosen


def _sealed(status: Mapping[str, Any], metrics: bytes | None) -> bool:
    """Whether the metrics are those that the run's owner finished with: in an object store an owner that was taken over
    may still have a write on its way.
    """
    return status.get("metrics") in (None, hashlib.sha256(metrics or b"").hexdigest())


def _parse(ids: Sequence[str], files: Reader, name: str, left_out: dict[str, str]) -> dict[str, dict[str, Any]]:
    """{id: value} of the JSON file `name` of those runs that have it; what is no JSON is left out, with the reason."""
    texts = {id: text for id, text in zip(ids, files.read(ids, name), strict=True) if text is not None}
    with suppress(ValueError):  # all at once takes half the time of one by one
        return dict(zip(texts, json.loads(b"[%s]" % b",".join(texts.values())), strict=True))
    values = {}
    for id, text in texts.items():
        try:
            values[id] = json.loads(text)
        except ValueError as error:
            left_out[id] = f"{name} cannot be read: {error}"
    return values


@contextmanager
def _no_collections() -> Iterator[None]:
    """Without Python's search for cycles, which looks at each of a hundred thousand new objects time and again."""
    were_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if were_on:
            gc.enable()


def _check_fields(names: Iterable[str], configs: Iterable[Mapping[str, Any]]) -> None:
    """Raises ValueError for a name that is no RunConfig field."""
    if unseen := [name for name in names if not any(name in config for config in configs)]:
        check_names(unseen, _fields(), "RunConfig")


def _fields() -> list[str]:
    from ..training.config import RunConfig  # torch takes a second, which a name that is in a run does not need

    return [field.name for field in fields(RunConfig) if field.name != "found"]


def _states(statuses: Mapping[str, dict[str, Any]], left_out: dict[str, str]) -> dict[str, str]:
    """{id: state}; what is not an owner's status is left out, with the reason."""
    states = {}
    for id, status in statuses.items():
        try:
            states[id] = told_state(status)
        except ValueError as error:
            left_out[id] = str(error)
    return states


def _last_rows(ids: Sequence[str], files: Reader, ends: Mapping[str, bytes | None]) -> dict[str, dict[str, Any] | None]:
    """The last row of each metrics.csv, of which `ends` are the ends; None of one that has only its header."""
    values = {id: _last_line(ends[id]) for id in ids}
    longer = [
        id for id in ids if len(values[id]) > len(COLUMNS)
    ]  # a task has columns of its own, which the header says
    heads = {id: (whole or b"").decode().partition("\n")[0] for id, whole in _whole(longer, files)}
    kinds = COLUMNS | TASK_COLUMNS
    rows: dict[str, dict[str, Any] | None] = {}
    for id in ids:
        names = heads[id].split(",") if id in heads else list(COLUMNS)
        rows[id] = {n: kinds[n](text) for n, text in zip(names, values[id], strict=True)} if values[id] else None
    return rows


def _whole(ids: Sequence[str], files: Reader) -> Iterator[tuple[str, bytes | None]]:
    return zip(ids, files.read(ids, "metrics.csv"), strict=True)


def _last_line(end: bytes | None) -> list[str]:
    line = (end or b"").rstrip(b"\n").rpartition(b"\n")[2].decode()
    return [] if not line or line.startswith("iteration,") else line.split(",")


def sort(entries: Iterable[Entry], name: str, reverse: bool = False) -> list[Entry]:
    """The entries by id, state, a column of their last log point or a RunConfig field; those without come last.

    Raises ValueError for any other name.
    """
    entries = list(entries)
    if name not in OWN and (name == "found" or not any(name in entry.config for entry in entries)):
        check_names([name], [*OWN, *_fields()], "a run")

    def value(entry: Entry) -> Any:
        if name in ("id", "state"):
            return getattr(entry, name)
        if name in OWN:
            return entry.final and entry.final.get(name)
        return entry.setting(name)

    known = [(value(entry), entry) for entry in entries]
    first = sorted((pair for pair in known if pair[0] is not None), key=lambda pair: pair[0], reverse=reverse)
    return [entry for _, entry in first] + [entry for key, entry in known if key is None]


def resolve(store: RunStore, given: str) -> Run:
    """The run that `given` means: a path or URL of a run folder, an id, or a part of one that no other run has.

    Raises ValueError if there is none or more than one.
    """
    run = Run(given)
    if exists(run.path / CONFIG):
        return run
    ids = reader(store.root).folders()
    for fits in (str.__eq__, str.startswith, str.__contains__):
        found = [id for id in ids if fits(id, given)]
        if len(found) == 1:
            return Run(store.root / found[0])
        if found:
            some = ", ".join(found[:3]) + ", ..." * (len(found) > 3)
            raise ValueError(f"{given!r} is the beginning or a part of {len(found)} ids: {some}; write more of it")
    raise ValueError(f"there is no run {given!r} in {store.root}; `reslab runs` lists them")

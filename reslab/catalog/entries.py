"""Runs as their small files tell them: read once, filtered and sorted, with no net and no torch in sight."""

import gc
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..names import check_names
from ..runs import COLUMNS, STATES, Run, RunStore, alive
from .reading import CONFIG, Reader, reader

if TYPE_CHECKING:  # it takes a while to load, and who has a disk does not need it
    from upath import UPath

NEW = {"state": "new"}
ROW = 512  # bytes: a row of metrics.csv has at most a third of that


@dataclass(frozen=True)
class Entry:
    """One run folder as it was when it was read.

    `config` is config.json and `status` status.json, as they are; `state` is that of Run.state; `final` is the last log
    point, None if there is none yet.
    """

    root: "Path | UPath"
    id: str
    config: dict[str, Any]
    status: dict[str, Any]
    state: str
    final: dict[str, Any] | None

    @property
    def run(self) -> Run:
        return Run(self.root / self.id)

    @property
    def iterations(self) -> int:
        """Mini-batches until the end."""
        return self.config["iterations"]

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


def find(store: RunStore, state: str | None = None, wanted: Mapping[str, Any] | None = None) -> Listing:
    """The runs of the store with this state, whose config has these values, such as {"depth": 56}.

    A file is read only of the runs that are still in question. Raises ValueError for a name that is no RunConfig field
    or a state that does not exist, OSError if the store cannot be read.
    """
    if state is not None and state not in STATES:
        raise ValueError(f"state={state!r} is not possible; allowed: {', '.join(STATES)}")
    with _no_collections():
        return _find(store, state, wanted or {})


def _find(store: RunStore, state: str | None, wanted: Mapping[str, Any]) -> Listing:
    files, left_out = reader(store.root), {}
    configs = _parse(files.folders(), files, CONFIG, left_out)
    _check_fields(wanted, configs.values())
    if wanted:
        blank = (Entry(store.root, id, config, {}, "", None) for id, config in configs.items())
        configs = {entry.id: entry.config for entry in blank if _has(entry, wanted, left_out)}
    statuses = {id: NEW for id in configs} | _parse(list(configs), files, "status.json", left_out)
    states = {id: _state(status) for id, status in statuses.items() if id not in left_out}
    ids = [id for id, its in states.items() if state in (None, its)]
    ends = files.read(ids, "metrics.csv", last=ROW)
    entries = [
        Entry(store.root, id, configs[id], statuses[id], states[id], _last_row(end))
        for id, end in zip(ids, ends, strict=True)
    ]
    return Listing(entries, left_out)


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

    return [field.name for field in fields(RunConfig)]


def _has(entry: Entry, wanted: Mapping[str, Any], left_out: dict[str, str]) -> bool:
    try:
        return all(entry.setting(name) == value for name, value in wanted.items())
    except ValueError as error:
        left_out[entry.id] = str(error)
        return False


def _state(status: Mapping[str, Any]) -> str:
    return "interrupted" if status["state"] == "running" and not alive(status) else status["state"]


def _last_row(end: bytes | None) -> dict[str, Any] | None:
    """The last row of a metrics.csv of which this is the end; None if it has only its header."""
    line = (end or b"").rstrip(b"\n").rpartition(b"\n")[2].decode()
    if not line or line.startswith("iteration,"):
        return None
    return {name: kind(text) for (name, kind), text in zip(COLUMNS.items(), line.split(","), strict=True)}


def sort(entries: Iterable[Entry], name: str, reverse: bool = False) -> list[Entry]:
    """The entries by id, state, a column of their last log point or a RunConfig field; those without come last.

    Raises ValueError for any other name.
    """
    entries = list(entries)
    if name not in (own := ["id", "state", *COLUMNS]) and not any(name in entry.config for entry in entries):
        check_names([name], [*own, *_fields()], "a run")

    def value(entry: Entry) -> Any:
        if name in ("id", "state"):
            return getattr(entry, name)
        if name in COLUMNS and name not in entry.config:  # lr is both: the config's is the one that tells runs apart
            return entry.final and entry.final[name]
        return entry.setting(name)

    known = [(value(entry), entry) for entry in entries]
    first = sorted((pair for pair in known if pair[0] is not None), key=lambda pair: pair[0], reverse=reverse)
    return [entry for _, entry in first] + [entry for key, entry in known if key is None]


def resolve(store: RunStore, given: str) -> Run:
    """The run that `given` means: a path or URL of a run folder, an id, or a part of one that no other run has.

    Raises ValueError if there is none or more than one.
    """
    run = Run(given)
    if (run.path / CONFIG).exists():
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

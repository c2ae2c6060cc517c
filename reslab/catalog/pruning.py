"""Removing runs, or their checkpoints, such that nobody's training is touched and no half of a run is ever left.

On a disk a run folder is first renamed to where no run is looked for, which is one step, and then removed. A store on a
URL knows no such step: there a mark says that a run is going, then its config goes, without which it is no run, then
its status, then the rest. What a crash left is removed by the next sweep.
"""

import shutil
import time
import uuid
from contextlib import ExitStack, suppress
from fnmatch import fnmatch
from pathlib import Path

from filelock import FileLock, Timeout

from ..files import Place, exists, names, sizes, stat, write_atomically
from ..files import remove as remove_file
from ..runs import Run, RunStore
from ..status import alive
from .entries import Entry
from .reading import CONFIG

GOING = ".pruned"  # folder in the store: of what is being removed
CHECKPOINTS = "checkpoint.*"  # the newest, the one before and one that was being written
DAY = 86_400.0
WAIT = 2.0  # seconds for a lock that somebody holds while they write: whoever does is alive


def age(entry: Entry) -> float:
    """Days since anything happened to the run."""
    last = entry.status.get("heartbeat")
    if last is None:  # nobody has trained it yet
        config = stat(entry.run.path / CONFIG)
        last = config.modified if config else time.time()  # removed since it was read: nothing that is old
    return (time.time() - last) / DAY


def size(run: Run, pattern: str = "*") -> int:
    """Bytes in those of the run folder's files whose name has this pattern."""
    return sum(size for path, size in sizes(run.path).items() if fnmatch(path.name, pattern))


def remove(entry: Entry) -> str | None:
    """Removes the run folder, unless the run has changed since it was read. Returns why it was left alone, or None."""
    with ExitStack() as held:
        reason = _why_not(entry, held)
        if reason is None:
            going = _rename(entry.run) if isinstance(entry.root, Path) else _mark(entry)
    if reason is None:
        _finish(going)
    return reason


def remove_checkpoints(entry: Entry) -> str | None:
    """Removes the checkpoints of a run that is done, unless it has changed. Returns why they were left, or None."""
    with ExitStack() as held:
        reason = _why_not(entry, held)
        if reason is None:
            _remove_files(entry.run.path, CHECKPOINTS)
    return reason


def sweep(store: RunStore) -> int:
    """Removes what a prune that crashed has left. Returns how many runs' remains there were."""
    folder = store.root / GOING
    remains = [folder / name for name in names(folder)]
    for going in remains:
        _finish(going)
    return len(remains)


def _why_not(entry: Entry, held: ExitStack) -> str | None:
    """None if the run is as it was when it was read, and on a disk nobody can claim it until `held` ends."""
    path = entry.run.path
    if isinstance(path, Path):
        if not path.exists():  # the lock would make the folder again
            return "was removed by somebody else"
        try:
            held.enter_context(FileLock(path / ".lock", timeout=WAIT))  # the one that owners take
        except Timeout:
            return "is being written at this moment"
    status = entry.run.status
    if alive(status):
        return f"is being trained by process {status['pid']} on {status['host']}"
    return None if status == entry.status else "has changed since it was listed"


def _rename(run: Run) -> Path:
    going = run.path.parent / GOING / f"{run.id}.{uuid.uuid4().hex}"
    going.parent.mkdir(exist_ok=True)
    return run.path.rename(going)


def _mark(entry: Entry) -> Place:
    going = entry.root / GOING / entry.id
    write_atomically(going, "")
    _remove_files(entry.run.path, CONFIG)
    return going


def _finish(going: Place) -> None:
    """Removes what is left of a run, and then what says that it is going."""
    if isinstance(going, Path):
        with suppress(FileNotFoundError):  # another prune is at it too
            shutil.rmtree(going)
        with suppress(OSError):  # not empty: there is more to remove
            going.parent.rmdir()
    else:
        folder = going.parent.parent / going.name
        if not exists(folder / CONFIG):  # or it was trained again since the crash
            _remove_files(folder, "status.json")
            _remove_files(folder, "*")
        remove_file(going)


def _remove_files(folder: Place, pattern: str) -> None:
    for path in sizes(folder):
        if fnmatch(path.name, pattern):
            remove_file(path)

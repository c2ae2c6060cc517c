"""How a process holds a run, so that one trains it at a time: a lock file in a folder, numbered claims on a URL."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

from ..files import TEMPORARY, Place, names, read, remove, write_json
from ..remote import StoreError, create
from ..runs import Run
from ..status import SILENT, alive


class RunBusy(Exception):
    """Another live process trains this run; the message says which."""


class RunDone(Exception):
    """There is nothing left to train."""


class OwnershipLost(Exception):
    """This process was silent for so long that another took the run over; it must not write any more."""


class Hold(Protocol):
    """What an Owner needs: to become the one who trains, and to be sure of it before it writes."""

    def take(self, status: dict[str, Any]) -> None:
        """Makes this process the owner and writes its first status. May be called again if it failed half way.

        Raises RunBusy if a live process has the run, RunDone if it is finished.
        """

    def kept(self) -> AbstractContextManager[None]:
        """Around all writes to the run folder. Raises OwnershipLost if another process has taken the run over."""


def hold(run: Run, token: str) -> Hold:
    """The kind of hold that fits where the run is; `token` is this process's own."""
    return (LockedHold if isinstance(run.path, Path) else NumberedHold)(run, token)


def _refuse_if_held(run: Run, holder: dict[str, Any], token: str) -> None:
    if alive(holder) and holder.get("token") != token:
        where = f"process {holder['pid']} on {holder['host']}"
        raise RunBusy(f"{run.id} is being trained by {where}, at iteration {holder['iteration']}")


def _lost(run: Run) -> OwnershipLost:
    return OwnershipLost(f"{run.id} was taken over by another process; this one stops without writing")


class LockedHold:
    """In a folder: the token in status.json says who is the owner, and all that depends on it is done under a file lock
    that the system releases if its holder dies. Nobody can take the run over between a check and the writes after it.
    """

    def __init__(self, run: Run, token: str):
        self.run, self.token, self._lock = run, token, FileLock(run.path / ".lock")

    def take(self, status: dict[str, Any]) -> None:
        with self._lock:
            if self.run.state == "done":
                raise RunDone
            _refuse_if_held(self.run, self.run.status, self.token)
            self._clear_away()
            write_json(self.run.path / "status.json", status)

    def _clear_away(self) -> None:
        """Removes what a writer that was killed has left. A younger file may be somebody's at work: config.json and the
        notebook are written without the lock.
        """
        for left in self.run.path.glob(TEMPORARY):
            with suppress(FileNotFoundError):  # it has its real name by now
                if time.time() - left.stat().st_mtime > SILENT:
                    left.unlink()

    @contextmanager
    def kept(self) -> Iterator[None]:
        with self._lock:
            if self.run.status.get("token") != self.token:
                raise _lost(self.run)
            yield


class NumberedHold:
    """On a URL: the owner is who wrote the claim with the highest number, owner-000003.json say. A claim is only ever
    created, never replaced, and a store lets one process create a name; the highest is never deleted, so numbers go up.
    The next one may be created if the owner has ended, died or gone silent. The owner looks for a higher number before
    it writes.

    Between that look and its write an owner may still be held up, for longer than SILENT, while another takes over.
    What it then writes late is an earlier state of the same training, which is the same bit for bit whoever does it: a
    checkpoint (costs time), weights (the same), a status (its heartbeat is old: the run counts as interrupted until the
    owner's next beat, or until somebody finishes it again), provenance (without the last sitting), or metrics with rows
    missing at the end. Over a finished run's these would be a wrong result, so the status of a run that is done holds
    the digest of its metrics: if they differ the run counts as interrupted, and whoever trains it next writes them
    again from the checkpoint (see reslab.runs.states).
    """

    CLAIM = re.compile(r"owner-(\d{6})\.json")

    def __init__(self, run: Run, token: str):
        self.run, self.token, self.number = run, token, 0

    def take(self, status: dict[str, Any]) -> None:
        if self.run.state == "done":
            raise RunDone
        content = json.dumps(status, indent=1).encode()
        while True:
            numbers = self._numbers()
            self.number = max(numbers, default=0)
            claim = json.loads(read(self._path(self.number)) or "{}")
            if claim.get("token") == self.token:
                break
            last = self.run.status
            # An owner that has not written its first status yet is as old as its claim.
            _refuse_if_held(self.run, claim if claim and claim["token"] != last.get("token") else last, self.token)
            with suppress(FileExistsError):  # somebody was faster, or our own answer got lost: the next look tells
                create(self._path(self.number + 1), content)
        if self.number == 1:
            self._require_exclusive(content)
        write_json(self.run.path / "status.json", status)
        for number in numbers - {self.number}:
            remove(self._path(number))

    @contextmanager
    def kept(self) -> Iterator[None]:
        if max(self._numbers(), default=0) != self.number:
            raise _lost(self.run)
        yield

    def _numbers(self) -> set[int]:
        return {int(match[1]) for name in names(self.run.path) if (match := self.CLAIM.fullmatch(name))}

    def _path(self, number: int) -> Place:
        return self.run.path / f"owner-{number:06}.json"

    def _require_exclusive(self, content: bytes) -> None:
        """Some servers that speak S3 do not know If-None-Match, and let a second process create what is there."""
        with suppress(FileExistsError):
            create(self._path(self.number), content)
            raise StoreError(
                f"{self.run.path} is in a store that lets two processes create one file, so that two could train one "
                "run; use a store that supports conditional writes (If-None-Match), or a mounted folder"
            )

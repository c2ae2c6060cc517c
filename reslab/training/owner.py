"""Who trains a run: one process at a time, known by host, pid and heartbeat; a dead or silent owner is taken over."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import psutil

from ..files import write_json
from ..runs import Run
from .hold import OwnershipLost, RunBusy, RunDone, hold
from .patience import Patience

__all__ = ["Follower", "Owner", "OwnershipLost", "RunBusy", "RunDone"]

HEARTBEAT = 5.0  # seconds between signs of life
T = TypeVar("T")


class Owner:
    """This process's hold on a run: claims it, keeps status.json alive, writes to it, and writes how it ended.

    Raises RunBusy if a live process has the run, RunDone if it is finished.
    """

    def __init__(self, run: Run, patience: Patience | None = None):
        self.run, self.patience, self._token = run, patience or Patience(str(run.path)), uuid.uuid4().hex
        self._hold, self._stop = hold(run, self._token), threading.Event()
        self.metrics: str | None = None  # digest of metrics.csv, set by the loop
        self.iteration = 0  # set by the loop, shown to watchers
        self.patience(self._take)
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat {run.id}", daemon=True)
        self._thread.start()

    def _take(self) -> None:
        self.iteration = self.run.status.get("iteration", 0)
        self._hold.take(self._status("running"))

    def _status(self, state: str, failure: dict[str, Any] | None = None) -> dict[str, Any]:
        return dict(
            state=state,
            iteration=self.iteration,
            iterations=self.run.config.iterations,
            host=socket.gethostname(),
            pid=os.getpid(),
            process_started=psutil.Process().create_time(),
            heartbeat=time.time(),
            failure=failure,
            token=self._token,
            metrics=self.metrics,
            paused=self.patience.note,  # a full disk often has room for this file all the same
        )

    def _write_status(self, state: str, failure: dict[str, Any] | None = None) -> None:
        write_json(self.run.path / "status.json", self._status(state, failure))

    def write(self, action: Callable[[], T]) -> T:
        """Does `action`, which writes to the run folder, as its owner and with patience: it may be done several times.

        Raises OwnershipLost if another process has taken the run over, OSError for what no patience helps against.
        """

        def as_owner() -> T:
            with self._hold.kept():
                return action()

        return self.patience(as_owner)

    def check(self) -> None:
        """Raises OwnershipLost if another process has taken the run over."""
        with self._hold.kept():
            pass

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            try:
                with self._hold.kept():
                    self._write_status("running")
            except OwnershipLost:
                return
            except Exception:  # a full disk, a store out of reach, whatever it is: the loop's own writes report it
                continue

    def release(self, state: str, failure: dict[str, Any] | None = None) -> None:
        """Ends the hold with a last status. That a run is done is written with patience and as its owner; how else a
        sitting ended, if it can be: a silent owner's run counts as interrupted.
        """
        self._stop.set()
        self._thread.join()
        if state == "done":
            self.write(lambda: self._write_status("done"))
            return
        with suppress(OwnershipLost, OSError, ValueError), self._hold.kept():
            self._write_status(state, failure)


class Follower:
    """In place of the Owner in a process that another one leads: it has nothing to write or to keep alive."""

    iteration = 0
    metrics: str | None = None

    def release(self, state: str, failure: dict[str, Any] | None = None) -> None:
        pass

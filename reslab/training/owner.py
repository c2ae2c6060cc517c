"""Who trains a run: one process at a time, known by host, pid and heartbeat; a dead or silent owner is taken over."""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from filelock import FileLock

from ..files import TEMPORARY, write_json
from ..runs import Run, alive

HEARTBEAT = 5.0  # seconds between signs of life


class RunBusy(Exception):
    """Another live process trains this run; the message says which."""


class RunDone(Exception):
    """There is nothing left to train."""


class OwnershipLost(Exception):
    """This process was silent for so long that another took the run over; it must not write any more."""


class Owner:
    """This process's hold on a run: claims it, keeps status.json alive, and writes how it ended.

    The decision is made under a file lock that the system releases if its holder dies. Raises RunBusy if a live process
    has the run, RunDone if it is finished.
    """

    def __init__(self, run: Run):
        self.run, self._token = run, uuid.uuid4().hex
        self._lock = FileLock(run.path / ".lock")
        self._stop, self._lost = threading.Event(), False
        self.iteration = 0  # set by the loop, shown to watchers
        with self._lock:
            status = run.status
            if status["state"] == "done":
                raise RunDone
            if alive(status):
                where = f"process {status['pid']} on {status['host']}"
                raise RunBusy(f"{run.id} is being trained by {where}, at iteration {status['iteration']}")
            for left in run.path.glob(TEMPORARY):  # by a writer that was killed
                left.unlink()
            self.iteration = status.get("iteration", 0)
            self._write("running")
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat {run.id}", daemon=True)
        self._thread.start()

    def _write(self, state: str, failure: dict[str, Any] | None = None) -> None:
        me = psutil.Process()
        status = dict(
            state=state,
            iteration=self.iteration,
            iterations=self.run.config.iterations,
            host=socket.gethostname(),
            pid=os.getpid(),
            process_started=me.create_time(),
            heartbeat=time.time(),
            failure=failure,
            token=self._token,
        )
        write_json(self.run.path / "status.json", status)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around all writes to the run folder: nobody can take the run over between the check and the writes.

        Raises OwnershipLost if somebody has.
        """
        with self._lock:
            self.check()
            yield

    def check(self) -> None:
        """Raises OwnershipLost if another process has taken the run over."""
        if self._lost or self.run.status.get("token") != self._token:
            self._lost = True
            raise OwnershipLost(f"{self.run.id} was taken over by another process; this one stops without writing")

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            try:
                with self._lock:
                    self.check()
                    self._write("running")
            except OwnershipLost:
                return
            except (OSError, json.JSONDecodeError):  # a full or absent disk: the loop's own writes report it
                continue

    def release(self, state: str, failure: dict[str, Any] | None = None) -> None:
        """Ends the hold with a last status, unless the run belongs to somebody else by now."""
        self._stop.set()
        self._thread.join()
        with self._lock:
            if self.run.status.get("token") == self._token:
                self._write(state, failure)

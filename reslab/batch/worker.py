"""The process that serves a store's queue: `python -m reslab.batch.worker STORE`, one a store, until nothing is left.

It trains through `reslab train`, in processes of their own, and imports no torch: it starts in a moment, stays small.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace

import psutil
from filelock import FileLock, Timeout

from ..files import TEMPORARY
from .tickets import Folder, Ticket

POLL = 0.2  # seconds between looks at the queue
ASK_AGAIN = 60.0  # seconds after which a process that goes on is asked to stop once more
PATIENCE = 180.0  # seconds that it gets to write a checkpoint and end
STOPPED = {code: n.name for n in (signal.SIGINT, signal.SIGTERM) for code in (-n, 128 + n)}  # the former while starting


class Worker:
    """Trains what waits, in order, one at a time, and ends when nothing is left."""

    def __init__(self, folder: Folder):
        self.folder, self.errors = folder, folder.path / "train.log"

    def work(self) -> int:
        """The exit code: 1 if another worker serves this store."""
        lock = FileLock(self.folder.path / ".worker")
        try:
            lock.acquire(timeout=1)  # seconds: a kernel that looks holds it for a moment
        except Timeout:
            self._say(f"another worker serves {self.folder.store}")
            return 1
        self._say(f"serves {self.folder.store}")
        while claimed := self._claim(lock):
            self._settle(claimed[0], *self._watch(*claimed))
        self._say("nothing is left to do")
        return 0

    def _claim(self, lock: FileLock) -> tuple[Ticket, subprocess.Popen | None] | None:
        """A process to watch: one that outlived its worker (and is no child of this one), or the next, started now.

        None when there is nothing to do; then this worker's lock is given back, before anybody can add anything.
        """
        with self.folder.gate():
            for left in self.folder.path.glob(TEMPORARY):  # by a writer that was killed
                left.unlink(missing_ok=True)
            tickets = self.folder.tickets()
            for ticket in tickets:
                if ticket.process():
                    self._say(f"{ticket.run}: goes on as process {ticket.pid}")
                    return ticket, None
            for ticket in tickets:
                if ticket.wanted == "stop" or self.folder.status(ticket)["state"] == "done":
                    self.folder.drop(ticket)
                elif ticket.pid:  # it ended together with its worker
                    self.folder.put(replace(ticket, pid=0))
            for ticket in self.folder.tickets():
                if ticket.wanted == "run" and not ticket.reason and (claimed := self._start(ticket)):
                    return claimed
            lock.release()
            return None

    def _start(self, ticket: Ticket) -> tuple[Ticket, subprocess.Popen] | None:
        # Where the kernel's front end is, a progress bar would be redrawn five times a second: not in a file.
        environment = {name: value for name, value in os.environ.items() if name != "JPY_SESSION_NAME"}
        try:
            with open(self.errors, "wb") as errors:
                child = subprocess.Popen(
                    ticket.command,
                    cwd=ticket.cwd,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    start_new_session=True,
                )
        except OSError as error:  # the folder or the Python that it was asked from is gone
            self._fail(ticket, f"it could not be started: {error}")
            return None
        try:
            started = psutil.Process(child.pid).create_time()
            ticket = replace(ticket, host=socket.gethostname(), pid=child.pid, started=started)
            self.folder.put(ticket)
        except BaseException:  # a full disk: nobody would know of the process
            child.kill()
            raise
        self._say(f"{ticket.run}: starts as process {child.pid}")
        return ticket, child

    def _watch(self, ticket: Ticket, child: subprocess.Popen | None) -> tuple[int | None, bool]:
        """Waits for the end of a process, which it asks to stop if that is wanted.

        Returns its exit code, None of one that is not our child, and whether it was asked.
        """
        asked, again = None, 0.0
        while process := ticket.process():
            kept, now = self.folder.get(ticket.run), time.monotonic()
            if asked is None and (kept is None or kept.pid != ticket.pid or kept.wanted != "run"):
                asked = now
            with suppress(psutil.NoSuchProcess):
                if asked is not None and now - asked > PATIENCE:
                    process.kill()
                elif asked is not None and now >= again:
                    process.terminate()
                    again = now + ASK_AGAIN
            time.sleep(POLL)
        return child and child.wait(), asked is not None

    def _settle(self, ticket: Ticket, code: int | None, asked: bool) -> None:
        """Notes how a process ended."""
        with self.folder.gate():
            kept = self.folder.get(ticket.run)
            if kept is None or kept.pid != ticket.pid:  # taken out meanwhile, perhaps added again
                return
            status = self.folder.status(ticket)
            how = status["state"] if status["ours"] else "new"
            ended = replace(kept, pid=0)
            if status["state"] == "done" or kept.wanted == "stop":
                self._say(f"{ticket.run}: {status['state']}")
                self.folder.drop(kept)
            elif how == "failed":
                self._fail(ended, status["failure"]["message"] or self._last_words(code))
            elif asked:
                self._say(f"{ticket.run}: stopped")
                self.folder.put(ended)
            elif code in STOPPED or how == "interrupted":  # by somebody else, who does not want it to start again
                self._say(f"{ticket.run}: stopped by a signal")
                self.folder.put(replace(ended, wanted="pause", reason=f"stopped by {STOPPED.get(code, 'a signal')}"))
            elif code == 0:
                self._fail(ended, f"it ended, but is {status['state']}: something else was trained")
            elif code is None or code < 0:
                by = signal.Signals(-code).name if code else "a signal"
                self._fail(ended, f"killed by {by}; was there enough memory?")
            else:
                self._fail(ended, self._last_words(code))

    def _last_words(self, code: int | None) -> str:
        said = [line for line in self.errors.read_text(errors="replace").splitlines() if line.strip()]
        return said[-1] if said else f"it ended with exit code {code} and said nothing"

    def _fail(self, ticket: Ticket, reason: str) -> None:
        self._say(f"{ticket.run}: failed: {reason}")
        self.folder.put(replace(ticket, wanted="run", reason=reason))

    def _say(self, line: str) -> None:
        print(f"{time.strftime('%F %T')} {os.getpid()} {line}", flush=True)


if __name__ == "__main__":
    sys.exit(Worker(Folder(sys.argv[1])).work())

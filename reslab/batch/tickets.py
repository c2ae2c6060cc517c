"""The queue's folder: a small file for each run that buttons asked for, and the locks that keep kernels and the worker
from missing each other.
"""

import json
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_origin

import psutil
from filelock import FileLock, Timeout

from ..files import place, write_json

START = 30.0  # seconds that a worker gets to start on a machine with much to do
LOG_LIMIT = 1_000_000  # bytes of worker.log above which it begins anew


@dataclass(frozen=True)
class Ticket:
    """One file of the queue folder; changed only under the gate."""

    run: str
    command: list[str]  # trains it
    cwd: str  # of the kernel that asked, for relative paths
    iterations: int
    order: int  # smaller ones first
    wanted: str = "run"  # or "pause" or "stop": what kernels want
    reason: str = ""  # why it failed: what the worker found
    host: str = ""
    pid: int = 0  # of the process that trains it, 0 for none
    started: float = 0.0  # Unix seconds; with the pid it names one process for ever

    def process(self) -> psutil.Process | None:
        """The process that trains it, if it lives on this machine."""
        if not self.pid or self.host != socket.gethostname():
            return None
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) < 1 and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


class Folder:
    """The queue folder: tickets and locks."""

    def __init__(self, store: str | Path):
        folder = place(store)
        if not isinstance(folder, Path):
            raise ValueError(
                f"store={str(store)!r} is a URL, and buttons train into a folder of this machine; to train there, use "
                "reslab.train or `reslab train --store`, and follow it with reslab.widgets.watch"
            )
        self.store = folder.absolute()
        self.path = self.store / ".queue"

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Around every change and every decision, and always short: "nothing waits, so the worker ends" and "a worker
        lives, so what is added now will be trained" cannot miss each other.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path / ".gate"):
            yield

    def tickets(self) -> list[Ticket]:
        """In order. A file that is no ticket is left out with a warning."""
        found = [self.get(path.stem) for path in self.path.glob("*.json") if path.is_file()]
        return sorted(filter(None, found), key=lambda ticket: ticket.order)

    def get(self, run_id: str) -> Ticket | None:
        path = self.path / f"{run_id}.json"
        try:
            ticket = Ticket(**json.loads(path.read_bytes()))
            kinds = {field.name: get_origin(field.type) or field.type for field in fields(Ticket)}
            wrong = [name for name, kind in kinds.items() if type(getattr(ticket, name)) is not kind]
            if wrong or ticket.run != run_id:
                raise ValueError(f"its {', '.join(wrong) or 'run'} cannot be")
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            warnings.warn(f"{path} is left out: it is no entry of the queue: {error}", stacklevel=2)
            return None
        return ticket

    def put(self, ticket: Ticket) -> None:
        write_json(self.path / f"{ticket.run}.json", asdict(ticket))

    def drop(self, ticket: Ticket) -> None:
        (self.path / f"{ticket.run}.json").unlink(missing_ok=True)

    def status(self, ticket: Ticket) -> dict[str, Any]:
        """The run's status.json, and in "ours" whether the process of this ticket wrote it."""
        path = self.store / ticket.run / "status.json"
        status = json.loads(path.read_bytes()) if path.exists() else {"state": "new"}
        return status | {"ours": bool(ticket.pid) and status.get("heartbeat", 0) >= ticket.started}

    def served(self) -> bool:
        """Whether a worker lives. Only under the gate, because a look holds the worker's lock for a moment."""
        try:
            with FileLock(self.path / ".worker", timeout=0):
                return False
        except Timeout:
            return True

    def serve(self) -> None:
        """Sees to it that a worker lives. Only under the gate. Raises RuntimeError if it does not start."""
        if self.served():
            return
        path = self.path / "worker.log"
        with open(path, "wb" if path.exists() and path.stat().st_size > LOG_LIMIT else "ab") as log:
            command = [sys.executable, "-m", "reslab.batch.worker", str(self.store)]
            # In a session of its own: what ends a kernel's process group does not reach it.
            worker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        threading.Thread(target=worker.wait, daemon=True).start()  # or it stays a zombie while this kernel lives
        deadline = time.monotonic() + START
        while not self.served():
            if worker.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"the worker of the queue did not start; {path} says why; resume the run to try again"
                )
            time.sleep(0.02)

"""The queue of a store: runs that buttons asked for, trained one at a time in processes that outlive every notebook.

`<store>/.queue/` holds one small JSON file a run (tickets.py). Kernels write there what they want; one detached worker
a store (worker.py) trains it through `reslab train` and writes what happened.
"""

import os
import socket
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from ..runs import Run, RunStore, alive
from ..training.config import RunConfig
from .progress import look
from .sharing import options
from .tickets import Folder, Ticket


@dataclass(frozen=True)
class Entry:
    """One run of the queue as it stands.

    `state`: waiting, starting, training, pausing, paused, stopping, failed (`reason` says why), or interrupted: nobody
    serves the queue any more, and it goes on when somebody resumes or adds something.
    """

    run: Run
    state: str
    reason: str = ""  # a sentence, or nothing
    iteration: int = 0
    iterations: int = 0
    train_error: float | None = None  # percent, at the last log point
    left: float | None = None  # seconds, while it trains


class Queue:
    """The queue of a store, for as many kernels as like: everything is in its folder, nothing in this object.

    Raises ValueError for a store that is a URL. OSError, of a full disk say, goes to the caller of every method.
    """

    def __init__(self, store: RunStore | str | Path):
        root = store.root if isinstance(store, RunStore) else RunStore(store).root
        self._folder = Folder(root)
        self.store = RunStore(self._folder.store)

    def add(
        self,
        config: RunConfig,
        *,
        data: str | Path | None = None,
        device: str | None = None,
        threads: int | None = None,
    ) -> Run:
        """Puts a run at the queue's end and returns it; when this returns, a worker serves the queue.

        A run that is done is returned as it is; one that waits or trains stays where it is; one that was paused or
        failed waits again. `data`, `device`, `threads` as in `reslab train`. Raises ValueError if another process
        trains this run, RuntimeError if no worker starts.
        """
        run = self.store.run(config)
        with self._folder.gate():
            ticket, status = self._folder.get(run.id), run.status
            if status["state"] == "done":
                return run
            if alive(status) and not (ticket and ticket.pid):
                where = f"process {status['pid']} on {status['host']}"
                raise ValueError(f"{run.id} is being trained already, by {where}: it can be watched, not queued")
            if ticket is None or ticket.wanted != "run" or ticket.reason:
                # The config as the run folder has it, so that the process needs nothing else of this one.
                kept = self.store.create(config).config
                command = train_command(kept, self.store.root, data or os.environ.get("RESLAB_DATA"), device, threads)
                order = max((other.order for other in self._folder.tickets()), default=0) + 1
                new = Ticket(run.id, command, os.getcwd(), config.iterations, order)
                if ticket and ticket.process():  # it is being stopped; the worker must not lose sight of it
                    new = replace(new, host=ticket.host, pid=ticket.pid, started=ticket.started)
                self._folder.put(new)
            self._folder.serve()
        return run

    def pause(self, run_id: str) -> None:
        """Stops a run, with a checkpoint, until it is resumed; the next one trains. Raises ValueError if it is not in
        the queue.
        """
        with self._folder.gate():
            ticket = self._known(run_id)
            if ticket.wanted == "run" and not ticket.reason:
                self._want(ticket, "pause")

    def resume(self, run_id: str) -> None:
        """Puts a paused, failed, interrupted or waiting run at the front of the queue and sees to it that a worker
        serves it. Raises ValueError if it is not in the queue, RuntimeError if no worker starts.
        """
        with self._folder.gate():
            ticket = self._known(run_id)
            if ticket.wanted != "run" or not ticket.process():
                first = min(other.order for other in self._folder.tickets()) - 1
                known = ticket if ticket.process() else replace(ticket, pid=0)
                self._folder.put(replace(known, wanted="run", reason="", order=first))
            self._folder.serve()

    def stop(self, run_id: str) -> None:
        """Takes a run out of the queue; if it trains, it writes a checkpoint first. It can be added again any time."""
        with self._folder.gate():
            ticket = self._folder.get(run_id)
            if ticket and ticket.process():
                self._want(ticket, "stop")
            elif ticket:
                self._folder.drop(ticket)

    def clear(self) -> None:
        """Takes the failed runs out of the queue."""
        with self._folder.gate():
            for ticket in self._folder.tickets():
                if ticket.reason and ticket.wanted == "run":
                    self._folder.drop(ticket)

    def entries(self) -> list[Entry]:
        """What is in the queue: what trains, then the others in order. A few small files are read, nothing changes."""
        if not self._folder.path.is_dir():
            return []
        with self._folder.gate():
            tickets, served = self._folder.tickets(), self._folder.served()
        entries = [entry for ticket in tickets if (entry := self._entry(ticket, served))]
        return sorted(entries, key=lambda entry: entry.state not in ("starting", "training", "pausing", "stopping"))

    def _entry(self, ticket: Ticket, served: bool) -> Entry | None:
        run = Run(self.store.root / ticket.run)
        status, elsewhere = run.status, ticket.host != socket.gethostname()
        # With a worker alive a process that has ended is about to be noted: until then it counts as there.
        busy = ticket.pid and (served or ticket.process() or (elsewhere and alive(status)))
        if not busy and (status["state"] == "done" or ticket.wanted == "stop"):
            return None  # the worker that would have dropped it was killed
        seen = look(run.id, "starting" if busy else "paused", run, None, ticket.started)
        if busy:
            state = "starting" if seen.state == "starting" else "training"
            state = {"pause": "pausing", "stop": "stopping"}.get(ticket.wanted, state)
        elif ticket.wanted == "pause":
            state = "paused"
        else:
            state = "failed" if ticket.reason else "waiting" if served else "interrupted"
        if seen.iteration is None:  # it starts, and stands where it was stopped
            seen = look(run.id, "paused", run, None)
        return Entry(run, state, ticket.reason, seen.iteration or 0, ticket.iterations, seen.train_error, seen.left)

    def _known(self, run_id: str) -> Ticket:
        ticket = self._folder.get(run_id)
        if ticket is None:
            raise ValueError(f"{run_id} is not in the queue of {self.store.root}; add it first")
        return ticket

    def _want(self, ticket: Ticket, wanted: str) -> None:
        self._folder.put(replace(ticket, wanted=wanted))
        if ticket.process():  # whose worker may have been killed: a new one takes the process over, and stops it
            self._folder.serve()


def train_command(
    config: RunConfig,
    store: str | Path,
    data: str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
) -> list[str]:
    """The command that trains `config`: every field is said, so that no default can make it another run."""
    values = {name: value for name, value in config.to_dict().items() if name != "found"}  # which is no option
    values |= dict(store=str(Path(store).absolute()), data=data, device=device, threads=threads)
    # --no-wait: one that is being trained elsewhere must not hold up the others.
    return [sys.executable, "-m", "reslab", "train", "--no-wait", *options(values)]

"""The local engine: each notebook in a process of its own on this machine, some at a time."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..runs import Run
from ..training.stop import StopRequest
from .notebook import Interrupted
from .progress import Seen, Watch, look

POLL = 0.1  # seconds between looks at the processes
ASK_AGAIN = 60.0  # seconds after which a process that goes on is interrupted once more: it may be evaluating
PATIENCE = 180.0  # seconds that processes get to write checkpoints and end


@dataclass(frozen=True)
class Job:
    """One notebook to execute. `run` must be done afterwards, if it trains one; `seconds` is what it should take."""

    label: str
    notebook: Path
    out: Path
    parameters: dict[str, Any]
    run: Run | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How a job ended: `state` is done, failed or interrupted, `reason` why it is not done."""

    job: Job
    state: str
    reason: str = ""


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs(count: int, device: str) -> int:
    """How many of `count` runs at a time: one on a GPU; on a CPU one a core, as fast as threads, and what is not
    arithmetic runs side by side too.
    """
    return 1 if device == "cuda" else max(1, min(cores(), count))


def threads_each(at_once: int) -> int:
    """torch threads of each run, so that runs side by side share the cores. OMP_NUM_THREADS, where set, is obeyed."""
    return int(os.environ.get("OMP_NUM_THREADS") or max(1, cores() // at_once))


def run_all(jobs: Iterable[Job], at_once: int, watch: Watch) -> list[Outcome]:
    """Executes all jobs in their order, `at_once` at a time. One that fails leaves its notebook, with the error in it,
    and the others go on.

    Ctrl-C and SIGTERM are passed on; once every process has written its checkpoint and ended, raises Interrupted. A
    second one ends all of them at once.
    """
    engine = _Engine(list(jobs), at_once)
    with StopRequest() as stop, watch:
        try:
            while engine.active or (engine.waiting and stop.signal is None):
                if stop.signal is None:
                    engine.start()
                else:
                    engine.interrupt()
                engine.collect()
                watch.show(engine.look)
                time.sleep(POLL)
            watch.show(engine.look, last=True)
        finally:
            engine.kill()
    if stop.signal is not None:
        raise Interrupted(stop.signal)
    return engine.outcomes


@dataclass
class _Process:
    job: Job
    errors: IO[str]
    popen: subprocess.Popen
    started: float = field(default_factory=time.time)  # comparable with heartbeats


class _Engine:
    def __init__(self, jobs: list[Job], at_once: int):
        self.jobs, self.at_once = jobs, at_once
        self.waiting = list(jobs)
        self.active: list[_Process] = []
        self.outcomes: list[Outcome] = []
        self._asked: float | None = None  # when the first interrupt went out
        self._next_ask = 0.0

    def start(self) -> None:
        """Fills the free places."""
        while self.waiting and len(self.active) < self.at_once:
            job = self.waiting.pop(0)
            job.out.parent.mkdir(parents=True, exist_ok=True)
            errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (collect closes it)
            command = [sys.executable, "-m", "reslab.batch.notebook", str(job.notebook), str(job.out)]
            popen = subprocess.Popen(
                [*command, json.dumps(job.parameters)],
                env=os.environ | {"OMP_NUM_THREADS": str(threads_each(self.at_once))},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # Ctrl-C reaches it through us, once
            )
            self.active.append(_Process(job, errors, popen))

    def collect(self) -> None:
        """Takes note of the processes that have ended."""
        for process in [p for p in self.active if p.popen.poll() is not None]:
            self.active.remove(process)
            self.outcomes.append(_outcome(process))
            process.errors.close()

    def interrupt(self) -> None:
        """Asks what runs to stop; again from time to time; and ends it when it has had its time."""
        now = time.monotonic()
        self._asked = now if self._asked is None else self._asked
        if now - self._asked > PATIENCE:
            self.kill()
        elif now >= self._next_ask:
            self._next_ask = now + ASK_AGAIN
            for process in self.active:
                process.popen.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Ends what still runs. Kernels notice that their parent is gone; checkpoints of the last log points stay."""
        for process in self.active:
            process.popen.kill()
            process.popen.wait()

    def look(self) -> Sequence[Seen]:
        states = dict.fromkeys((job.label for job in self.jobs), "waiting")
        states |= {process.job.label: "starting" for process in self.active}
        states |= {outcome.job.label: outcome.state for outcome in self.outcomes}
        since = {process.job.label: process.started for process in self.active}
        return [look(j.label, states[j.label], j.run, j.seconds, since.get(j.label)) for j in self.jobs]


def _outcome(process: _Process) -> Outcome:
    job, code = process.job, process.popen.returncode
    process.errors.seek(0)
    said = [line for line in process.errors.read().splitlines() if line.strip()]
    for number in (signal.SIGINT, signal.SIGTERM):
        if code in (128 + number, -number):  # the latter while it was still starting
            return Outcome(job, "interrupted", f"stopped by {number.name}")
    if code == 0 and (job.run is None or job.run.state == "done"):
        return Outcome(job, "done")
    if code == 0:
        return Outcome(
            job, "failed", f"{job.notebook.name} ended, but {job.run.id} is {job.run.state}: it trained something else"
        )
    if code < 0:
        return Outcome(job, "failed", f"killed by {signal.Signals(-code).name}; was there enough memory?")
    status = job.run.status if job.run else {}
    if status.get("state") == "failed" and status["heartbeat"] >= process.started:
        return Outcome(job, "failed", status["failure"]["message"])
    return Outcome(job, "failed", said[-1] if said else f"exit code {code}")

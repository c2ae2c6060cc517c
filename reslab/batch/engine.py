"""The loop of a batch, the same on every engine: start what is missing, retry what died, share with other batches."""

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..training.patience import can_pass
from ..training.stop import StopRequest
from .jobs import Interrupted, Job, Outcome
from .progress import Seen, Watch, look

POLL = 0.02  # seconds between looks at the engine
ELSEWHERE = 2.0  # seconds between looks at a run that another batch trains
TRIES = 5  # attempts at a run that dies without getting any further
CHECK = 60.0  # seconds between two checks of the store
PAUSE = 2.0  # seconds until it is tried again when it failed
BACKOFF = 0.5  # seconds before the second attempt; twice as long before each further one


class Engine(Protocol):
    """Where attempts are made: see reslab.batch.attempt. An engine knows nothing of order, retries or other batches."""

    before_it_runs: str  # what a job is called that was started and has not shown any sign of life

    @property
    def room(self) -> int:
        """How many more jobs it takes now."""

    def start(self, job: Job) -> None: ...

    def finished(self) -> list[Outcome]:
        """Those that have ended since the last call."""

    def interrupt(self) -> None:
        """Asks what runs to write a checkpoint and end; called again and again until it has."""

    def close(self) -> None:
        """Ends what still runs, at once."""


@dataclass(order=True)
class _Task:
    """A job as the loop sees it. Ordered by the time from which it may be started."""

    job: Job = field(compare=False)
    not_before: float = 0.0
    tries: int = field(default=0, compare=False)
    reached: int = field(default=0, compare=False)  # the iteration that the run had when it died last
    started: float | None = field(default=None, compare=False)  # Unix seconds, while it is with the engine
    seen: Seen | None = field(default=None, compare=False)  # while nothing about it changes


def run_all(
    jobs: Iterable[Job], engine: Engine, watch: Watch, check: Callable[[], None] | None = None
) -> list[Outcome]:
    """Executes all jobs in their order, as many at a time as the engine takes. One that fails leaves its notebook, with
    the error in it, and the others go on.

    What died (a kernel, a process, a machine) is tried again, up to TRIES times without getting further. A run that
    another batch trains is left to it, and taken up when that one has stopped. Ctrl-C and SIGTERM are passed on; once
    every process has written its checkpoint and ended, raises Interrupted. A second one ends all of them at once.

    While `check`, or reading a run folder, fails for a reason that can pass (a full disk, a store out of reach), that
    is told and nothing is started; what trains waits by itself.
    """
    batch, store = _Batch(list(jobs), engine), _Store(check or (lambda: None), watch)
    with StopRequest() as stop, watch:
        try:
            while batch.active or (batch.left and stop.signal is None):
                with store.waiting_for_it():
                    if stop.signal is None:
                        store.check()
                        batch.start()
                    else:
                        batch.stopping = True
                        engine.interrupt()
                    batch.collect()
                    watch.show(batch.look)
                time.sleep(POLL)
            with store.waiting_for_it():
                watch.show(batch.look, last=True)
        finally:
            engine.close()
    if stop.signal is not None:
        raise Interrupted(stop.signal)
    return batch.outcomes


class _Store:
    """Whether the store can be used, told when that changes."""

    def __init__(self, check: Callable[[], None], watch: Watch):
        self._check, self._watch, self._next = check, watch, 0.0
        self._trouble = ""

    def check(self) -> None:
        if time.monotonic() >= self._next:
            self._check()
            self._next = time.monotonic() + CHECK
            if self._trouble:
                self._watch.say("The store can be used again.")
                self._trouble = ""

    @contextmanager
    def waiting_for_it(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not can_pass(error):
                raise
            if str(error) != self._trouble:
                self._watch.say(f"Paused: {error}. It goes on by itself when the store can be used again.")
            self._trouble, self._next = str(error), 0.0
            time.sleep(PAUSE)


class _Batch:
    def __init__(self, jobs: list[Job], engine: Engine):
        self.engine = engine
        self.tasks = [_Task(job, seen=Seen(job.label, "waiting", left=job.seconds)) for job in jobs]
        self.active: dict[str, _Task] = {}
        self.stopping = False  # then nothing is read any more that could be out of reach
        self.outcomes: list[Outcome] = []
        self._ready = deque(self.tasks)
        self._later: list[_Task] = []  # a heap
        self._ended: list[Outcome] = []
        self._elsewhere: set[str] = set()  # labels of what other batches train

    @property
    def left(self) -> bool:
        return bool(self._ready or self._later)

    def start(self) -> None:
        """Gives the engine what it takes."""
        while self._later and self._later[0].not_before <= time.monotonic():
            self._ready.append(heapq.heappop(self._later))
        while self._ready and self.engine.room:
            task = self._ready[0]
            state = task.job.state  # where this raises the task stays first
            if state == "done":
                self._end(task, Outcome(task.job, "done"))
            elif state in ("running", "finishing"):
                self._leave_to_others(task)
            else:
                started = time.time()
                self.engine.start(task.job)
                self._elsewhere.discard(task.job.label)
                task.started, task.seen = started, None
                self.active[task.job.label] = task
            self._ready.popleft()

    def collect(self) -> None:
        """Takes note of the attempts that have ended."""
        self._ended += self.engine.finished()
        while self._ended:  # each stays there until it is dealt with: the store may be away
            outcome = self._ended[0]
            task = self.active[outcome.job.label]
            if outcome.state == "busy":
                self._leave_to_others(task)
            elif outcome.state == "died" and self.stopping:
                self._end(task, replace(outcome, state="interrupted"))
            elif outcome.state == "died":
                self._try_again(task, outcome)
            else:
                self._end(task, outcome)
            del self._ended[0], self.active[outcome.job.label]

    def _leave_to_others(self, task: _Task) -> None:
        self._elsewhere.add(task.job.label)
        self._set_aside(task, ELSEWHERE, None)

    def _try_again(self, task: _Task, outcome: Outcome) -> None:
        reached = task.job.run.status.get("iteration", 0) if task.job.run else 0
        task.tries = 1 if reached > task.reached else task.tries + 1
        task.reached = max(reached, task.reached)
        if task.tries < TRIES:
            waiting = Seen(task.job.label, "waiting", left=task.job.seconds, note=outcome.reason)
            self._set_aside(task, BACKOFF * 2 ** (task.tries - 1), waiting)
        else:
            reason = f"ended {TRIES} times without getting further, the last time: {outcome.reason}"
            self._end(task, Outcome(task.job, "failed", reason))

    def _set_aside(self, task: _Task, seconds: float, seen: Seen | None) -> None:
        task.not_before, task.started, task.seen = time.monotonic() + seconds, None, seen
        heapq.heappush(self._later, task)

    def _end(self, task: _Task, outcome: Outcome) -> None:
        seen = Seen(task.job.label, outcome.state)
        task.seen = seen if self.stopping else look(seen.label, seen.state, task.job.run, None)
        self._elsewhere.discard(task.job.label)
        self.outcomes.append(outcome)

    def look(self) -> Sequence[Seen]:
        """Every job as it stands; only those that may have changed are read."""
        return [task.seen or self._read(task) for task in self.tasks]

    def _read(self, task: _Task) -> Seen:
        job = task.job
        state = "elsewhere" if job.label in self._elsewhere else self.engine.before_it_runs
        return look(job.label, state, job.run, job.seconds, task.started)

"""What a batch consists of: a notebook to execute, and how that ended. Engines, progress and reports share these."""

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import Place, exists
from ..runs import Run

DRAWING = 30.0  # seconds that a notebook gets after its run's end: it still draws the curves
BUSY, DIED = 75, 76  # exit codes of reslab.batch.notebook for ends that say nothing about the notebook itself


class Interrupted(Exception):
    """What ran was stopped by `signal`, after training in it, if any, wrote its checkpoint."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.signal = number


def failed_name(out: Place) -> Place:
    """Where a notebook that should go to `out` is kept, with the error in it, while it fails."""
    return out.with_name(f"{out.stem}.failed.ipynb")


@dataclass(frozen=True)
class Job:
    """One notebook to execute. `run` must be done afterwards, if it trains one; `seconds` is what it should take.

    `out` is where the executed notebook goes: a path, or a place in an object store.
    """

    label: str
    notebook: Path
    out: Place
    parameters: dict[str, Any]
    run: Run | None = None
    seconds: float | None = None

    @property
    def state(self) -> str:
        """The run's; "finishing" or "unshown" where that is done and its notebook is not there, yet or any more."""
        if self.run is None:
            return "new"
        state = self.run.state
        if state == "done" and not exists(self.out):
            return "finishing" if time.time() - self.run.status["heartbeat"] < DRAWING else "unshown"
        return state


@dataclass(frozen=True)
class Outcome:
    """How an attempt at a job ended, and why if it is not done.

    `state`: done; failed, which trying again would not change; died, which it might (a process was killed, a machine
    taken away); busy, because another batch trains this run; or interrupted, because this one was asked to stop.
    """

    job: Job
    state: str
    reason: str = ""

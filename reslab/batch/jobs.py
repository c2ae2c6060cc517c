"""What a batch consists of: a notebook to execute, and how that ended. Engines, progress and reports share these."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runs import Run

BUSY, DIED = 75, 76  # exit codes of reslab.batch.notebook for ends that say nothing about the notebook itself


class Interrupted(Exception):
    """What ran was stopped by `signal`, after training in it, if any, wrote its checkpoint."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.signal = number


@dataclass(frozen=True)
class Job:
    """One notebook to execute. `run` must be done afterwards, if it trains one; `seconds` is what it should take."""

    label: str
    notebook: Path
    out: Path  # where the executed notebook goes; in a run folder of a store on a URL, a UPath
    parameters: dict[str, Any]
    run: Run | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How an attempt at a job ended, and why if it is not done.

    `state`: done; failed, which trying again would not change; died, which it might (a process was killed, a machine
    taken away); busy, because another batch trains this run; or interrupted, because this one was asked to stop.
    """

    job: Job
    state: str
    reason: str = ""

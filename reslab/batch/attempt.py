"""One attempt at a job: a process of its own that executes the notebook. Every engine makes these, somewhere."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

from .jobs import BUSY, DIED, Job, Outcome

ASK_AGAIN = 60.0  # seconds after which a process that goes on is interrupted once more: it may be evaluating
PATIENCE = 180.0  # seconds that a process gets to write a checkpoint and end


class Attempt:
    """Starts the process at once, with `environment` added to this one's. It ends by itself if this process dies."""

    def __init__(self, job: Job, environment: Mapping[str, str]):
        self.job, self.started = job, time.time()  # comparable with heartbeats
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (poll closes it, once it has an answer)
        self._asked: float | None = None  # when it was first interrupted
        self._next_ask = 0.0
        self._popen = subprocess.Popen(
            self.command(job),
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C reaches it through us, once
        )

    def command(self, job: Job) -> list[str]:
        """The process's command line."""
        command = [sys.executable, "-m", "reslab.batch.notebook", str(job.notebook), str(job.out)]
        return [*command, json.dumps(job.parameters), str(os.getpid())]

    def poll(self) -> Outcome | None:
        """How it ended; None while it has not."""
        code = self._popen.poll()
        if code is None:
            return None
        self._errors.seek(0)
        said = [line for line in self._errors.read().splitlines() if line.strip()]
        outcome = self._judge(code, said[-1] if said else f"exit code {code}")  # may raise, if the store is away
        self._errors.close()
        return outcome

    def _judge(self, code: int, last_words: str) -> Outcome:
        job = self.job
        if code == 0 and (job.run is None or job.run.state == "done"):
            return Outcome(job, "done")
        if code == 0:
            reason = f"{job.notebook.name} ended, but {job.run.id} is {job.run.state}: it trained something else"
            return Outcome(job, "failed", reason)
        for number in (signal.SIGINT, signal.SIGTERM):
            if code in (128 + number, -number):  # the latter while it was still starting
                return Outcome(job, "died" if self._asked is None else "interrupted", f"stopped by {number.name}")
        if code < 0:
            return Outcome(job, "died", f"killed by {signal.Signals(-code).name}; was there enough memory?")
        if code in (BUSY, DIED):
            return Outcome(job, "busy" if code == BUSY else "died", last_words)
        status = job.run.status if job.run else {}
        if status.get("state") == "failed" and status["heartbeat"] >= self.started:
            return Outcome(job, "failed", status["failure"]["message"])
        return Outcome(job, "failed", last_words)

    def interrupt(self) -> None:
        """Asks it to write a checkpoint and end; to be called until it has: it is asked again, and at last ended."""
        now = time.monotonic()
        self._asked = now if self._asked is None else self._asked
        if now - self._asked > PATIENCE:
            self.kill()
        elif now >= self._next_ask:
            self._next_ask = now + ASK_AGAIN
            self._popen.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Ends it. Its kernel notices that its parent is gone; the checkpoint of the last log point stays."""
        self._popen.kill()
        self._popen.wait()

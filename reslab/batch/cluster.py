"""The Ray engine: the same attempts as Ray tasks, on a cluster that is there or on this machine alone.

Which task runs where and when is Ray's to decide; what a task needs is all that is told to it.
"""

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..cores import cores
from ..runs import Run
from .attempt import Attempt
from .jobs import Job, Outcome

POLL = 0.1  # seconds between a task's looks at its process
RETRIES = 3  # times that Ray starts a task again elsewhere when its worker or its machine died
COUNT_AGAIN = 10.0  # seconds between two looks at how large the cluster is
AHEAD = 2  # tasks with Ray for each that it can run now: enough for it, or an autoscaler, to see what is wanted
HANDED_ON = ("RESLAB_DATA", "AWS_", "FSSPEC_")  # beginnings of the environment variables that tasks get from here


class RayEngine:
    """Tasks of one GPU's `1 / per_gpu`, or of `threads` cores where the cluster has no GPU.

    `address` is a cluster's ("auto" for the one that this machine belongs to); without one, Ray is started here and
    ends with this process. Raises ConnectionError if there is no such cluster, ValueError if none of its nodes has so
    many cores.
    """

    before_it_runs = "queued"

    def __init__(self, address: str | None = None, per_gpu: int = 1, threads: int = 1):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        os.environ.setdefault(
            "RAY_NUM_REDIS_GET_RETRIES", "2"
        )  # or it looks for a cluster that is not there for minutes
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray  # here, because it is an extra: EngineOptions has looked for it

        self._ray = ray
        quiet: dict[str, Any] = dict(log_to_driver=False, logging_level="error")
        if address:
            quiet["address"] = address
        else:
            quiet |= dict(num_cpus=cores(), include_dashboard=False, _node_ip_address="127.0.0.1")
        try:
            ray.init(**quiet)
        except Exception as error:  # Ray raises plain ones too
            place = f"the cluster at {address} does not answer" if address else "Ray does not start here"
            raise ConnectionError(f"{place}: {str(error).strip().splitlines()[0]}") from None
        on_gpus = bool(ray.cluster_resources().get("GPU"))
        self._needs = {"GPU": 1 / per_gpu} if on_gpus else {"CPU": threads}
        most = max(node["Resources"].get("CPU", 0) for node in ray.nodes())
        if not on_gpus and most < threads:
            raise ValueError(f"no node of the cluster has {threads} cores for a run; set OMP_NUM_THREADS={most:.0f}")
        needs = dict(num_gpus=1 / per_gpu, num_cpus=1) if on_gpus else dict(num_cpus=threads)
        self._task = ray.remote(max_retries=RETRIES, **needs)(attempt)
        self._environment = {k: v for k, v in os.environ.items() if k.startswith(HANDED_ON)}
        if "RESLAB_DATA" in self._environment:
            self._environment["RESLAB_DATA"] = str(Path(os.environ["RESLAB_DATA"]).expanduser().resolve())
        self._environment["OMP_NUM_THREADS"] = str(threads)
        self._counted, self._at_once = -COUNT_AGAIN, 1
        self._active: dict[ray.ObjectRef, Job] = {}
        self._cancelled: set[ray.ObjectRef] = set()

    @property
    def at_once(self) -> int:
        """How many tasks the cluster has room for, as it is now: it may grow."""
        if time.monotonic() - self._counted > COUNT_AGAIN:
            has = self._ray.cluster_resources()
            self._at_once = max(1, *(int(has.get(what, 0) / much) for what, much in self._needs.items()))
            self._counted = time.monotonic()
        return self._at_once

    @property
    def room(self) -> int:
        return AHEAD * self.at_once - len(self._active)

    def start(self, job: Job) -> None:
        # The notebook travels along: another machine need not have this checkout at this path.
        # What a Run has read already stays here: a shortcut of a user's own cannot be sent.
        sent = replace(job, run=job.run and Run(job.run.path))
        self._active[self._task.remote(sent, job.notebook.read_text(), self._environment)] = job

    def finished(self) -> list[Outcome]:
        if not self._active:
            return []
        ready, _ = self._ray.wait(list(self._active), num_returns=len(self._active), timeout=0)
        return [self._outcome(ref) for ref in ready]

    def _outcome(self, ref) -> Outcome:
        job = self._active.pop(ref)
        try:
            return replace(self._ray.get(ref), job=job)
        except self._ray.exceptions.TaskCancelledError:
            return Outcome(job, "interrupted", "stopped before it began")
        except self._ray.exceptions.RayTaskError as error:
            return Outcome(job, "died", str(error).strip().splitlines()[-1])
        except self._ray.exceptions.RayError as error:
            return Outcome(job, "died", str(error).strip().splitlines()[0])

    def interrupt(self) -> None:
        for ref in self._active.keys() - self._cancelled:
            self._ray.cancel(ref)  # raises KeyboardInterrupt in the task
            self._cancelled.add(ref)

    def close(self) -> None:
        for ref in self._active:
            self._ray.cancel(ref, force=True)
        self._ray.shutdown()


def attempt(job: Job, notebook: str, environment: Mapping[str, str]) -> Outcome:
    """The Ray task: an attempt at `job`, whose notebook is the text `notebook`."""
    with tempfile.TemporaryDirectory(prefix="reslab-") as folder:
        here = Path(folder) / job.notebook.name
        here.write_text(notebook)
        trying = Attempt(replace(job, notebook=here), environment)
        try:
            outcome = _wait(trying)
        except KeyboardInterrupt:
            outcome = _wait(trying, stop=True)
        return replace(outcome, job=job)


def _wait(trying: Attempt, stop: bool = False) -> Outcome:
    while (outcome := trying.poll()) is None:
        if stop:
            trying.interrupt()
        time.sleep(POLL)
    return outcome

"""The local engine: processes on this machine, so many at a time, each with its share of the cores or of a GPU."""

import os
from collections.abc import Mapping

from ..cores import RUNS_AT_ONCE, cores
from .attempt import Attempt
from .jobs import Job, Outcome


def gpus() -> list[str]:
    """The CUDA devices that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[:count] if visible else [str(index) for index in range(count)]


def default_jobs(count: int, devices: int, per_gpu: int = 1) -> int:
    """How many of `count` runs at a time: `per_gpu` on each GPU; without one, one a core, as fast as threads, and what
    is not arithmetic runs side by side too.
    """
    return max(1, min(devices * per_gpu or cores(), count))


def threads_each(at_once: int) -> int:
    """torch threads of each run, so that runs side by side share the cores. OMP_NUM_THREADS, where set, is obeyed."""
    return int(os.environ.get("OMP_NUM_THREADS") or max(1, cores() // at_once))


class LocalEngine:
    """`at_once` processes on this machine, spread over `devices`, names of CUDA devices, if there are any."""

    before_it_runs = "starting"
    attempt: type[Attempt] = Attempt

    def __init__(self, at_once: int, devices: list[str] | None = None):
        self.at_once = at_once
        self._shared = {"OMP_NUM_THREADS": str(threads_each(at_once)), RUNS_AT_ONCE: str(at_once)}
        # A place each; the devices take turns, so that two runs on two GPUs do not share one.
        self._free = [self._place(devices[i % len(devices)] if devices else None) for i in range(at_once)]
        self._active: dict[str, tuple[Attempt, Mapping[str, str]]] = {}

    def _place(self, device: str | None) -> Mapping[str, str]:
        return self._shared | ({"CUDA_VISIBLE_DEVICES": device} if device else {})

    @property
    def room(self) -> int:
        return len(self._free)

    def start(self, job: Job) -> None:
        place = self._free[0]
        self._active[job.label] = self.attempt(job, place), place
        self._free.pop(0)

    def finished(self) -> list[Outcome]:
        ended = []
        for label, (attempt, place) in list(self._active.items()):
            try:
                outcome = attempt.poll()
            except OSError:  # the store is away: what is known already is not lost, the rest comes next time
                if ended:
                    break
                raise
            if outcome:
                del self._active[label]
                self._free.append(place)
                ended.append(outcome)
        return ended

    def interrupt(self) -> None:
        for attempt, _ in self._active.values():
            attempt.interrupt()

    def close(self) -> None:
        for attempt, _ in self._active.values():
            attempt.kill()

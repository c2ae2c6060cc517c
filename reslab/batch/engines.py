"""Which engine runs a batch: what `reslab reproduce --engine --jobs --per-gpu --address` says, checked."""

from dataclasses import dataclass
from importlib.util import find_spec

from ..cores import cores
from .engine import Engine
from .local import LocalEngine, default_jobs, gpus, threads_each

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class EngineOptions:
    """`jobs`: runs at a time on this machine, None for as many as suit it. `per_gpu`: runs that share a GPU. `address`:
    of a Ray cluster; None starts Ray on this machine.

    Raises ValueError, naming the option and what is allowed.
    """

    name: str = "local"
    jobs: int | None = None
    per_gpu: int = 1
    address: str | None = None

    def __post_init__(self):
        if self.name not in ENGINES:
            raise ValueError(f"engine={self.name!r} does not exist; allowed: {', '.join(ENGINES)}")
        if self.jobs is not None and self.jobs < 1:
            raise ValueError(f"jobs={self.jobs} would run nothing; allowed: 1 or more")
        if self.per_gpu < 1:
            raise ValueError(f"per_gpu={self.per_gpu} would run nothing; allowed: 1 or more")
        if self.name == "ray" and not find_spec("ray"):
            raise ValueError("--engine ray needs Ray, which is not installed: pip install 'reslab[ray]'")
        if self.name == "local" and self.per_gpu > 1 and not gpus():
            raise ValueError(f"per_gpu={self.per_gpu} shares a GPU, and torch sees none here; use --jobs")
        if self.name == "ray" and self.jobs is not None:
            raise ValueError("jobs is for the local engine: Ray runs as many at a time as the cluster has room for")
        if self.name == "local" and self.address is not None:
            raise ValueError("address is a Ray cluster's; add --engine ray")

    def at_once(self, count: int) -> int:
        """How many of `count` runs go side by side on this machine alone."""
        return self.jobs or default_jobs(count, len(gpus()), self.per_gpu)

    def threads(self, count: int) -> int:
        """torch threads of each of `count` runs: part of what makes a run's bits, so the same however many are left.

        On a cluster one, unless OMP_NUM_THREADS says otherwise: every node has room for that.
        """
        return threads_each(cores() if self.name == "ray" else self.at_once(count))

    def make(self, count: int) -> Engine:
        """The engine for a study of `count` runs, ready to start jobs; close it when done."""
        if self.name == "local":
            return LocalEngine(self.at_once(count), gpus())
        from .cluster import RayEngine

        return RayEngine(self.address, self.per_gpu, self.threads(count))

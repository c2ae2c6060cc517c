"""What a batch costs besides its runs: planning it, and seeing to the processes that would train it."""

import io
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil
from rich.console import Console

from ..batch.attempt import Attempt
from ..batch.engine import run_all
from ..batch.jobs import Job
from ..batch.local import LocalEngine
from ..batch.plan import make_plan
from ..batch.progress import LogLines
from ..batch.spec import Experiment
from ..cores import cores
from ..runs import RunStore
from .children import python_says, python_takes
from .folders import status, write_run

NETS = 2  # of the study: as many seeds as it takes
STUDY = """\
title: Many runs
question: What do many runs cost besides their training?
notebook: train.ipynb
report: study.ipynb
profile: smoke
seeds: {seeds}
grid:
  depth: 20
  shortcut: [none, A]
"""
PLAN = """
import sys, time, torch
from reslab.batch.plan import make_plan
start = time.perf_counter()
make_plan(sys.argv[1], store=sys.argv[2])
print(time.perf_counter() - start)
"""
ORCHESTRATE = "import json, sys; from reslab.bench.batches import run; print(json.dumps(run(*sys.argv[1:])))"
# What stands in for training: a process that ends at once, its run done.
END = "import os, sys; os.replace(sys.argv[1] + '/end.json', sys.argv[1] + '/status.json')"


class Cost(NamedTuple):
    """Of a batch whose runs end at once: seconds a run beyond those of its processes, and the peak of its memory."""

    seconds: float
    megabytes: float


def write_study(folder: Path, runs: int) -> Path:
    """The file of a study of so many runs, an even number."""
    file = folder / "many.yaml"
    file.write_text(STUDY.format(seeds=runs // NETS))
    return file


def write_store(store: Path, study: Path, done: float) -> None:
    """The folders of that part of the study's runs, all of them done."""
    configs = Experiment.load(study).configs()
    for config in configs[: round(done * len(configs))]:
        write_run(store / config.id, config.to_dict(), "done")


def planning(study: Path, store: Path) -> float:
    """Seconds that a process which has imported torch takes to plan the study."""
    return float(python_says("-c", PLAN, str(study), str(store)))


def dry_run(study: Path, store: Path) -> float:
    """Seconds of the whole `reslab reproduce --dry-run`, in a store where all is done: no step of training is timed."""
    return python_takes("-m", "reslab", "reproduce", str(study), "--store", str(store), "--dry-run")


def orchestration(study: Path, folder: Path) -> Cost:
    """What a batch of the study costs in a process of its own. Two stores are written to `folder`."""
    for store in ("batch", "bare"):
        for config in Experiment.load(study).configs():
            write_run(folder / store / config.id, config.to_dict(), "interrupted")
            (folder / store / config.id / "end.json").write_text(json.dumps(status(config.to_dict(), "done")))
    return Cost(*json.loads(python_says("-c", ORCHESTRATE, str(study), str(folder))))


def run(study: str, folder: str) -> Cost:
    """The batch itself, and then the same processes, as many at a time, with nothing around them."""
    plan = make_plan(study, store=Path(folder, "batch"))
    jobs = plan.jobs({planned.config: 60.0 for planned in plan.missing})
    watch = _Weighing(Console(file=io.StringIO()), cores())
    commands = [_command(run.path) for run in RunStore(Path(folder, "bare"))]
    start = time.perf_counter()
    outcomes = run_all(jobs, _Engine(cores()), watch)
    middle = time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(lambda command: subprocess.run(command, check=True, stdin=subprocess.DEVNULL), commands))
    bare = time.perf_counter() - middle
    failed = [outcome.reason for outcome in outcomes if outcome.state != "done"]
    if failed:
        raise OSError(f"{len(failed)} of {len(jobs)} runs failed: {failed[0]}")
    return Cost((middle - start - bare) / len(jobs), watch.peak / 1e6)


def _command(folder: Path) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", END, str(folder)]


class _Ending(Attempt):
    """An attempt without papermill, kernel and training."""

    def command(self, job: Job) -> list[str]:
        return _command(job.run.path)


class _Engine(LocalEngine):
    attempt = _Ending


class _Weighing(LogLines):
    """Notes the most memory that this process was seen with, in bytes.

    Not the peak that the system keeps: a process starts with that of the one which started it.
    """

    peak = 0

    def show(self, look_at_all, last: bool = False) -> None:
        super().show(look_at_all, last)
        self.peak = max(self.peak, psutil.Process().memory_info().rss)

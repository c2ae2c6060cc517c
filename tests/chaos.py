"""A study whose processes are killed at random while it runs: `python -m tests.chaos --kills 50`.

Whoever is killed (the orchestrator, papermill, a kernel, a Ray worker), the command is typed again until it says that
it is done. What it leaves must be what an undisturbed study leaves.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil

from reslab import RunStore
from reslab.training.provenance import git

from .batch_fixtures import SPEC, write_study
from .processes import result

TOKEN = "RESLAB_TEST_CHAOS"  # an environment variable by which the processes of a study know each other
SETTLE = 60.0  # seconds that orphans get to end by themselves
# What a process is, by a word of its command line; the first that fits.
KINDS = {
    "reslab.batch.notebook": "papermill",
    "ipykernel_launcher": "kernel",
    "ray::": "Ray worker",
    "raylet": "Ray",
    "gcs_server": "Ray",
    "reproduce": "orchestrator",
}


@dataclass
class Story:
    """What happened: how often the command was typed, who was killed, how long it took."""

    typed: int = 0
    seconds: float = 0.0
    killed: Counter = field(default_factory=Counter)
    endings: Counter = field(default_factory=Counter)  # exit codes of the command


def study(folder: Path, seeds: int = 3, iterations: int = 12) -> Path:
    """An experiment of four small nets, with the notebooks of tests.batch_fixtures."""
    folder.mkdir(parents=True)
    spec = SPEC.replace("grid:", f"seeds: {seeds}\ngrid:\n  iterations: {iterations}")
    return write_study(folder, spec.replace("[none, A]", "[none, A, B, C]"))


def reproduce(study: Path, store: str | Path, *options: str) -> list[str]:
    command = [sys.executable, "-m", "reslab", "reproduce", str(study), "--store", str(store)]
    return [*command, "--out", str(study.parent / "reports"), *options]


def disturbed(
    command: list[str],
    kills: int,
    seed: int = 0,
    pause: float = 1.0,
    environment: Mapping[str, str] | None = None,
    spare: Sequence[str] = (),
) -> Story:
    """Types `command` until it ends well, and kills one of its processes at a time, `kills` in all, at random moments
    `pause` seconds apart on average. Kinds in `spare` are left alone.
    """
    rng, story, token = random.Random(seed), Story(), uuid.uuid4().hex
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | (environment or {}) | {TOKEN: token}
    begin = time.monotonic()
    while True:
        story.typed += 1
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(command, env=environment, stdout=said, stderr=said, start_new_session=True)
            while process.poll() is None:
                if story.killed.total() < kills:
                    time.sleep(rng.expovariate(1 / pause))
                    _kill_one(token, rng, story.killed, spare)
                else:
                    time.sleep(0.1)
            story.endings[process.returncode] += 1
            if process.returncode == 0:
                story.seconds = round(time.monotonic() - begin, 1)
                _wait_for_orphans(token)
                return story
            if story.killed.total() == kills and story.typed > kills + 3:
                said.seek(0)
                raise AssertionError(f"it does not end well any more: {said.read()[-3000:]}")


def _processes(token: str) -> list[tuple[str, psutil.Process]]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(TOKEN) == token and process.status() != psutil.STATUS_ZOMBIE:
                words = " ".join(process.cmdline())
                found.append((next((kind for word, kind in KINDS.items() if word in words), "other"), process))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _kill_one(token: str, rng: random.Random, killed: Counter, spare: Sequence[str]) -> None:
    """Each kind is as likely, however many processes it has; nobody is killed before the first run has begun."""
    processes = [(kind, process) for kind, process in _processes(token) if kind not in spare]
    if {"papermill", "kernel"} & {kind for kind, _ in processes}:
        kind = rng.choice(sorted({kind for kind, _ in processes}))
        try:
            rng.choice([process for its, process in processes if its == kind]).kill()
        except psutil.NoSuchProcess:
            return
        killed[kind] += 1


def _wait_for_orphans(token: str) -> None:
    deadline = time.monotonic() + SETTLE
    while left := _processes(token):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.1)


def assert_same(store: str | Path, undisturbed: str | Path) -> None:
    """The same runs, each done, with the same config, metrics but for the clock, weights; notebooks without error."""
    found, wanted = ({run.id: run for run in RunStore(s)} for s in (store, undisturbed))
    assert found.keys() == wanted.keys()
    for name, run in found.items():
        assert run.state == "done", name
        assert (run.path / "config.json").read_bytes() == (wanted[name].path / "config.json").read_bytes(), name
        assert result(run) == result(wanted[name]), name
        notebook = nbformat.reads((run.path / "notebook.ipynb").read_text(), 4)
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(cell.metadata.papermill.start_time for cell in cells), name
        assert not any(out.output_type == "error" for cell in cells for out in cell.outputs), name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two kills, on average")
    parser.add_argument("--engine", default="local")
    parser.add_argument(
        "--faults", type=float, help="store on S3, and each request meets a fault with this probability"
    )
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, store, environment = Path(name), f"{name}/wild", {}
        if given.faults is not None:
            from .s3_fixtures import S3

            s3 = stack.enter_context(S3(given.faults, given.seed))
            store, environment = s3.url, s3.environment
            os.environ |= environment
        file = study(folder / "study")
        calm = disturbed(reproduce(file, folder / "calm", "--engine", given.engine), kills=0)
        command = reproduce(file, store, "--engine", given.engine)
        story = disturbed(command, given.kills, given.seed, given.pause, environment)
        counts = dict(killed=dict(story.killed), endings=dict(story.endings))
        if given.faults is not None:
            counts |= dict(faults=dict(s3.met), requests=s3.requests.total())
            s3.disturb(0.0)
        assert_same(store, folder / "calm")
    facts = dict(commit=git("rev-parse", "HEAD"), dirty=bool(git("status", "--porcelain", "--untracked-files=no")))
    told = facts | dict(engine=given.engine, undisturbed_seconds=calm.seconds) | vars(story) | counts
    print(f"the same after {story.killed.total()} kills: {json.dumps(told)}")
    if given.json:
        given.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()

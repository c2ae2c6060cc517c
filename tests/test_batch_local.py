"""The local engine and its attempts: processes side by side, how they end, cores and GPUs."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

from reslab import RunConfig, RunStore
from reslab.batch import attempt, local
from reslab.batch import engine as loop
from reslab.batch.engine import run_all
from reslab.batch.jobs import Job
from reslab.batch.local import LocalEngine, default_jobs, gpus, threads_each
from reslab.batch.notebook import Interrupted

from .batch_fixtures import write_notebook
from .processes import wait_until
from .test_batch_engine import Watching


def test_a_failure_is_told_with_its_reason_and_stops_nobody(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(local, "cores", lambda: 6)
    cell = "import os, signal; print(os.environ['OMP_NUM_THREADS'])\nif what: exec(what)"
    notebook = write_notebook(tmp_path / "a.ipynb", "what: str = ''", cell)
    whats = {
        "raises": "1 / 0",
        "prints": "",
        "killed": "os.kill(os.getppid(), signal.SIGKILL)",
        "stopped": "os.kill(os.getppid(), signal.SIGTERM); import time; time.sleep(60)",
        "other": "",
    }
    run = RunStore(tmp_path / "runs").run(RunConfig(profile="smoke"))
    jobs = [
        Job(label, notebook, tmp_path / label / "notebook.ipynb", {"what": what}, run if label == "other" else None)
        for label, what in whats.items()
    ]
    monkeypatch.setattr(loop, "TRIES", 2)
    watching = Watching()
    outcomes = {outcome.job.label: outcome for outcome in run_all(jobs, LocalEngine(2), watching)}
    assert {label: outcome.state for label, outcome in outcomes.items()} == {
        "raises": "failed",
        "prints": "done",
        "killed": "failed",
        "stopped": "failed",
        "other": "failed",
    }
    assert outcomes["raises"].reason == "ZeroDivisionError: division by zero"
    assert "killed by SIGKILL" in outcomes["killed"].reason
    assert outcomes["stopped"].reason.endswith("the last time: stopped by SIGTERM")
    assert "trained something else" in outcomes["other"].reason
    assert "ZeroDivisionError" in (tmp_path / "raises/notebook.failed.ipynb").read_text()
    (printed,) = nbformat.read(tmp_path / "prints/notebook.ipynb", 4).cells[-1].outputs
    assert printed.text == "3\n"  # 6 cores, 2 at a time
    assert list(watching.looks[0].values()) == ["starting"] * 2 + ["waiting"] * 3
    assert max(list(look.values()).count("starting") for look in watching.looks) == 2
    assert not {"waiting", "starting"} & {*watching.looks[-1].values()}


def test_what_does_not_stop_in_time_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(attempt, "PATIENCE", 1.0)
    monkeypatch.setattr(attempt, "ASK_AGAIN", 0.2)
    stubborn = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); open(path, 'w'); time.sleep(60)"
    notebook = write_notebook(tmp_path / "a.ipynb", "path: str = ''", stubborn)
    begun = tmp_path / "begun"

    class Stopping(Watching):
        def show(self, look_at_all, last=False):
            super().show(look_at_all, last)
            if begun.exists() and not hasattr(self, "asked"):
                self.asked = time.monotonic()
                os.kill(os.getpid(), signal.SIGINT)

    watching = Stopping()
    jobs = [Job(name, notebook, tmp_path / f"{name}.ipynb", {"path": str(begun)}) for name in ("first", "never")]
    with pytest.raises(Interrupted):
        run_all(jobs, LocalEngine(1), watching)
    assert time.monotonic() - watching.asked < 10
    assert watching.looks[-1] == dict(first="interrupted", never="waiting") and not (tmp_path / "never.ipynb").exists()


def test_cores_are_shared(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(local, "cores", lambda: 8)
    assert default_jobs(4, devices=0) == 4 and default_jobs(40, devices=0) == 8
    assert default_jobs(40, devices=1) == 1 and default_jobs(40, devices=8, per_gpu=2) == 16
    assert threads_each(1) == 8 and threads_each(3) == 2 and threads_each(16) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert threads_each(3) == 5


def test_gpus_are_shared_by_turns(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")  # what a scheduler such as SLURM gave us
    assert gpus() == ["5", "7"]
    seen = []
    notebook = write_notebook(
        tmp_path / "a.ipynb", "x: int = 0", "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    )
    engine = LocalEngine(4, gpus())
    jobs = [Job(str(i), notebook, tmp_path / f"{i}.ipynb", {"x": i}) for i in range(4)]
    assert {outcome.state for outcome in run_all(jobs, engine, Watching())} == {"done"}
    for job in jobs:
        (printed,) = nbformat.read(job.out, 4).cells[-1].outputs
        seen.append(printed.text.strip())
    assert seen == ["5", "7", "5", "7"]


def test_an_attempt_whose_starter_dies_stops(tmp_path):
    waits = "import time; open(path, 'w').close()\ntry: time.sleep(60)\nfinally: open(path + '.stopped', 'w').close()"
    notebook = write_notebook(tmp_path / "a.ipynb", "path: str = ''", waits)
    out, begun = tmp_path / "out.ipynb", tmp_path / "begun"
    code = (
        "import time; from pathlib import Path; from reslab.batch.attempt import Attempt; "
        "from reslab.batch.jobs import Job; "
        f"a = Attempt(Job('a', Path({str(notebook)!r}), Path({str(out)!r}), dict(path={str(begun)!r})), {{}}); "
        "print(a._popen.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        attempt = psutil.Process(int(starter.stdout.readline()))
        wait_until(begun.exists)
        starter.kill()
    psutil.wait_procs([attempt], timeout=30)
    assert not attempt.is_running() and (tmp_path / "begun.stopped").exists() and not out.exists()

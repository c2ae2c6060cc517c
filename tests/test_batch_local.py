"""The local engine: processes side by side, failures, threads. Stopping it is tested in test_batch_reproduce."""

import os
import signal
import time

import nbformat
import pytest

from reslab import RunConfig, RunStore
from reslab.batch import local
from reslab.batch.local import Job, default_jobs, run_all, threads_each

from .batch_fixtures import write_notebook


class Watching:
    """Keeps every look."""

    def __init__(self):
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        pass

    def show(self, look_at_all, last=False):
        self.seen.append([row.state for row in look_at_all()])


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
    watching = Watching()
    outcomes = {outcome.job.label: outcome for outcome in run_all(jobs, 2, watching)}
    assert {label: outcome.state for label, outcome in outcomes.items()} == {
        "raises": "failed",
        "prints": "done",
        "killed": "failed",
        "stopped": "interrupted",
        "other": "failed",
    }
    assert outcomes["raises"].reason == "ZeroDivisionError: division by zero"
    assert "killed by SIGKILL" in outcomes["killed"].reason
    assert outcomes["stopped"].reason == "stopped by SIGTERM"
    assert "trained something else" in outcomes["other"].reason
    assert "ZeroDivisionError" in (tmp_path / "raises/notebook.ipynb").read_text()
    (printed,) = nbformat.read(tmp_path / "prints/notebook.ipynb", 4).cells[-1].outputs
    assert printed.text == "3\n"  # 6 cores, 2 at a time
    assert watching.seen[0] == ["starting"] * 2 + ["waiting"] * 3
    assert max(states.count("starting") for states in watching.seen) == 2
    assert "waiting" not in watching.seen[-1] and "starting" not in watching.seen[-1]


def test_what_does_not_stop_in_time_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "PATIENCE", 1.0)
    monkeypatch.setattr(local, "ASK_AGAIN", 0.2)
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
    with pytest.raises(local.Interrupted):
        run_all(jobs, 1, watching)
    assert time.monotonic() - watching.asked < 10
    assert watching.seen[-1] == ["failed", "waiting"] and not (tmp_path / "never.ipynb").exists()


def test_cores_are_shared(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(local, "cores", lambda: 8)
    assert default_jobs(4, "cpu") == 4 and default_jobs(40, "cpu") == 8 and default_jobs(40, "cuda") == 1
    assert threads_each(1) == 8 and threads_each(3) == 2 and threads_each(16) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert threads_each(3) == 5

"""The whole way, from an experiment file to its page: real papermill, small nets, real signals."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console

from reslab import DataError, RunConfig, RunStore, train
from reslab.batch import reproduce as module
from reslab.batch.plan import make_plan
from reslab.batch.reproduce import Options, reproduce

from .batch_fixtures import output, write_study
from .processes import result, wait_until

ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def go(study: Path, folder: Path, dry_run: bool = False, **options) -> tuple[int, str]:
    """The exit code, and what people read."""
    console = Console(file=io.StringIO())
    plan = make_plan(study, store=folder / "runs", **options)
    return reproduce(plan, console, Options(folder / "reports", dry_run)), console.file.getvalue()


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_whole_way_and_again(tmp_path):
    study = write_study(tmp_path)
    code, text = go(study, tmp_path, dry_run=True)
    assert code == 0 and "2 runs of profile smoke on shapes: 2 missing" in text and "missing, about" in text
    assert not (tmp_path / "runs").exists() and not (tmp_path / "reports").exists()

    code, text = go(study, tmp_path, parameters={"words": "hello"})
    assert code == 0
    runs = RunStore(tmp_path / "runs").find("done")
    assert [run.config for run in runs] == [RunConfig(8, s, "smoke") for s in ("none", "A")]
    assert all((run.path / "notebook.ipynb").exists() for run in runs)
    assert "on this machine" in text and "measured over a few iterations" in text
    page = tmp_path / "reports/small-smoke.html"
    assert str(page) in text and page.exists()
    assert output(tmp_path / "reports/small-smoke.ipynb") == "hello 1 {}\n"
    for run in runs:
        assert f"{run.final['test_error']:.2f}" in text
    assert "make lab" in text and "--seeds 3" in text and "-p 'words=\"hello\"'" in text

    before = stamps(tmp_path / "runs")
    code, text = go(study, tmp_path)
    assert code == 0 and "2 done" in text and "Training will take" not in text
    assert stamps(tmp_path / "runs") == before
    assert output(tmp_path / "reports/small-smoke.ipynb") == "default 1 {}\n"


def test_a_failing_run_keeps_its_notebook_and_stops_nobody(tmp_path):
    study = write_study(tmp_path)
    code, text = go(study, tmp_path, parameters={"shortcut": "A", "lr": [1e30, 0.01], "iterations": 40})
    assert code == 1
    done, failed = (RunStore(tmp_path / "runs").find(lr=lr)[0] for lr in (0.01, 1e30))
    assert done.state == "done" and failed.state == "failed"
    assert "1 of 2 runs could not be finished" in text and failed.status["failure"]["message"] in text
    assert "not finite" in (failed.path / "notebook.failed.ipynb").read_text()
    assert str(failed.path / "notebook.failed.ipynb") in text and not (failed.path / "notebook.ipynb").exists()
    page = (tmp_path / "reports/small-smoke.html").read_text()  # of what there is
    assert failed.id in page and done.id in page and "not finite" in page
    assert "What failed" in (tmp_path / "reports/small-smoke.md").read_text()


def test_a_stopped_study_goes_on_as_if_it_had_not_been(tmp_path):
    study = write_study(tmp_path)
    config = RunConfig(8, "A", "smoke", iterations=500, log_every=50)
    run = RunStore(tmp_path / "runs").run(config)
    command = [sys.executable, "-m", "reslab", "reproduce", str(study), "--store", str(tmp_path / "runs")]
    command += ["--out", str(tmp_path / "reports"), "-p", "shortcut=A", "-p", "iterations=500", "-p", "log_every=50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD) as process:
        wait_until(lambda: run.metrics)
        process.terminate()
        text = process.stdout.read()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert "the same command goes on from there" in text
    assert run.state == "interrupted" and 0 < run.status["iteration"] < 500

    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD, check=True).stdout
    assert "1 unfinished" in text and run.state == "done" and len(run.provenance["resumed"]) == 1
    assert "study.ipynb" in text  # the study's own report shows a grid of two nets
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = train(config, tmp_path / "whole", device="cpu")
    finally:
        torch.set_num_threads(threads)
    assert result(run) == result(whole)


def test_data_that_cannot_be_had_are_told_once_and_before_anything_runs(tmp_path, monkeypatch):
    asked = []

    def no_data(name, root=None):
        asked.append((name, root))
        raise DataError("there is no network; put the archive into data/")

    monkeypatch.setattr(module, "load_dataset", no_data)
    study = write_study(tmp_path)
    with pytest.raises(DataError):
        go(study, tmp_path, data=tmp_path / "data")
    assert asked == [("shapes", str(tmp_path / "data"))]
    assert not (tmp_path / "runs").exists()


def test_a_report_that_fails_is_told(tmp_path):
    study = write_study(tmp_path)
    for shortcut in ("none", "A"):
        train(RunConfig(8, shortcut, "smoke"), tmp_path / "runs")
    report = tmp_path / "report.ipynb"
    report.write_text(report.read_text().replace("print(words", "1 / 0 # (words"))
    code, text = go(study, tmp_path)
    assert code == 1 and "report.ipynb failed: ZeroDivisionError" in text
    assert "ZeroDivisionError" in (tmp_path / "reports/small-smoke.failed.ipynb").read_text()

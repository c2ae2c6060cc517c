"""The loop of a batch: order, retries, sharing, signals; with an engine made of nothing, whose attempts end as told."""

import errno
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from reslab import Run, RunConfig, RunStore
from reslab.batch import engine as module
from reslab.batch.engine import TRIES, run_all
from reslab.batch.jobs import Interrupted, Job, Outcome
from reslab.files import write_json
from reslab.remote import StoreUnreachable


class Watching:
    """Keeps every look, as {label: state}."""

    def __init__(self):
        self.looks: list[dict[str, str]] = []

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        pass

    def show(self, look_at_all, last=False):
        self.looks.append({seen.label: seen.state for seen in look_at_all()})

    def say(self, text):
        pass


class Scripted:
    """Ends each attempt at the next `finished`, in the states that `script` has for its label; then "done"."""

    before_it_runs = "starting"

    def __init__(self, script: dict[str, list[str]], room: int = 2):
        self.script, self.size, self.active = script, room, []
        self.started: list[str] = []
        self.interrupted, self.closed = 0, False
        self.at_start = lambda job: None

    @property
    def room(self) -> int:
        return self.size - len(self.active)

    def start(self, job: Job) -> None:
        assert self.room > 0
        self.started.append(job.label)
        self.active.append(job)
        self.at_start(job)

    def finished(self) -> list[Outcome]:
        ended, self.active = self.active, []
        return [self._end(job) for job in ended]

    def _end(self, job: Job) -> Outcome:
        left = self.script.get(job.label, [])
        return Outcome(job, left.pop(0) if left else "done", "because")

    def interrupt(self) -> None:
        self.interrupted += 1

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name in ("POLL", "ELSEWHERE", "BACKOFF"):
        monkeypatch.setattr(module, name, 0.001)


def job(label: str, run: Run | None = None) -> Job:
    return Job(label, Path("a.ipynb"), Path(f"{label}.ipynb"), {}, run, seconds=1.0)


def a_run(folder: Path, state: str, seed: int = 0, iteration: int = 0) -> Run:
    run = RunStore(folder).create(RunConfig(profile="smoke", seed=seed))
    write(run, state, iteration)
    return run


def write(run: Run, state: str, iteration: int = 0) -> None:
    status = dict(state=state, iteration=iteration, iterations=12, host="another", pid=1, process_started=0.0)
    write_json(run.path / "status.json", status | dict(heartbeat=time.time(), failure=None))


def states(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.job.label: outcome.state for outcome in outcomes}


def test_jobs_start_in_order_as_the_engine_has_room():
    engine, watching = Scripted({"b": ["failed"]}), Watching()
    outcomes = run_all(map(job, "abcde"), engine, watching)
    assert engine.started == list("abcde") and engine.closed and not engine.interrupted
    assert states(outcomes) == dict.fromkeys("acde", "done") | dict(b="failed")
    assert watching.looks[-1] == dict.fromkeys("acde", "done") | dict(b="failed")
    assert watching.looks[0] == dict(a="done", b="failed", c="waiting", d="waiting", e="waiting")


def test_what_died_is_tried_again_and_given_up_at_last():
    engine = Scripted({"a": ["died"] * (TRIES - 1), "b": ["died"] * 99, "c": ["failed"]})
    outcomes = run_all(map(job, "abcd"), engine, Watching())
    assert states(outcomes) == dict(a="done", b="failed", c="failed", d="done")
    assert [engine.started.count(label) for label in "abcd"] == [TRIES, TRIES, 1, 1]
    (given_up,) = [outcome for outcome in outcomes if outcome.job.label == "b"]
    assert f"ended {TRIES} times without getting further" in given_up.reason and "because" in given_up.reason


def test_a_run_that_gets_further_each_time_is_never_given_up(tmp_path):
    run = a_run(tmp_path, "interrupted")
    engine = Scripted({"a": ["died"] * 30})
    engine.at_start = lambda _job: write(run, "interrupted", len(engine.started))
    assert states(run_all([job("a", run)], engine, Watching())) == dict(a="done")
    assert len(engine.started) == 31


def test_what_others_train_is_left_to_them_and_taken_up_when_they_stop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    theirs, left, ours = (a_run(tmp_path, "running", seed) for seed in range(3))
    write(ours, "interrupted")
    watching = Watching()

    class Moments(Watching):
        """The other batch finishes one run and gives up another, some looks later."""

        def show(self, look_at_all, last=False):
            watching.show(look_at_all, last)
            if len(watching.looks) == 5:
                write(theirs, "done", 12)
                Path("theirs.ipynb").touch()
                write(left, "interrupted", 6)

    engine = Scripted({})
    outcomes = run_all([job("theirs", theirs), job("left", left), job("ours", ours)], engine, Moments())
    assert engine.started == ["ours", "left"]  # not "theirs": nobody trains what is done
    assert states(outcomes) == dict.fromkeys(("theirs", "left", "ours"), "done")
    assert watching.looks[2] == dict(theirs="elsewhere", left="elsewhere", ours="done")


def test_a_run_that_is_done_has_its_notebook_or_gets_one(tmp_path, monkeypatch):
    shown, drawing, unshown = (a_run(tmp_path, "done", seed, 12) for seed in range(3))
    write_json(unshown.path / "status.json", unshown.status | dict(heartbeat=time.time() - 99))
    jobs = {run: replace(job(run.id, run), out=run.path / "notebook.ipynb") for run in (shown, drawing, unshown)}
    jobs[shown].out.touch()
    assert [j.state for j in jobs.values()] == ["done", "finishing", "unshown"]

    class Moments(Watching):
        """Another batch writes its notebook, some looks later."""

        def show(self, look_at_all, last=False):
            super().show(look_at_all, last)
            if len(self.looks) == 5:
                jobs[drawing].out.touch()

    engine = Scripted({})
    run_all(jobs.values(), engine, Moments())
    assert engine.started == [unshown.id]


def test_a_store_out_of_reach_is_told_and_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.001)
    monkeypatch.setattr(module, "CHECK", 0.0)
    troubles = [None] * 3 + [OSError(errno.ENOSPC, "no space")] * 4 + [StoreUnreachable("away")] * 3

    def check():
        if troubles and (trouble := troubles.pop(0)):
            raise trouble

    watching, said = Watching(), []
    watching.say = said.append
    outcomes = run_all(map(job, "abcdefgh"), Scripted({}, room=1), watching, check)
    assert states(outcomes) == dict.fromkeys("abcdefgh", "done") and not troubles
    assert [line.split(":")[0] for line in said] == ["Paused", "Paused", "The store can be used again."]
    assert "no space" in said[0] and "away" in said[1]
    with pytest.raises(PermissionError):
        run_all(map(job, "ab"), Scripted({}), watching, refused)


def refused():
    raise PermissionError(errno.EACCES, "not yours")


def test_a_run_taken_by_another_batch_meanwhile_waits_for_it(tmp_path):
    run = a_run(tmp_path, "interrupted")
    engine = Scripted({"a": ["busy", "busy"]})
    assert states(run_all([job("a", run), job("b")], engine, Watching())) == dict(a="done", b="done")
    assert engine.started == ["a", "b", "a", "a"]


def test_a_signal_is_passed_on_and_nothing_is_started_after_it():
    engine = Scripted({"a": ["interrupted"]}, room=1)

    class Stopping(Watching):
        def show(self, look_at_all, last=False):
            super().show(look_at_all, last)

    engine.at_start = lambda _job: os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted, match="SIGTERM"):
        run_all(map(job, "ab"), engine, Stopping())
    assert engine.started == ["a"] and engine.closed
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

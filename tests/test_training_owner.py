"""One process trains a run; the others wait, or are told who has it; the dead and the silent are taken over."""

import dataclasses
import json
import os
import time
from pathlib import Path

import pytest

from reslab import RunConfig, RunStore, train
from reslab.runs import SILENT
from reslab.training.owner import Owner, OwnershipLost, RunBusy, RunDone

from .processes import owned_by, result, start, wait_until

CONFIG = RunConfig(depth=8, profile="smoke", iterations=150, log_every=50)


@pytest.fixture
def run(tmp_path):
    return RunStore(tmp_path).create(CONFIG)


def change_status(run, **values):
    (run.path / "status.json").write_text(json.dumps(run.status | values))


def test_a_second_process_waits_and_gets_the_first_ones_run(tmp_path, run):
    first = start(CONFIG, tmp_path)
    wait_until(owned_by(tmp_path, CONFIG, first))
    notes = []
    got = train(CONFIG, tmp_path, progress=lambda p: notes.append(p.note))
    first.join()
    assert got.state == "done" and got.status["pid"] == first.pid != os.getpid()
    assert f"process {first.pid}" in notes[0]
    assert "resumed" not in got.provenance


def test_or_is_told_who_has_it(tmp_path, run):
    first = start(CONFIG, tmp_path)
    wait_until(owned_by(tmp_path, CONFIG, first))
    with pytest.raises(RunBusy, match=f"process {first.pid} on .* at iteration"):
        train(CONFIG, tmp_path, wait=False)
    first.join()


def test_a_waiting_process_takes_over_when_the_owner_is_killed(tmp_path):
    config = dataclasses.replace(CONFIG, iterations=1000, lr_drops=())  # long enough to be killed in the middle
    run = RunStore(tmp_path).run(config)
    first = start(config, tmp_path)
    wait_until(lambda: len(run.metrics) >= 1)
    second = start(config, tmp_path)
    time.sleep(0.3)
    first.kill()
    first.join()
    second.join()
    assert run.state == "done" and run.status["pid"] == second.pid
    alone = start(config, tmp_path / "alone")
    alone.join()
    assert result(run) == result(RunStore(tmp_path / "alone").run(config))


def test_many_at_once_train_once(tmp_path, run):
    processes = [start(CONFIG, tmp_path) for _ in range(4)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert run.state == "done" and "resumed" not in run.provenance


def test_what_is_done_is_not_claimed_again(run):
    Owner(run).release("done")
    with pytest.raises(RunDone):
        Owner(run)
    assert run.status["state"] == "done"


def test_a_killed_owners_run_counts_as_interrupted(tmp_path, run):
    first = start(CONFIG, tmp_path)
    wait_until(owned_by(tmp_path, CONFIG, first))
    assert run.state == "running"
    first.kill()
    wait_until(lambda: run.state == "interrupted", seconds=5)  # a zombie until it is joined
    first.join()
    assert run.state == "interrupted" and RunStore(tmp_path).find(state="running") == []


def test_what_a_killed_writer_left_is_cleared_away(run):
    left = run.path / ".checkpoint.pt.new.0123.tmp"
    left.write_bytes(b"half")
    os.utime(left, (time.time() - SILENT - 1,) * 2)
    Owner(run).release("interrupted")
    assert not left.exists()


def test_what_a_writer_is_at_is_left_to_it(run, monkeypatch):
    young, gone = run.path / ".config.json.0123.tmp", run.path / ".notebook.ipynb.0123.tmp"
    young.write_bytes(b"half")
    real = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [*real(self, pattern), gone])  # renamed since the look
    Owner(run).release("interrupted")
    assert young.read_bytes() == b"half"


def test_a_dead_pid_is_taken_over(run):
    first = Owner(run)
    first.release("interrupted")
    gone = max(int(name) for name in os.listdir("/proc") if name.isdigit()) + 100_000
    change_status(run, state="running", heartbeat=time.time(), pid=gone)
    assert run.state == "interrupted"
    Owner(run).release("interrupted")
    assert run.status["pid"] == os.getpid()


def test_a_pid_that_another_process_got_is_taken_over(run):
    Owner(run).release("interrupted")
    change_status(run, state="running", heartbeat=time.time(), process_started=1.0)
    assert run.state == "interrupted"
    Owner(run).release("interrupted")
    assert run.status["process_started"] > 1.0


def test_another_machines_owner_counts_while_its_heart_beats(run):
    Owner(run).release("interrupted")
    change_status(run, state="running", heartbeat=time.time(), host="elsewhere")
    with pytest.raises(RunBusy, match="elsewhere"):
        Owner(run)
    change_status(run, heartbeat=time.time() - SILENT - 1)
    Owner(run).release("interrupted")


def test_an_owner_that_was_taken_over_stops_writing(run):
    slow = Owner(run)
    change_status(run, heartbeat=time.time() - SILENT - 1)
    fast = Owner(run)
    with pytest.raises(OwnershipLost, match="taken over"):
        slow.check()
    slow.release("failed")
    assert run.state == "running"
    fast.check()
    fast.release("done")
    assert run.state == "done"


def test_the_heart_beats_while_training(run, monkeypatch):
    monkeypatch.setattr("reslab.training.owner.HEARTBEAT", 0.02)
    owner = Owner(run)
    before = run.status["heartbeat"]
    owner.iteration = 7
    wait_until(lambda: run.status["heartbeat"] > before and run.status["iteration"] == 7, seconds=5)
    assert run.state == "running"
    owner.release("interrupted")
    silent = run.status["heartbeat"]
    time.sleep(0.1)
    assert run.status["heartbeat"] == silent, "a released run's heart has stopped"

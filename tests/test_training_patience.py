"""A full disk or a store out of reach pauses the training, which then goes on as if nothing had been."""

import errno
import importlib.util
import json
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from reslab import RunConfig, RunStore, train
from reslab.remote import StoreUnreachable
from reslab.training import patience
from reslab.training.owner import Owner
from reslab.training.patience import Patience, can_pass

from .processes import result, wait_until

CONFIG = RunConfig(depth=8, profile="smoke")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(patience, "LONGEST_WAIT", 0.05)
    monkeypatch.setattr(patience, "LOOK", 0.01)


class FailingDisk:
    """os.fsync, through which every write goes, fails while `failures` are left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failures: int = 0, error: OSError = FULL):
        self.failures, self.error, self.real = failures, error, os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, file: int) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError(self.error.errno, self.error.strerror)
        self.real(file)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return result(train(CONFIG, tmp_path_factory.mktemp("undisturbed")))


@pytest.mark.parametrize("begin", ["at the start", "in the middle", "at the end"])
def test_a_full_disk_costs_time_and_nothing_else(tmp_path, monkeypatch, hurried, undisturbed, begin):
    disk, notes, fails = FailingDisk(monkeypatch), [], {"at the start": 0, "in the middle": 6, "at the end": 12}[begin]
    disk.failures = 3 if fails == 0 else 0

    def watch(progress):
        if progress.note:
            notes.append(progress.note)
        elif progress.iteration == fails:
            disk.failures = 3

    run = train(CONFIG, tmp_path, progress=watch)
    assert run.state == "done" and result(run) == undisturbed
    told = f"paused: {tmp_path} cannot be written: No space left on device; training goes on by itself when it can"
    assert notes == [told] * 3
    assert not list(tmp_path.rglob("*.tmp")) and not list(tmp_path.rglob(".*.tmp"))


def test_nothing_half_written_is_ever_seen(tmp_path, monkeypatch, hurried, undisturbed):
    """Every third write on average fails half way, and somebody looks each time."""
    chance, failures, seen, real = random.Random(0), [], set(), os.fsync
    run = RunStore(tmp_path).run(CONFIG)

    def half(file: int) -> None:
        seen.update([run.state, len(run.metrics)])
        if chance.random() < 1 / 3:
            failures.append(file)
            os.ftruncate(file, os.fstat(file).st_size // 2)
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        real(file)

    monkeypatch.setattr(os, "fsync", half)
    assert result(train(CONFIG, tmp_path)) == undisturbed
    assert len(failures) >= 3 and seen == {"new", "running", 0, 1, 2, 3, 4}


def test_a_checkpoint_that_cannot_be_read_yet_is_waited_for(tmp_path, monkeypatch, hurried, undisturbed):
    def stop(progress):
        if progress.row and progress.iteration == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, tmp_path, progress=stop)
    failures, notes, real = [errno.ESTALE, errno.EIO], [], Path.read_bytes

    def stale(path: Path) -> bytes:
        if path.name == "checkpoint.pt" and failures:
            raise OSError(failures[0], os.strerror(failures.pop(0)))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", stale)
    assert result(train(CONFIG, tmp_path, progress=lambda p: p.note and notes.append(p.note))) == undisturbed
    assert ["cannot be read: Stale file handle" in notes[0], "Input/output error" in notes[1]] == [True, True]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOENT])
def test_what_does_not_pass_fails_at_once(tmp_path, monkeypatch, number):
    run = RunStore(tmp_path).create(CONFIG)
    error, notes = OSError(number, os.strerror(number)), []

    def watch(progress):
        notes.append(progress.note)
        if progress.row:
            disk.failures = 1

    disk = FailingDisk(monkeypatch, error=error)
    with pytest.raises(OSError, match=os.strerror(number)):
        train(CONFIG, tmp_path, progress=watch)
    assert not any(notes) and run.state == "failed" and os.strerror(number) in run.status["failure"]["message"]


def test_a_pause_can_be_stopped_and_the_run_goes_on_later(tmp_path, monkeypatch, undisturbed):
    disk, told = FailingDisk(monkeypatch), []

    def watch(progress):
        if progress.note:
            told.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
        elif progress.row and progress.iteration == 6:
            disk.failures = 1000

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, tmp_path, progress=watch)
    assert time.monotonic() - told[0] < patience.FIRST_WAIT and len(told) == 1
    disk.failures = 0
    assert result(train(CONFIG, tmp_path)) == undisturbed


def test_the_heart_survives_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("reslab.training.owner.HEARTBEAT", 0.02)
    run = RunStore(tmp_path).create(CONFIG)
    owner = Owner(run)
    disk = FailingDisk(monkeypatch, failures=5)
    wait_until(lambda: disk.failures == 0, seconds=5)
    silent = run.status["heartbeat"]
    wait_until(lambda: run.status["heartbeat"] > silent, seconds=5)
    assert run.state == "running"
    owner.release("interrupted")


def test_who_was_taken_over_during_a_pause_stops_without_writing(tmp_path, monkeypatch, hurried):
    run = RunStore(tmp_path).create(CONFIG)
    slow, disk = Owner(run), FailingDisk(monkeypatch)
    (run.path / "status.json").write_text(json.dumps(run.status | dict(heartbeat=0.0)))
    disk.failures, takers = 1, []
    slow.patience.tell = lambda _note: takers.append(Owner(run))
    with pytest.raises(Exception, match="taken over by another process"):
        slow.write(lambda: run.write_metrics([]))
    assert not (run.path / "metrics.csv").exists()
    takers[0].release("interrupted")


def test_waits_grow_to_half_a_minute(monkeypatch):
    waits, notes, left = [], [], [FULL] * 8
    monkeypatch.setattr(Patience, "_sleep", lambda _self, seconds: waits.append(seconds))

    def action():
        if left:
            raise left.pop()
        return "done"

    assert Patience("here", notes.append)(action, "read") == "done"
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert set(notes) == {
        "paused: here cannot be read: No space left on device; training goes on by itself when it can"
    }


def test_which_errors_pass():
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ENETUNREACH, errno.ETIMEDOUT)
    assert all(can_pass(OSError(number, "")) for number in numbers)
    assert can_pass(StoreUnreachable("s3 cannot be reached", "503"))
    assert not any(
        can_pass(OSError(number, "")) for number in (errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENAMETOOLONG)
    )
    assert not can_pass(OSError("something else"))


def test_a_system_that_lacks_some_of_the_errors_will_do(monkeypatch):
    monkeypatch.delattr(errno, "EREMOTEIO")  # as on macOS
    spec = importlib.util.spec_from_file_location("reslab.training.patience_elsewhere", patience.__file__)
    elsewhere = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(elsewhere)
    assert errno.ENOSPC in elsewhere.PASSING and len(elsewhere.PASSING) == len(patience.PASSING) - 1


def test_in_another_thread_it_waits_too(tmp_path, monkeypatch, hurried, undisturbed):
    """As in a notebook's worker, where no signal can be listened to."""
    FailingDisk(monkeypatch, failures=2)
    thread = threading.Thread(target=train, args=(CONFIG, tmp_path))
    thread.start()
    thread.join()
    assert result(RunStore(tmp_path).run(CONFIG)) == undisturbed

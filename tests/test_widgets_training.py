"""The training panel: its buttons against the store, with real training in processes of its own."""

import shutil
import time
from dataclasses import replace

import psutil
import pytest

from reslab import RunConfig, RunStore, train
from reslab.widgets.explorer import explorer
from reslab.widgets.training import Train

from .processes import result, wait_until

QUICK = RunConfig(8, "none", "smoke")
LONG = RunConfig(8, "none", "smoke", iterations=900, log_every=50)  # some seconds


class Room:
    """A training panel and the design that it would train."""

    def __init__(self, store):
        self.config = QUICK
        self.panel = Train(store, lambda: self.config, live=True)

    def press(self, config):
        self.config = config
        self.panel.announce()
        self.panel.buttons["train"].click()
        self.settle()

    def row(self, config):
        self.panel.refresh()
        return self.panel.rows.get(config.id)

    def act(self, config, label):
        self.row(config).buttons[label].click()
        self.settle()

    def settle(self):
        self.panel.hands.submit(lambda: None).result(60)

    def until(self, config, state):
        wait_until(lambda: (row := self.row(config)) is not None and state in row._text.value)


@pytest.fixture
def room(tmp_path):
    room = Room(RunStore(tmp_path / "runs"))
    yield room
    for entry in room.panel.queue.entries():
        room.panel.queue.stop(entry.run.id)
    store = str(tmp_path / "runs")
    mine = [p for p in psutil.process_iter(["cmdline"]) if any(store in part for part in p.info["cmdline"] or [])]
    psutil.wait_procs(mine, 30)


def test_train_puts_the_design_into_the_queue_and_says_when_it_is_done(room):
    asked = []
    room.panel.added.append(asked.append)
    room.press(QUICK)
    run = room.panel.queue.store.run(QUICK)
    assert asked == [run.id] and "plain-8" in room.panel._what.value
    wait_until(lambda: room.row(QUICK) is None)
    assert run.state == "done" and f"test error {run.final['test_error']:.2f} %" in room.panel._done.value
    room.press(QUICK)  # it is done: nothing to train, and said so
    assert asked == [run.id] * 2 and not room.panel.rows and "done in" in room.panel._done.value


def test_pause_resume_and_stop_lose_nothing(room, tmp_path):
    room.press(LONG)
    room.press(replace(LONG, seed=1))
    wait_until(lambda: len(room.panel.queue.store.run(LONG).metrics) >= 2)
    assert [*room.row(LONG).buttons] == ["Pause", "Stop"]
    assert "waiting" in room.row(replace(LONG, seed=1))._text.value
    room.act(replace(LONG, seed=1), "Stop")
    room.act(LONG, "Pause")
    room.until(LONG, "paused")
    assert [*room.row(LONG).buttons] == ["Resume", "Stop"]
    run = room.panel.queue.store.run(LONG)
    at = run.status["iteration"]
    assert run.state == "interrupted" and replace(LONG, seed=1).id not in room.panel.rows
    other = Train(room.panel.queue.store, lambda: QUICK, live=True)  # a restarted kernel finds it
    assert "paused" in other.rows[LONG.id]._text.value and f"{at:,} of 900" in other.rows[LONG.id]._text.value
    room.act(LONG, "Resume")
    wait_until(lambda: run.state == "done")
    assert result(run) == result(train(LONG, tmp_path / "other", device="cpu"))


def test_a_failed_run_shows_its_reason_and_can_be_dismissed(room):
    wrong = replace(QUICK, lr=1e30, precision="fp32")
    room.press(wrong)
    room.until(wrong, "failed")
    assert "is not finite" in room.row(wrong)._text.value and [*room.row(wrong).buttons] == ["Try again", "Dismiss"]
    room.act(wrong, "Dismiss")
    assert room.row(wrong) is None


def test_a_paused_run_whose_folder_was_deleted_can_be_stopped(room):
    room.press(LONG)
    room.act(LONG, "Pause")
    room.until(LONG, "paused")
    shutil.rmtree(room.panel.queue.store.run(LONG).path)
    again = Train(room.panel.queue.store, lambda: QUICK, live=True)
    assert LONG.id in again.rows[LONG.id]._text.value and again._trouble.value == ""
    room.act(LONG, "Stop")
    assert room.row(LONG) is None


def test_what_goes_wrong_with_a_button_is_shown(room, monkeypatch, caplog):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room.panel.queue, "add", full)
    room.press(QUICK)
    assert "No space left on device" in room.panel._trouble.value
    caplog.clear()
    monkeypatch.undo()
    room.press(QUICK)
    assert room.panel._trouble.value == ""


def test_a_read_only_room_has_no_buttons_and_writes_nothing(tmp_path):
    run = train(QUICK, tmp_path / "runs", device="cpu")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    room = explorer(tmp_path / "runs", read_only=True, live=True)
    room.design.controls["depth"].value = 56
    room.watch.table.pair = [run.id]
    time.sleep(1)
    assert not hasattr(room.train, "buttons") and "read-only" in room.train.widget.children[1].value
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert not hasattr(explorer(tmp_path / "none", read_only=True, live=True).train, "buttons")
    assert not (tmp_path / "none").exists()


def test_read_only_can_be_said_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RESLAB_READ_ONLY", "1")
    assert not hasattr(explorer(tmp_path, live=True).train, "buttons")
    assert hasattr(explorer(tmp_path, live=True, read_only=False).train, "buttons")

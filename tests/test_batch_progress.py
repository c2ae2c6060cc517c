"""What people see of a batch, from run folders alone."""

import io
import json
import time

from rich.console import Console

from reslab import RunConfig, RunStore
from reslab.batch import progress
from reslab.batch.progress import LiveTable, LogLines, Seen, duration, look, visible, watch


def a_run(folder, state="running", iteration=6, heartbeat=None):
    """The folder of a run of 12 iterations with one log point, after 3 of them and 6 seconds."""
    run = RunStore(folder).create(RunConfig(profile="smoke"))
    status = dict(state=state, iteration=iteration, iterations=12, heartbeat=heartbeat or time.time())
    (run.path / "status.json").write_text(json.dumps(status))
    row = dict(iteration=3, epoch=0.1, lr=0.1, train_loss=2.0, train_error=80.0, test_loss=2.0, test_error=81.0)
    run.write_metrics([row | dict(seconds=6.0, images_per_second=1234.5)])
    return run


def test_a_run_is_read_from_its_folder(tmp_path):
    run, since = a_run(tmp_path), time.time() - 10
    assert look("a", "starting", run, 99.0, since) == Seen("a", "running", 6, 12, 80.0, 1234.5, left=12.0)
    assert look("a", "done", run, 99.0).left is None
    assert look("a", "starting", a_run(tmp_path, iteration=0), 99.0, since).iteration == 3  # the newer of the two
    assert look("a", "starting", a_run(tmp_path, "done", 12), 99.0, since).state == "finishing"
    assert look("a", "starting", a_run(tmp_path, "interrupted"), 99.0, since).state == "stopping"


def test_a_run_that_waits_for_its_store_says_why(tmp_path):
    run = a_run(tmp_path)
    note = "/disk cannot be written: No space left on device; training goes on by itself when it can"
    (run.path / "status.json").write_text(json.dumps(run.status | dict(paused=note)))
    seen = look("a", "starting", run, 99.0, time.time() - 10)
    assert seen.state == "paused" and seen.line().endswith(f"1,234 images/s, {note}")
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    with watch(console, 1) as table:
        table.show(lambda: [seen], last=True)
    assert "No space left on device" in console.file.getvalue() and "1 running" in console.file.getvalue()


def test_what_an_earlier_sitting_left_is_not_taken_for_this_one(tmp_path):
    run = a_run(tmp_path, "interrupted", heartbeat=1000.0)
    assert look("a", "starting", run, 99.0, time.time()) == Seen("a", "starting", left=99.0)
    assert look("a", "waiting", run, 99.0) == Seen("a", "waiting", left=99.0)
    assert look("a", "failed", None, None) == Seen("a", "failed")


def test_log_lines_come_at_changes_and_now_and_then(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    console = Console(file=io.StringIO(), width=20)
    rows = [Seen("a", "waiting")]
    with watch(console, 1) as lines:
        assert isinstance(lines, LogLines)
        for second in range(100):
            clock[0] = float(second)
            state = "running" if second < 80 else "done"
            lines.show(lambda s=second, state=state: rows if s < 10 else [Seen("a", state, s, 100, 8.25, 1234.5, 61.0)])
    assert console.file.getvalue().splitlines() == [
        f"a: running, iteration {second} of 100, training error 8.2 %, 1,234 images/s, 1 min left"
        for second in (10, 41, 72)
    ] + ["a: done, iteration 80 of 100, training error 8.2 %, 1,234 images/s"]


def test_log_lines_count_when_something_has_ended():
    console = Console(file=io.StringIO())
    rows = [
        Seen("a", "running", left=50.0),
        Seen("b", "waiting", left=120.0, note="killed by SIGKILL"),
        Seen("c", "done"),
    ]
    with watch(console, 1) as lines:
        lines.show(lambda: rows, last=True)
    assert console.file.getvalue().splitlines() == [
        "a: running, 50 s left",
        "c: done",
        "1 waiting, 1 running, 1 done; about 3 min left in all",
    ]
    assert rows[1].line() == "b: waiting, to be tried again: killed by SIGKILL"


def test_a_terminal_gets_one_table():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    rows = [Seen("a", "waiting", left=60.0), Seen("b", "running", 1, 12, 80.0, 1234.5, 30.0), Seen("c", "done")]
    with watch(console, 1) as table:
        assert isinstance(table, LiveTable)
        table.show(lambda: rows, last=True)
    text = console.file.getvalue()
    assert "80.0 %" in text and "1,234" in text and "about 2 min left in all" in text
    assert "1 waiting, 1 running, 1 done" in text
    assert text.index("b ") < text.index("a  ")


def test_a_table_that_is_too_small_shows_what_tells_most():
    states = ["done"] * 50 + ["failed", "running", "elsewhere"] + ["waiting"] * 50
    rows = [Seen(str(index), state) for index, state in enumerate(states)]
    shown = visible(rows, 9)
    assert [row.state for row in shown] == ["done"] * 3 + ["failed", "running", "elsewhere"] + ["waiting"] * 3
    assert [row.label for row in shown if row.state in ("done", "waiting")] == ["47", "48", "49", "53", "54", "55"]
    assert [row.state for row in visible(rows, 2)] == ["running", "elsewhere"]
    assert visible(rows[50:60], 100) == rows[50:60]


def test_durations():
    assert [duration(s) for s in (0.2, 59, 61, 3599, 6600)] == ["1 s", "59 s", "1 min", "1 h 0 min", "1 h 50 min"]

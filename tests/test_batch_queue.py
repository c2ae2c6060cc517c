"""The queue of the buttons: real workers, real training; where only the order of events matters, a quick stand-in."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path

import psutil
import pytest
import torch
from typer.testing import CliRunner

from reslab import RunConfig, RunStore, train
from reslab.batch import queue as module
from reslab.batch import worker as worker_module
from reslab.batch.queue import Queue, train_command
from reslab.cli import app

from . import processes
from .processes import result, wait_until

QUICK = RunConfig(8, "none", "smoke")
LONG = RunConfig(8, "none", "smoke", iterations=900, log_every=50)  # some seconds
OPTIONS = dict(device="cpu", threads=1)
WORKER, TRAINER = "reslab.batch.worker", "train"

# Stand-ins for `reslab train`, given the run folder: one that is done at once, and one that goes on until stopped.
DONE = (
    "import os, sys, pathlib; path = pathlib.Path(sys.argv[1], 'status.json'); new = path.with_suffix('.new');"
    'new.write_text(\'{"state": "done"}\'); os.replace(new, path)'
)
SLEEPS = "import time; time.sleep(60)"
STUBBORN = (
    "import sys, signal, time, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path(sys.argv[1], 'begun').touch(); time.sleep(60)"
)


train_module = import_module("reslab.cli.train")


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """A queue whose processes end with the test."""
    queue = Queue(tmp_path / "runs")
    yield queue
    kill(queue, WORKER)
    kill(queue, TRAINER)


def kill(queue: Queue, what: str) -> None:
    """Kills workers or trainers and waits until nothing is left of them, locks included."""
    for process in of(queue, what):
        process.kill()
        process.wait(20)


def of(queue: Queue, what: str) -> list[psutil.Process]:
    """The living processes of this store: workers, or trainers. Each leads a session; what it forks does not, and has
    its command line for a moment.
    """
    stores, found = (str(queue.store.root), f"--store={queue.store.root}"), []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if what in command and any(s in command for s in stores) and os.getsid(process.pid) == process.pid:
                found.append(process)
        except (psutil.Error, ProcessLookupError):  # it has just ended
            continue
    return found


def states(queue: Queue) -> dict[str, str]:
    return {entry.run.id: entry.state for entry in queue.entries()}


def state(queue: Queue, config: RunConfig) -> str | None:
    return states(queue).get(config.id)


def trains(queue: Queue, config: RunConfig) -> Callable[[], bool]:
    """Whether a run has come past a log point of this sitting."""

    def check() -> bool:
        (entry,) = [entry for entry in queue.entries() if entry.run.id == config.id] or [None]
        return entry is not None and entry.state == "training" and entry.iteration >= 100

    return check


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Says what runs that are added from now on execute instead of `reslab train`."""

    def say(code: str) -> None:
        def command(config: RunConfig, store: Path, *_options: object) -> list[str]:
            return [sys.executable, "-c", code, str(store / config.id), TRAINER, f"--store={store}"]

        monkeypatch.setattr(module, "train_command", command)

    return say


def test_runs_are_trained_in_order_one_at_a_time(queue):
    wanted = [replace(QUICK, seed=seed) for seed in (2, 1)]
    runs = [queue.add(config, **OPTIONS) for config in wanted]
    assert queue.add(wanted[1], **OPTIONS).id == runs[1].id and [*states(queue)] == [run.id for run in runs]
    seen = []
    while entries := queue.entries():
        assert len(of(queue, TRAINER)) <= 1
        seen += [row for e in entries if (row := (e.run.id, e.state)) not in seen]
        time.sleep(0.02)
    assert [run.state for run in runs] == ["done", "done"] and not any("failed" in row for row in seen)
    assert seen.index((runs[1].id, "waiting")) < seen.index((runs[1].id, "starting"))
    assert seen.index((runs[0].id, "starting")) < seen.index((runs[1].id, "starting"))
    assert runs[0].status["heartbeat"] < runs[1].status["heartbeat"] and runs[0].provenance["threads"] == 1
    wait_until(lambda: not of(queue, WORKER))
    assert queue.add(wanted[0]).state == "done" and not queue.entries() and not of(queue, WORKER)


def test_pause_writes_a_checkpoint_and_resume_goes_on_bit_for_bit(queue, tmp_path):
    run, second = queue.add(LONG, **OPTIONS), queue.add(replace(LONG, seed=1), **OPTIONS)
    wait_until(trains(queue, LONG))
    queue.pause(run.id)
    assert state(queue, LONG) == "pausing"
    wait_until(lambda: state(queue, LONG) == "paused")
    at = run.status["iteration"]
    assert run.state == "interrupted" and (run.path / "checkpoint.pt").exists() and 100 <= at < 900
    entry = queue.entries()[-1] if queue.entries()[0].run.id == second.id else queue.entries()[0]
    assert (entry.iteration, entry.iterations, entry.reason, entry.left) == (at, 900, "", None)
    assert 0 <= entry.train_error <= 100

    wait_until(lambda: state(queue, second.config) == "training")
    queue.resume(run.id)
    assert list(states(queue).items()) == [(second.id, "training"), (run.id, "waiting")]
    queue.pause(second.id)  # so that the other one goes on
    wait_until(lambda: states(queue) == {second.id: "paused"})
    assert run.state == "done"
    queue.stop(second.id)
    assert not queue.entries()

    torch.set_num_threads(1)
    straight = train(LONG, tmp_path / "straight", device="cpu")
    assert straight.provenance["threads"] == run.provenance["threads"] == 1
    assert result(straight) == result(run)


def test_stop_keeps_the_checkpoint_and_can_be_added_again(queue):
    run = queue.add(LONG, **OPTIONS)
    wait_until(trains(queue, LONG))
    queue.stop(run.id)
    assert state(queue, LONG) == "stopping"
    wait_until(lambda: not queue.entries())
    queue.add(LONG, **OPTIONS)
    wait_until(lambda: state(queue, LONG) == "starting")
    assert run.state == "interrupted" and (run.path / "checkpoint.pt").exists()
    queue.stop(run.id)  # before it listens to signals
    wait_until(lambda: not of(queue, WORKER))
    assert not queue.entries() and not of(queue, TRAINER) and run.metrics[-1]["iteration"] >= 100


def test_pausing_one_that_only_starts_is_no_failure(queue):
    run = queue.add(LONG, **OPTIONS)
    wait_until(lambda: state(queue, LONG) == "starting")
    queue.pause(run.id)
    wait_until(lambda: not of(queue, WORKER))
    assert [(e.state, e.reason, e.iteration) for e in queue.entries()] == [("paused", "", 0)] and run.state == "new"


def test_a_process_that_outlives_its_worker_is_taken_over(queue, stand_in):
    run = queue.add(LONG, **OPTIONS)
    wait_until(trains(queue, LONG))
    (trainer,) = of(queue, TRAINER)
    kill(queue, WORKER)
    assert state(queue, LONG) == "training"
    stand_in(DONE)
    second = queue.add(QUICK)
    while run.state != "done":
        assert of(queue, TRAINER) in ([trainer], []) or run.state == "done"
        time.sleep(0.02)
    wait_until(lambda: second.state == "done")
    wait_until(lambda: not queue.entries())


def test_a_process_that_outlives_its_worker_can_be_paused(queue, stand_in):
    stand_in(SLEEPS)
    run = queue.add(QUICK)
    wait_until(lambda: of(queue, TRAINER) and state(queue, QUICK) == "starting")  # the worker knows it
    kill(queue, WORKER)
    queue.pause(run.id)
    wait_until(lambda: state(queue, QUICK) == "paused" and not of(queue, WORKER))
    assert not of(queue, TRAINER) and queue.entries()[0].reason == ""


def test_after_a_crash_nothing_goes_on_by_itself(queue, stand_in):
    stand_in(SLEEPS)
    first, second = queue.add(QUICK), queue.add(replace(QUICK, seed=1))
    wait_until(lambda: of(queue, TRAINER))
    kill(queue, WORKER)
    kill(queue, TRAINER)
    again = Queue(queue.store)
    assert states(again) == {first.id: "interrupted", second.id: "interrupted"}
    assert not of(queue, WORKER)
    again.pause(first.id)
    again.resume(second.id)
    wait_until(lambda: states(again) == {second.id: "starting", first.id: "paused"})
    stand_in(DONE)
    again.stop(second.id)
    third = again.add(replace(QUICK, seed=2))
    wait_until(lambda: third.state == "done" and not of(queue, WORKER))
    assert states(again) == {first.id: "paused"}


def test_a_run_outlives_the_kernel_that_asked_for_it(queue):
    code = f"""
import os, signal
from reslab import RunConfig
from reslab.batch.queue import Queue
Queue({str(queue.store.root)!r}).add(RunConfig(8, "none", "smoke"), device="cpu", threads=1)
os.killpg(0, signal.SIGKILL)
"""
    kernel = subprocess.run([sys.executable, "-c", code], start_new_session=True)
    assert kernel.returncode == -signal.SIGKILL
    wait_until(lambda: queue.store.run(QUICK).state == "done")


def test_failures_are_told_and_stop_nobody(queue):
    bad = RunConfig(8, "none", "smoke", lr=1e30, precision="fp32", iterations=40)
    run, killed = queue.add(bad, **OPTIONS), queue.add(LONG, **OPTIONS)
    wait_until(trains(queue, LONG))
    (failed,) = [entry for entry in queue.entries() if entry.state == "failed"]
    assert failed.run.id == run.id and "is not finite" in failed.reason and failed.reason.count("\n") == 0
    (trainer,) = of(queue, TRAINER)
    trainer.kill()
    wait_until(lambda: state(queue, LONG) == "failed")
    assert [e.reason for e in queue.entries()][1] == "killed by SIGKILL; was there enough memory?"
    wait_until(lambda: not of(queue, WORKER))
    queue.resume(killed.id)  # tried again, from its checkpoint
    assert state(queue, LONG) in ("waiting", "starting")
    wait_until(lambda: state(queue, LONG) == "starting" and of(queue, TRAINER))
    of(queue, TRAINER)[0].terminate()  # by somebody else
    wait_until(lambda: state(queue, LONG) == "paused")
    assert queue.entries()[0].reason == "stopped by SIGTERM" and queue.entries()[0].iteration >= 100
    assert killed.state == "interrupted" and killed.metrics[-1]["iteration"] >= 100
    queue.clear()
    assert states(queue) == {killed.id: "paused"} and run.state == "failed"


def test_what_does_not_train_the_run_or_does_not_start_is_told(queue, stand_in, tmp_path, monkeypatch):
    stand_in("pass")
    other = queue.add(QUICK)
    stand_in("import sys; print('...', file=sys.stderr); sys.exit('the data are not there')")
    queue.add(replace(QUICK, seed=3))
    wait_until(lambda: [*states(queue).values()] == ["failed", "failed"])
    assert "something else was trained" in queue.entries()[0].reason
    assert queue.entries()[1].reason == "the data are not there"
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    stand_in(DONE)
    wait_until(lambda: not of(queue, WORKER))
    monkeypatch.setattr(module.Folder, "serve", lambda _folder: None)
    queue.add(replace(QUICK, seed=1))
    monkeypatch.undo()
    (tmp_path / "gone").rmdir()
    stand_in(DONE)
    third = queue.add(replace(QUICK, seed=2))
    wait_until(lambda: third.status["state"] == "done" and not of(queue, WORKER))
    assert queue.entries()[0].run.id == other.id
    assert "could not be started" in queue.entries()[2].reason and "gone" in queue.entries()[2].reason


def test_what_does_not_stop_in_time_is_ended(queue, stand_in, monkeypatch):
    monkeypatch.setattr(worker_module, "PATIENCE", 0.6)
    monkeypatch.setattr(worker_module, "ASK_AGAIN", 0.2)
    monkeypatch.setattr(module.Folder, "serve", lambda _folder: None)
    stand_in(STUBBORN)
    run = queue.add(QUICK)
    worker = threading.Thread(target=worker_module.Worker(queue._folder).work)
    worker.start()
    wait_until((run.path / "begun").exists)
    (run.path / "begun").unlink()
    queue.stop(run.id)
    time.sleep(0.3)  # it has been asked
    assert state(queue, QUICK) == "stopping"
    queue.add(QUICK)  # a change of mind: once it has ended, it starts again
    wait_until((run.path / "begun").exists)
    queue.pause(run.id)
    worker.join(10)
    assert not worker.is_alive() and not of(queue, TRAINER)
    assert [(e.state, e.reason) for e in queue.entries()] == [("paused", "")]


def test_nothing_is_stranded_when_a_worker_is_about_to_end(queue, stand_in):
    stand_in(DONE)
    for seed in range(8):
        config = replace(QUICK, seed=seed)
        queue.add(config)
        wait_until(lambda config=config: state(queue, config) is None, 20)  # now the worker looks whether there is more
        assert queue.store.run(config).status["state"] == "done"
        time.sleep(0.006 * seed)
    with ThreadPoolExecutor(4) as kernels:
        runs = list(kernels.map(lambda seed: Queue(queue.store.root).add(replace(QUICK, seed=seed)), range(20, 28)))
    wait_until(lambda: all(run.status["state"] == "done" for run in runs), 30)
    wait_until(lambda: not of(queue, WORKER))
    assert not queue.entries() and not list((queue.store.root / ".queue").glob("*.json"))
    assert "another worker" not in (queue.store.root / ".queue/worker.log").read_text()


def test_a_store_has_one_worker_which_needs_no_torch(queue, stand_in):
    stand_in(SLEEPS)
    queue.add(QUICK)
    command = [sys.executable, "-m", "reslab.batch.worker", str(queue.store.root)]
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 1 and "another worker serves" in second.stdout and not second.stderr
    (worker,) = of(queue, WORKER)
    assert not [row.path for row in worker.memory_maps() if "torch" in row.path]
    assert os.getsid(worker.pid) == worker.pid


def test_what_is_no_entry_is_left_out_with_a_warning(queue, stand_in):
    stand_in(DONE)
    folder = queue.store.root / ".queue"
    folder.mkdir(parents=True)
    (folder / "torn.json").write_text('{"run": "torn", "comm')
    (folder / "list.json").write_text("[1]")
    (folder / "foreign.json").write_text('{"name": "package"}')
    (folder / "odd.json").write_text(
        '{"run": "odd", "command": "rm", "cwd": "/", "iterations": 1, "order": "first"}',
    )
    (folder / "binary.json").write_bytes(b"\xff\x00")
    with pytest.warns(UserWarning, match="is no entry of the queue") as told:
        assert queue.entries() == []
    assert len(told) == 5 and any("its command, order cannot be" in str(warning.message) for warning in told)
    with pytest.warns(UserWarning, match="is no entry of the queue"):
        run = queue.add(QUICK)
    wait_until(lambda: run.status["state"] == "done" and not of(queue, WORKER))
    assert len(list(folder.glob("*.json"))) == 5


def test_mistakes_are_sentences(queue, tmp_path):
    for method in (queue.pause, queue.resume):
        with pytest.raises(ValueError, match="shapes-x is not in the queue of"):
            method("shapes-x")
    queue.stop("shapes-x")
    with pytest.raises(ValueError, match="is a URL"):
        Queue("s3://bucket")
    other = processes.start(LONG, queue.store.root, device="cpu")
    wait_until(processes.owned_by(queue.store.root, LONG, other))
    with pytest.raises(ValueError, match=f"is being trained already, by process {other.pid} on .* can be watched"):
        queue.add(LONG)
    other.kill()
    other.join()
    assert not queue.entries()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Queue(tmp_path / "file").add(QUICK)


def test_a_worker_that_does_not_start_says_where_to_look(queue, monkeypatch):
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    log = queue.store.root / ".queue/worker.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * 2_000_000)
    with pytest.raises(RuntimeError, match=r"did not start; .*worker\.log says why"):
        queue.add(QUICK)
    assert state(queue, QUICK) == "interrupted" and log.stat().st_size == 0


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(),
        RunConfig(9 * 3 + 2, "B", "short", 7, block="bottleneck", lr=3e-05, lr_drops=(5, 17), iterations=40),
        RunConfig(8, "exclusive-gating", gate_bias=-2.5, activation_order="full-preactivation"),
        RunConfig(8, "none", "smoke", lr_drops=(), warmup_iterations=0, weight_decay=0, momentum=0.1 + 0.2),
    ],
)
def test_the_command_says_every_field(config, tmp_path, monkeypatch):
    given = {}

    def fake(config: RunConfig, store: RunStore, **options: object) -> None:
        given.update(options, config=config, store=store.root)
        raise SystemExit(0)

    monkeypatch.setattr(train_module, "train", fake)
    monkeypatch.setattr("torch.set_num_threads", lambda count: given.update(threads=count))
    command = train_command(config, tmp_path, "some where", "cpu", 3)
    assert command[1:4] == ["-m", "reslab", "train"]
    for field in fields(config):
        if getattr(config, field.name) not in (None, ()):
            assert any(part.startswith(f"--{field.name.replace('_', '-')}=") for part in command), field.name
    done = CliRunner().invoke(app, command[3:])
    assert done.exit_code == 0, done.output
    assert given["config"] == config and given["config"].id == config.id and given["store"] == tmp_path
    assert (given["data"], given["device"], given["threads"]) == (Path("some where"), "cpu", 3)
    assert (given["compile"], given["wait"]) == ("auto", False)


def test_train_is_what_the_command_line_calls():
    assert train_module.train is train

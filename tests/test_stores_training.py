"""Training into S3 through connections that are lost and answers that are errors: the same result as on a disk."""

import random
import threading
import time

import pytest

from reslab import RunConfig, RunStore, train
from reslab.files import names
from reslab.training import checkpoint
from reslab.training.owner import RunBusy

from .processes import owned_by, result, start, wait_until
from .s3_fixtures import FAULTS

CONFIG = RunConfig(depth=8, profile="smoke", iterations=60, log_every=3)


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory):
    return result(train(CONFIG, tmp_path_factory.mktemp("disk")))


@pytest.mark.parametrize("seed", range(2))
def test_through_a_faulty_network_comes_the_same_result(s3, on_disk, seed):
    s3.disturb(0.1, seed)
    run = train(CONFIG, s3.url)
    met, s3.faults = s3.met, 0.0
    assert run.state == "done" and result(run) == on_disk
    assert sum(met.values()) >= 8 and set(met) <= set(FAULTS)
    assert "resumed" not in run.provenance


def test_with_many_faults_it_pauses_and_still_comes_to_its_end(s3, on_disk):
    s3.disturb(0.5, seed=2)
    notes = []
    run = train(CONFIG, s3.url, progress=lambda progress: progress.note and notes.append(progress.note))
    s3.disturb(0)
    assert result(run) == on_disk and notes, "three attempts do not always do"
    assert all(note.startswith(f"paused: {s3.url} cannot be ") for note in notes)


def test_kills_at_random_times_over_a_faulty_network_change_nothing(s3, on_disk):
    chance, run, kills = random.Random(0), RunStore(s3.url).run(CONFIG), 0
    s3.disturb(0.05)
    while kills < 6 and run.state != "done":
        goal = len(run.metrics) + chance.choice([0, 1, 2, 3])
        process = start(CONFIG, s3.url, s3.environment)
        wait_until(lambda p=process, goal=goal: len(run.metrics) >= goal or not p.is_alive())
        time.sleep(chance.uniform(0, 0.5))
        process.kill()
        process.join()
        kills += 1
    run = train(CONFIG, s3.url)
    s3.disturb(0)
    assert kills >= 4 and run.state == "done" and result(run) == on_disk
    assert len([name for name in names(run.path) if name.startswith("owner-")]) == 1


def test_a_store_that_is_down_in_the_middle_is_waited_for(s3, on_disk):
    notes, timers = [], []

    def watch(progress):
        if progress.note:
            notes.append(progress.note)
        elif progress.row and progress.iteration == 30:
            s3.down()
            timers.append(threading.Timer(4, s3.up))
            timers[0].start()

    run = train(CONFIG, s3.url, progress=watch)
    timers[0].join()
    assert result(run) == on_disk and "resumed" not in run.provenance
    assert notes and all(f"paused: {s3.url} cannot be written: Could not connect" in note for note in notes)


def test_one_trains_and_the_others_wait_or_are_told(s3, on_disk):
    first = start(CONFIG, s3.url, s3.environment)
    wait_until(owned_by(s3.url, CONFIG, first))
    with pytest.raises(RunBusy, match=f"process {first.pid} on .* at iteration"):
        train(CONFIG, s3.url, wait=False)
    notes = []
    run = train(CONFIG, s3.url, progress=lambda progress: notes.append(progress.note))
    first.join()
    assert first.exitcode == 0 and run.status["pid"] == first.pid and result(run) == on_disk
    assert f"process {first.pid}" in notes[0] and "resumed" not in run.provenance


def train_half(store):
    """Stops after the log point at iteration 30."""

    def stop(progress):
        if progress.row and progress.iteration == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, store, progress=stop)


def test_a_store_that_does_not_let_go_of_the_old_claim_is_waited_for(s3, on_disk):
    train_half(s3.url)
    for _ in range(100):  # more often than the driver tries
        s3.plan("DELETE", "owner-", "lost request")
    notes = []

    def watch(progress):
        if progress.note:
            notes.append(progress.note)
            s3.planned.clear()

    run = train(CONFIG, s3.url, progress=watch)
    assert result(run) == on_disk and s3.met["lost request"] >= 3
    assert len(notes) == 1 and notes[0].startswith(f"paused: {s3.url} cannot be written")
    assert [name for name in names(run.path) if name.startswith("owner-")] == ["owner-000002.json"]


def test_a_damaged_checkpoint_costs_time_and_nothing_else(s3, on_disk):
    train_half(s3.url)
    run = RunStore(s3.url).run(CONFIG)
    path = run.path / checkpoint.NAME
    path.fs.pipe_file(path.path, path.fs.cat_file(path.path)[:-100])
    with pytest.warns(UserWarning, match="damaged"):
        assert result(train(CONFIG, s3.url)) == on_disk

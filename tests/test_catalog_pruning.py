"""What is pruned is gone as a whole; what somebody trains, or has changed, is left; a crash leaves no half run."""

import json
import time

import pytest
from filelock import FileLock

from reslab import RunConfig, RunStore, train
from reslab.catalog import find, pruning
from reslab.training.checkpoint import NEWEST_FIRST
from reslab.training.owner import Owner

from .catalog_fixtures import in_memory, make_store, status


@pytest.fixture
def made(tmp_path):
    return make_store(tmp_path / "runs")


def entry(store: RunStore, state: str):
    (found,) = find(store, state).entries
    return found


def test_a_run_is_gone_and_the_others_are_not(made):
    store, runs = made
    assert pruning.remove(entry(store, "failed")) is None
    assert {run.id for run in store} == {run.id for state, run in runs.items() if state != "failed"}
    assert not (store.root / pruning.GOING).exists()


def test_size_counts_what_is_there(made):
    _, runs = made
    (runs["done"].path / "plugins").mkdir()
    (runs["done"].path / "plugins/mine.py").write_bytes(b"x" * 100)
    oracle = sum(path.stat().st_size for path in runs["done"].path.rglob("*") if path.is_file())
    assert pruning.size(runs["done"]) == oracle
    assert pruning.size(runs["done"], pruning.CHECKPOINTS) == 30


def test_age_is_that_of_the_last_sign_of_life(made):
    store, _ = made
    assert pruning.age(entry(store, "done")) == pytest.approx(10, abs=0.01)
    assert 0 <= pruning.age(entry(store, "new")) < 0.01


def test_who_became_alive_since_the_listing_is_left_alone(made):
    store, runs = made
    listed = entry(store, "failed")
    owner = Owner(runs["failed"])
    try:
        assert "is being trained by process" in pruning.remove(listed)
        now = [e for e in find(store, "running").entries if e.id == listed.id]
        assert "is being trained by process" in pruning.remove(*now)
    finally:
        owner.release("interrupted")
    assert pruning.remove(listed) == "has changed since it was listed"
    assert runs["failed"].state == "interrupted" and (runs["failed"].path / "checkpoint.pt").exists()


def test_who_is_writing_is_left_alone(made, monkeypatch):
    store, runs = made
    monkeypatch.setattr(pruning, "WAIT", 0.1)
    listed = entry(store, "failed")
    with FileLock(runs["failed"].path / ".lock"):  # as an owner that claims it does
        assert pruning.remove(listed) == "is being written at this moment"
    assert pruning.remove(listed) is None
    assert pruning.remove(listed) == "was removed by somebody else"
    assert not runs["failed"].path.exists()


def test_a_crash_half_way_leaves_nothing_that_looks_like_a_run(made, monkeypatch):
    store, runs = made

    def crash(path):
        (path / "config.json").exists() or pytest.fail("renamed whole")
        (path / "metrics.csv").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pruning.shutil, "rmtree", crash)
        with pytest.raises(KeyboardInterrupt):
            pruning.remove(entry(store, "failed"))
    ids = {run.id for run in store}
    assert runs["failed"].id not in ids and ids == {e.id for e in find(store).entries} and len(ids) == 4
    assert pruning.sweep(store) == 1 and not (store.root / pruning.GOING).exists()
    assert pruning.sweep(store) == 0


def test_a_pruned_run_can_be_trained_again(tmp_path):
    config = RunConfig(8, "none", "smoke")
    first = train(config, tmp_path).metrics
    assert pruning.remove(entry(RunStore(tmp_path), "done")) is None
    again = train(config, tmp_path)
    assert again.state == "done" and again.final["test_loss"] == first[-1]["test_loss"]


def test_checkpoints_go_and_the_rest_stays(made):
    store, runs = made
    assert pruning.remove_checkpoints(entry(store, "done")) is None
    left = {path.name for path in runs["done"].path.iterdir()} - {".lock"}
    assert left == {"config.json", "status.json", "metrics.csv", "weights.safetensors"}
    assert {"checkpoint.pt", "checkpoint.previous.pt", "checkpoint.pt.new"} == set(NEWEST_FIRST)  # as in the fixture


# A store on a URL


def test_on_a_url_all_files_go(made):
    store = in_memory(made[0], "pruned")
    assert pruning.size(entry(store, "failed").run, pruning.CHECKPOINTS) == 30
    assert pruning.remove_checkpoints(entry(store, "done")) is None
    assert pruning.size(entry(store, "done").run, pruning.CHECKPOINTS) == 0
    assert pruning.remove(entry(store, "failed")) is None
    assert len(find(store).entries) == 4
    assert not [path for path in store.root.fs.find("/pruned") if "plain14" in path or ".pruned" in path]


def test_on_a_url_what_has_changed_is_left_alone(made):
    store = in_memory(made[0], "changed")
    listed = entry(store, "failed")
    path = f"/changed/{listed.id}/status.json"
    store.root.fs.pipe_file(path, json.dumps(status("failed", iteration=9)).encode())
    assert pruning.remove(listed) == "has changed since it was listed"
    store.root.fs.pipe_file(path, json.dumps(status("running", heartbeat=time.time())).encode())
    assert "is being trained" in pruning.remove(listed)


@pytest.mark.parametrize("deletions", range(8))
def test_on_a_url_a_crash_at_any_deletion_is_finished_by_the_next_sweep(made, monkeypatch, deletions):
    store = in_memory(made[0], f"crash{deletions}")
    listed, left = entry(store, "failed"), deletions
    fs = type(store.root.fs)
    real = fs.rm_file

    def crash(self, path):
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        real(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(fs, "rm_file", crash)
        with pytest.raises(KeyboardInterrupt):
            pruning.remove(listed)
    there = {e.id for e in find(store).entries}
    assert (listed.id in there) == (deletions == 0)
    pruning.sweep(store)
    files = store.root.fs.find(f"/crash{deletions}")
    assert any(listed.id in path for path in files) == (deletions == 0)  # the mark of a run that is whole just goes
    assert not any(pruning.GOING in path for path in files)

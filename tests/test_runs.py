"""Run and RunStore: what is read back is what was written, and bad questions get an answer."""

import csv
import json

import pytest

from reslab import Run, RunConfig, RunStore
from reslab.runs import COLUMNS

ROW = dict(zip(COLUMNS, [3, 0.5, 0.1, 2.25, 87.5, 2.5, 90.0, 1.5, 800.0], strict=True))


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path)
    for depth in (8, 14):
        for seed in (0, 1):
            store.create(RunConfig(depth=depth, profile="smoke", seed=seed))
    return store


def test_metrics_come_back_as_they_were_written(store):
    run = store.find(depth=8, seed=1)[0]
    assert run.metrics == [] and run.state == "new" and run.provenance == {}
    run.write_metrics([ROW, ROW | {"iteration": 6}])
    with open(run.path / "metrics.csv", newline="") as file:
        header, first, _ = csv.reader(file)
    assert header[:5] == ["iteration", "epoch", "lr", "train_loss", "train_error"] and first[0] == "3"
    assert run.metrics == [ROW, ROW | {"iteration": 6}]
    assert run.column("iteration") == [3, 6] and run.final["iteration"] == 6


def test_find_by_fields_and_state(store):
    assert {run.config.seed for run in store.find(depth=14)} == {0, 1}
    assert len(store.find()) == 4 and store.find(depth=20) == []
    (store.find(depth=8, seed=0)[0].path / "status.json").write_text(json.dumps(dict(state="done", iteration=12)))
    assert [run.config.depth for run in store.find("done")] == [8]


def test_questions_that_make_no_sense_are_refused(store):
    with pytest.raises(ValueError, match=r"'dept'.*did you mean 'depth'"):
        store.find(dept=8)
    with pytest.raises(ValueError, match=r"state='finished'.*done"):
        store.find("finished")
    with pytest.raises(ValueError, match=r"'error'.*metrics.csv"):
        store.find(depth=8)[0].column("error")
    with pytest.raises(ValueError, match="no log point"):
        _ = store.find(depth=8)[0].final
    with pytest.raises(ValueError, match="is new: weights are there when it is done"):
        store.find(depth=8)[0].weights()


def test_a_run_is_what_it_was_when_profiles_change(store):
    own = dict(task="denoising", profile="demo", lr=0.1, lr_drops=[350])
    run = store.create(RunConfig.from_dict(own))
    old = {name: value for name, value in run.config.to_dict().items() if name not in ("optimizer", "patch")}
    del old["lr_schedule"]  # denoisers had none of the three at first
    (run.path / "config.json").write_text(json.dumps(old))
    config = Run(run.path).config
    assert (config.optimizer, config.lr_schedule, config.patch, config.lr_drops) == ("sgd", "drops", 32, (350,))
    classified = store.find(depth=8, seed=0)[0]
    old = {name: v for name, v in classified.config.to_dict().items() if name not in ("optimizer", "lr_schedule")}
    (classified.path / "config.json").write_text(json.dumps(old))
    assert Run(classified.path).config == RunConfig(depth=8, profile="smoke")


def test_a_folder_that_cannot_be_read_is_left_out_with_the_reason(store):
    run = store.find(depth=8)[0]
    config = json.loads((run.path / "config.json").read_text()) | dict(shortcut="mine")
    (run.path / "config.json").write_text(json.dumps(config))
    with pytest.warns(UserWarning, match=f"{run.id} is left out: shortcut='mine' is unknown"):
        assert len(list(store)) == 3


def test_the_default_store_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("RESLAB_STORE", str(tmp_path / "elsewhere"))
    assert RunStore().root == tmp_path / "elsewhere"
    monkeypatch.delenv("RESLAB_STORE")
    assert str(RunStore().root) == "runs"

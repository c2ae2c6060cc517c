"""Runs side by side: the same bits are told from others, and the first place where they part."""

import shutil

import pytest

from reslab import RunConfig, RunStore, train
from reslab.catalog.comparison import compare

CONFIG = RunConfig(8, "none", "smoke")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The same config twice, and another seed."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    return [train(CONFIG, one), train(CONFIG, two), train(RunConfig(8, "none", "smoke", 1, lr=0.02), one)]


def test_the_same_config_gives_the_same_bits(trained):
    found = compare(trained[:2])
    assert found.config == {} and set(found.provenance) <= {"started"}
    assert found.metrics == found.weights == ["the same bits"]
    assert found.finals["iteration"] == [12, 12]
    assert found.finals["test_loss"] == [trained[0].final["test_loss"]] * 2


def test_another_seed_differs_from_the_first_log_point_on(trained):
    found = compare([trained[0], trained[2], trained[1]])
    assert found.config == dict(seed=[0, 1, 0], lr=[0.03, 0.02, 0.03])
    assert found.metrics == ["differ from iteration 3 on", "the same bits"]
    one, other = (run.weights() for run in trained[::2])
    largest = max(float((one[name].double() - other[name].double()).abs().max()) for name in one)
    assert found.weights == [f"differ, by up to {largest:.3g}", "the same bits"]


def test_provenance_that_differs_is_named(trained, tmp_path):
    from reslab.files import write_json

    copy = RunStore(tmp_path).run(CONFIG)
    shutil.copytree(trained[0].path, copy.path)
    there = trained[0].provenance
    prints = there["dataset_fingerprint"] | dict(train="another")
    write_json(copy.path / "provenance.json", there | dict(threads=99, dataset_fingerprint=prints, resumed=[{}, {}]))
    found = compare([trained[0], copy]).provenance
    assert found == {
        "threads": [there["threads"], 99],
        "dataset_fingerprint.train": [there["dataset_fingerprint"]["train"], "another"],
        "resumed": [None, 2],
    }


def test_runs_that_are_not_done(trained, tmp_path):
    store = RunStore(tmp_path)
    new = store.create(RunConfig(14, "none", "smoke"))
    half = store.create(CONFIG)
    half.write_metrics(trained[0].metrics[:2])
    found = compare([trained[0], new, half])
    assert found.metrics == ["no log point yet", "the same bits up to iteration 6, where one ends"]
    assert found.weights == [f"not there: {run.id} not done" for run in (new, half)]
    assert found.finals["test_error"] == [trained[0].final["test_error"], None, trained[0].metrics[1]["test_error"]]


def test_another_net_has_other_weights(trained, tmp_path):
    deeper = train(RunConfig(14, "none", "smoke"), tmp_path)
    assert compare([trained[0], deeper]).weights == ["of another net"]


def test_one_run_is_nothing_to_compare(trained):
    with pytest.raises(ValueError, match="two runs or more"):
        compare(trained[:1])

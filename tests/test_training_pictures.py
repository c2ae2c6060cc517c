"""Training on a folder of pictures: the same loop, run folder and resume as with tensors."""

import os
import random
import shutil
import time
from dataclasses import replace

import pytest

from reslab import DataError, RunConfig, RunStore, load_dataset, train
from reslab.batch.appendix import sections
from reslab.batch.facts import RunFacts, StudyFacts
from reslab.batch.queue import train_command
from reslab.batch.results import export
from reslab.batch.spec import Experiment
from reslab.batch.summary import summary
from reslab.claims import ledger
from reslab.data import DATASETS
from reslab.figures.nets import nets_of
from reslab.runs import COLUMNS
from reslab.training import checkpoint

from .picture_fixtures import write_pictures
from .processes import result, start, wait_until


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("mine"), train=12, test=4)


@pytest.fixture(scope="module")
def config(mine):
    return make_config(mine)


def make_config(folder, **options):
    given = dict(depth=18, shortcut="B", family="imagenet", width=4, image_size=32, scale=(32, 40), precision="fp32")
    given |= dict(iterations=60, batch=8, log_every=3, profile="smoke")
    return RunConfig(dataset=f"folder:{folder}", **given | options)


@pytest.fixture(scope="module")
def undisturbed(config, tmp_path_factory):
    return result(train(config, tmp_path_factory.mktemp("undisturbed"), workers=0))


def test_it_trains_and_the_run_folder_says_on_what(tmp_path, config):
    run = train(config, tmp_path, workers=0)
    assert [row["iteration"] for row in run.metrics] == list(range(3, 61, 3))
    assert run.metrics[-1]["train_loss"] != run.metrics[0]["train_loss"] and 0 <= run.final["test_error"] <= 100
    fingerprint = run.provenance["dataset_fingerprint"]
    assert fingerprint["digest"] == config.found.digest and fingerprint["test"] == 12 and fingerprint["mean"]


@pytest.mark.parametrize("workers", [0, 2])
def test_kills_and_workers_change_nothing(tmp_path, config, undisturbed, workers):
    chance, run, sittings = random.Random(workers), RunStore(tmp_path).run(config), 0
    for points in (1, 3):
        process = start(config, tmp_path, workers=workers)
        wait_until(lambda p=process, points=points: len(run.metrics) >= points or not p.is_alive())
        time.sleep(chance.uniform(0, 0.1))
        sittings += process.is_alive()
        process.kill()
        process.join()
    assert sittings, "it should not be done before the first kill"
    assert run.state == "interrupted" or sittings == 1
    process = start(config, tmp_path, workers=workers)
    process.join()
    assert process.exitcode == 0 and run.state == "done"
    assert result(run) == undisturbed


def test_a_signal_writes_a_checkpoint_although_workers_hear_it_too(tmp_path, mine):
    config = make_config(mine, iterations=2000)
    run = RunStore(tmp_path).run(config)
    process = start(config, tmp_path, workers=1)
    wait_until(lambda: len(run.metrics) >= 1)
    for child in children_of(process.pid):
        os.kill(child, 2)
    os.kill(process.pid, 2)
    process.join()
    assert process.exitcode == 1 and run.state == "interrupted" and run.status["failure"] is None
    assert checkpoint.load(run.path)["iteration"] == run.status["iteration"] >= 3


def children_of(pid):
    """The workers: children of the server that the trainer started."""
    import psutil

    return [
        child.pid
        for server in psutil.Process(pid).children()
        for child in server.children()
        if "forkserver" in " ".join(child.cmdline())
    ]


def test_damaged_pictures_are_told_before_anything_is_trained(tmp_path, mine):
    broken = shutil.copytree(mine, tmp_path / "broken")
    file = broken / "train" / "cat" / "001.jpg"
    file.write_bytes(file.read_bytes()[:100])
    config = make_config(broken)
    with pytest.raises(DataError, match=r"^1 of the 48 pictures in .*broken cannot be read: train/cat/001\.jpg"):
        train(config, tmp_path / "runs", workers=0)
    status = RunStore(tmp_path / "runs").run(config).status
    assert status["state"] == "failed" and status["failure"]["kind"] == "DataError"


def test_a_folder_that_has_changed_is_another_run(tmp_path, mine):
    changing = shutil.copytree(mine, tmp_path / "mine")
    config = make_config(changing)
    shutil.copy(changing / "train" / "cat" / "001.jpg", changing / "train" / "cat" / "more.jpg")
    assert make_config(changing).id != config.id and replace(config).id == config.id
    with pytest.raises(DataError, match="is not what it was when this run's config was made"):
        train(config, tmp_path / "runs", workers=0)


def test_the_same_pictures_elsewhere_are_the_same_run(tmp_path, mine, config, undisturbed):
    moved = make_config(shutil.copytree(mine, tmp_path / "runs" / mine.name))
    assert moved.id == config.id
    assert result(train(moved, tmp_path, workers=0)) == undisturbed


def test_cifar_nets_and_a_validation_split_of_pictures(tmp_path, mine):
    config = RunConfig(8, "A", "smoke", dataset=f"folder:{mine}", image_size=16, batch=8, val_split=9)
    run = train(config, tmp_path, workers=0)
    assert run.state == "done" and run.provenance["dataset_fingerprint"]["test"] == 9


def test_pictures_are_not_loaded_as_tensors(mine):
    for name in (f"folder:{mine}", "imagenet"):
        with pytest.raises(DataError, match="decoded as they are needed; train on it with RunConfig"):
            load_dataset(name)


def test_names_that_are_not_utf_8(tmp_path):
    root = write_pictures(tmp_path / os.fsdecode(b"caf\xe9"), (os.fsdecode(b"\xe8"), "b"), train=8, test=2)
    config = make_config(root, iterations=3)
    run = train(config, tmp_path / "runs", workers=1)
    assert run.state == "done" and run.config == config and run.config.facts.classes == 2
    str(run.path).encode()
    os.unlink(root / "val" / "b" / "000.jpg")
    with pytest.raises(DataError) as caught:
        train(config, tmp_path / "again", workers=1)
    str(caught.value).encode()


def test_one_folder_at_two_places_is_one_net_with_two_seeds(tmp_path, mine):
    elsewhere = shutil.copytree(mine, tmp_path / "elsewhere" / mine.name)
    store = RunStore(tmp_path / "store")
    here, there = make_config(mine), make_config(elsewhere, seed=1)
    assert replace(there, seed=0).id == here.id
    for config in (here, there):
        point = dict.fromkeys(COLUMNS, 1.0) | dict(iteration=config.iterations, train_error=20.0 + config.seed)
        store.create(config).write_metrics([point])
    (net,) = nets_of(store.find())
    assert [seed.config.seed for seed in net.seeds] == [0, 1]
    assert [run.id for run in store.find(dataset=f"folder:{os.path.relpath(mine)}")] == [here.id]


def test_nothing_that_is_shared_says_where_the_folder_is(tmp_path, config, mine):
    run = train(config, tmp_path / "store", workers=0)
    table, facts = export([run], tmp_path / "results")
    assert str(mine.parent) not in facts.read_text() + table.read_text()
    assert RunFacts.of(run).config["dataset"] == f"folder:{mine.name}"
    command = train_command(config, tmp_path)
    assert f"--dataset=folder:{mine}" in command and not any("found" in word for word in command)


def test_other_pictures_under_the_same_name_are_noticed(tmp_path, mine, monkeypatch):
    """A named data set, such as imagenette, may lie there in another size when a run goes on."""
    monkeypatch.setitem(DATASETS, "imagenette", RunConfig(dataset=f"folder:{mine}", batch=8, image_size=32).facts)
    shutil.copytree(mine, tmp_path / "data" / "imagenette2-160")
    given = dict(depth=18, family="imagenet", profile="smoke", width=4, image_size=32, batch=8)
    config, where = RunConfig(dataset="imagenette", **given), dict(data=tmp_path / "data", workers=0)

    def stop(progress):
        if progress.row:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "store", progress=stop, **where)
    other = shutil.copytree(mine, tmp_path / "data" / "imagenette2")
    first, *_, last = sorted((other / "train").rglob("*.*"))
    shutil.copy(last, first)
    with pytest.raises(DataError, match="imagenette has other pictures than those that this run began with"):
        train(config, tmp_path / "store", **where)
    shutil.rmtree(other)
    assert train(config, tmp_path / "store", **where).state == "done"


def test_a_study_of_pictures_has_its_report(tmp_path, config):
    run = train(config, tmp_path / "store", workers=0)
    study = Experiment.load("imagenet_degradation")
    facts = StudyFacts(study, config.profile, [run], ledger([run]), [("again", "the same")])
    digest = config.found.digest
    assert f"digest data {digest[:8]}" in summary(facts) and "train data 36" in summary(facts)
    assert digest in "".join(sections(facts).values())

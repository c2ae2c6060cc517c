"""Nothing is lost: processes, and a machine of a cluster, die in the middle of a study, and its result is the same."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from reslab import RunStore

from .chaos import assert_same, disturbed, reproduce, study
from .processes import wait_until
from .ray_cluster import LOOPBACK, TwoNodes

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
STUDY = dict(seeds=1, iterations=300)  # long enough to be hit while they train


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> Path:
    """A study of four runs that nobody disturbed."""
    folder = tmp_path_factory.mktemp("calm")
    story = disturbed(reproduce(study(folder / "study", **STUDY), folder / "runs"), kills=0)
    assert story.typed == 1 and not story.killed
    return folder / "runs"


def test_processes_killed_at_random_change_nothing(calm, tmp_path):
    command = reproduce(study(tmp_path / "study", **STUDY), tmp_path / "runs")
    story = disturbed(command, kills=8, seed=1, pause=1.5)
    assert story.killed.total() >= 5 and len(story.killed) >= 2, story
    assert_same(tmp_path / "runs", calm)


def test_two_batches_at_one_store_share_the_work(calm, tmp_path):
    """Each run is trained by one of them, in one sitting; both end well, and with all runs in their reports."""
    file = study(tmp_path / "study", **STUDY)
    commands = [reproduce(file, tmp_path / "runs", "--jobs", "1", "--out", str(tmp_path / name)) for name in "ab"]

    processes = [subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) for command in commands]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert_same(tmp_path / "runs", calm)
    for run in RunStore(tmp_path / "runs"):
        assert not run.provenance.get("resumed"), run
    for text in said:  # each had its part in it
        assert ": running" in text or ": finishing" in text, said
    reports = [json.loads((tmp_path / name / "small-smoke.json").read_text()) for name in "ab"]
    assert reports[0].keys() == reports[1].keys() and len(reports[0]) == 4


def test_a_machine_of_a_ray_cluster_is_taken_away(calm, tmp_path):

    file = study(tmp_path / "study", **STUDY)
    with TwoNodes() as cluster:
        command = reproduce(file, tmp_path / "runs", "--engine", "ray", "--address", cluster.address)
        environment = ENVIRONMENT | LOOPBACK
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            store = RunStore(tmp_path / "runs")
            training = lambda: [run for run in store if run.state == "running" and run.metrics]  # noqa: E731
            wait_until(lambda: len(training()) == 2, 120)  # one on each node
            cluster.remove()
            said = process.stdout.read()
            assert process.wait(300) == 0, said
    assert_same(tmp_path / "runs", calm)


def test_a_store_on_s3_that_drops_connections_answers_errors_and_goes_away(calm, tmp_path, s3):
    """Each request meets a fault with a probability of 5 %, and for some seconds nobody answers at all."""
    s3.disturb(0.05, seed=1)
    command = reproduce(study(tmp_path / "study", **STUDY), s3.url)
    environment = ENVIRONMENT | s3.environment
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as p:
        wait_until(lambda: any(name.endswith("metrics.csv") for name in s3.objects()), 120)
        s3.down()
        time.sleep(8)
        s3.up()
        said = p.stdout.read()
        assert p.wait(400) == 0, said
    assert "Paused: " in said and "The store can be used again." in said
    assert s3.met.total() >= 10, s3.met
    s3.disturb(0.0)
    assert_same(s3.url, calm)


def test_processes_killed_at_random_with_the_store_on_s3(calm, tmp_path, s3):
    s3.disturb(0.02, seed=2)
    command = reproduce(study(tmp_path / "study", **STUDY), s3.url)
    story = disturbed(command, kills=4, seed=2, pause=3, environment=s3.environment)
    assert story.killed.total() >= 3, story
    s3.disturb(0.0)
    assert_same(s3.url, calm)

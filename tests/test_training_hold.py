"""Numbered claims on a URL: one process trains; the dead and the silent are taken over; who was, stops writing."""

import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from reslab import RunConfig, RunStore, train
from reslab.files import names, read, write_json
from reslab.remote import StoreError, StoreUnreachable
from reslab.runs import SILENT
from reslab.training import hold, patience
from reslab.training.owner import Owner, OwnershipLost, RunBusy, RunDone

from .processes import result

CONFIG = RunConfig(depth=8, profile="smoke")


@pytest.fixture(params=["memory", "s3"])
def run(request):
    url = request.getfixturevalue("s3").url if request.param == "s3" else f"memory://{uuid.uuid4().hex}/runs"
    return RunStore(url).create(CONFIG)


def change(run, name="status.json", **values):
    write_json(run.path / name, json.loads(read(run.path / name) or "{}") | values)


def claims(run):
    return [name for name in names(run.path) if name.startswith("owner-")]


def test_one_has_it_until_it_lets_go(run):
    first = Owner(run)
    assert run.state == "running" and claims(run) == ["owner-000001.json"]
    with pytest.raises(RunBusy, match=r"process \d+ on .*, at iteration 0"):
        Owner(run)
    first.release("interrupted")
    second = Owner(run)
    assert claims(run) == ["owner-000002.json"]
    with pytest.raises(OwnershipLost):
        first.check()
    second.check()
    second.release("done")
    with pytest.raises(RunDone):
        Owner(run)


def test_a_silent_owner_is_taken_over_and_writes_no_more(run):
    slow = Owner(run)
    change(run, heartbeat=time.time() - SILENT - 1)
    fast = Owner(run)
    before = {name: read(run.path / name) for name in names(run.path)}
    with pytest.raises(OwnershipLost, match="taken over"):
        slow.write(lambda: run.write_metrics([]))
    slow.release("failed", dict(kind="x", message="x"))
    assert {name: read(run.path / name) for name in names(run.path)} == before
    fast.check()
    fast.release("done")
    assert run.state == "done"


def test_a_late_status_of_the_old_owner_does_not_make_the_new_one_lose_the_run(run):
    old = Owner(run)
    change(run, heartbeat=time.time() - SILENT - 1)
    late = run.status
    new = Owner(run)
    write_json(run.path / "status.json", late)
    new.check()
    with pytest.raises(RunBusy):
        Owner(run)
    new.release("interrupted")
    old.release("interrupted")
    assert run.status["token"] != late["token"]


def test_who_has_claimed_but_not_written_yet_counts_and_is_taken_over_when_silent(run):
    gone = dict(state="running", token="x", host="elsewhere", pid=1, process_started=0.0, iteration=0)
    write_json(run.path / "owner-000007.json", gone | dict(heartbeat=time.time()))
    with pytest.raises(RunBusy, match="elsewhere"):
        Owner(run)
    write_json(run.path / "owner-000007.json", gone | dict(heartbeat=time.time() - SILENT - 1))
    Owner(run).release("interrupted")
    assert claims(run) == ["owner-000008.json"]


def test_a_number_given_a_second_time_gives_no_ownership(run, monkeypatch):
    """Held up between its look and its claim for so long that two others came, and the number is free again."""
    Owner(run).release("interrupted")
    real, others = hold.create, []

    def late(path, content):
        monkeypatch.setattr(hold, "create", real)
        Owner(run).release("interrupted")
        others.append(Owner(run))
        assert claims(run) == ["owner-000003.json"]
        real(path, content)

    monkeypatch.setattr(hold, "create", late)
    with pytest.raises(RunBusy):
        Owner(run)
    others[0].check()
    others[0].release("interrupted")


@pytest.mark.parametrize("error", [FileExistsError("it is there"), StoreUnreachable("lost", "connection closed")])
def test_a_lost_answer_to_the_claim_is_found_out(run, monkeypatch, error):
    real, lost = hold.create, []

    def create(path, content):
        real(path, content)
        if not lost:
            lost.append(path)
            raise error

    monkeypatch.setattr(hold, "create", create)
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.01)
    owner = Owner(run)
    owner.check()
    assert lost and claims(run) == ["owner-000001.json"]
    owner.release("interrupted")


@pytest.mark.parametrize("fault", ["lost request", "lost answer", "cut answer", "500 InternalError"])
def test_a_fault_of_the_network_at_the_claim(s3, fault):
    run = RunStore(s3.url).create(CONFIG)
    for part in ("owner-", "status.json"):
        s3.plan("PUT", part, fault)
    owner = Owner(run)
    assert s3.met[fault] == 2 and claims(run) == ["owner-000001.json"]
    owner.check()
    owner.release("interrupted")


def test_of_many_at_once_one_gets_it(run):
    barrier, owners, busy = threading.Barrier(6), [], []

    def contend(_number):
        barrier.wait()
        try:
            owners.append(Owner(run))
        except RunBusy as error:
            busy.append(error)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(contend, range(6)))
    assert len(owners) == 1 and len(busy) == 5
    owners[0].check()
    owners[0].release("interrupted")


def test_a_store_that_lets_two_create_one_file_is_refused(run, monkeypatch):
    monkeypatch.setattr(hold, "create", lambda path, content: path.fs.pipe_file(path.path, content))
    with pytest.raises(StoreError, match="two could train one run; use a store that supports conditional writes"):
        Owner(run)


def test_late_metrics_over_a_finished_run_are_noticed_and_put_right(run):
    url = str(run.path.parent)
    trained = train(CONFIG, url)
    right = result(trained)
    assert trained.state == "done" and len(trained.metrics) == 4
    trained.write_metrics(trained.metrics[:2])  # as an owner that was held up before this write would
    assert trained.state == "interrupted"
    seen = []
    assert result(train(CONFIG, url, progress=seen.append)) == right
    assert not [progress for progress in seen if progress.row], "nothing was trained again"

"""The catalog says what Run and RunStore say, of every state, on a disk and on a URL; the odd ones are named."""

import gc
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from reslab import RunConfig, RunStore
from reslab.catalog import find, pruning, resolve, sort
from reslab.catalog.comparison import compare
from reslab.catalog.reading import reader
from reslab.remote import StoreUnreachable

from .catalog_fixtures import in_memory, make_run, make_store, status


@pytest.fixture
def made(tmp_path):
    return make_store(tmp_path / "runs")


def as_told(store: RunStore) -> dict[str, tuple]:
    return {run.id: (run.state, (run.metrics or [None])[-1], run.config.to_dict()) for run in store}


@pytest.mark.parametrize("configs", [True, False])
def test_it_says_what_the_runs_say(made, configs):
    store, runs = made
    (store.root / "no run").mkdir()
    (store.root / "no run" / "status.json").write_text('{"state": "done"}')
    (store.root / ".hidden").mkdir()
    (store.root / "a file").touch()
    entries = find(store, configs=configs).entries
    assert {e.id: (e.state, e.final, e.config) for e in entries} == as_told(store)
    assert [e.id for e in entries] == sorted(run.id for run in runs.values())
    assert all(e.iterations == 12 and e.run.id == e.id for e in entries)


def test_it_says_the_same_of_a_store_on_a_url(made):
    store, _ = made
    told = as_told(store)
    entries = find(in_memory(store, "listing")).entries
    assert {e.id: (e.state, e.final, e.config) for e in entries} == told
    assert find(in_memory(store, "listing"), "failed").entries == [e for e in entries if e.state == "failed"]


def test_on_a_url_a_run_is_done_if_its_metrics_are_the_owners_last(made):
    store, runs = made
    values = json.loads((runs["done"].path / "status.json").read_text())
    (runs["done"].path / "status.json").write_text(json.dumps(values | dict(metrics="another digest")))
    remote = in_memory(store, "sealed")
    assert not find(remote, "done").entries
    assert runs["done"].id in {e.id for e in find(remote, "interrupted").entries}


@pytest.mark.parametrize("state", ["new", "running", "interrupted", "failed", "done"])
@pytest.mark.parametrize("configs", [True, False])
def test_by_state(made, state, configs):
    store, runs = made
    assert [e.id for e in find(store, state, configs=configs).entries] == [runs[state].id]


@pytest.mark.parametrize(
    "wanted",
    [dict(depth=14), dict(shortcut="A"), dict(shortcut="none", seed=0), dict(lr_drops=[6, 9]), dict(depth="14")],
)
def test_by_config(made, wanted):
    store, _ = made
    make_run(store, RunConfig(14, "A", "smoke", 1), None)
    oracle = [run.id for run in store if all(run.config.to_dict()[n] == value for n, value in wanted.items())]
    assert [e.id for e in find(store, None, wanted).entries] == oracle


def test_a_run_from_before_a_field_is_found_by_what_it_did_then(made):
    store, runs = made
    path = runs["done"].path / "config.json"
    old = json.loads(path.read_text())
    del old["activation_order"]
    path.write_text(json.dumps(old))
    wanted = dict(activation_order="original", depth=8)
    assert [e.id for e in find(store, None, wanted).entries] == [runs["done"].id]
    assert not find(store, None, dict(activation_order="full-preactivation")).entries


def test_what_cannot_be_meant_is_refused(made):
    store, _ = made
    with pytest.raises(ValueError, match=r"'dept'.*did you mean 'depth'"):
        find(store, None, dict(dept=8))
    with pytest.raises(ValueError, match=r"'batch_size'.*did you mean 'batch'"):
        find(RunStore(store.root / "nowhere"), None, dict(batch_size=8))
    with pytest.raises(ValueError, match=r"state='dnoe'.*done"):
        find(store, "dnoe")
    with pytest.raises(ValueError, match=r"'test_eror'.*did you mean 'test_error'"):
        sort(find(store).entries, "test_eror")


@pytest.mark.parametrize("name", ["config.json", "status.json"])
def test_what_cannot_be_read_is_left_out_with_the_reason(made, name):
    store, runs = made
    (runs["failed"].path / name).write_text('{"depth": 8}, {"half')
    listing = find(store)
    assert {e.state for e in listing.entries} == {"new", "running", "interrupted", "done"}
    assert list(listing.left_out) == [runs["failed"].id] and name in listing.left_out[runs["failed"].id]


def test_two_values_in_one_file_are_not_taken_for_two_runs(made):
    store, runs = made
    for state, text in (("failed", '{"state": "done"}, {"state": "done"}'), ("done", "")):
        (runs[state].path / "status.json").write_text(text)
    assert set(find(store).left_out) == {runs["failed"].id, runs["done"].id}


@pytest.mark.parametrize("text", ["[]", "{}", '{"iteration": 3}', '{"state": "running"}'])
@pytest.mark.parametrize("configs", [True, False])
def test_a_status_that_is_nobodys_costs_no_other_run(made, text, configs):
    store, runs = made
    (runs["failed"].path / "status.json").write_text(text)
    listing = find(store, configs=configs)
    assert len(listing.entries) == 4 and list(listing.left_out) == [runs["failed"].id]
    assert "status.json cannot be understood" in listing.left_out[runs["failed"].id]


def test_on_a_url_all_of_it_says_so_when_the_store_is_out_of_reach(s3):
    store = RunStore(s3.url)
    runs = [store.create(RunConfig(8, profile="smoke", seed=seed)) for seed in range(2)]
    entry = find(store, configs=False).entries[0]
    read_late = replace(entry, held=None)
    questions = [
        lambda: find(store),
        lambda: resolve(store, runs[0].id),
        lambda: resolve(store, str(runs[0].path)),
        lambda: read_late.config,
        lambda: compare(runs),
        lambda: pruning.age(entry),
        lambda: pruning.size(entry.run),
        lambda: pruning.remove(entry),
        lambda: pruning.remove_checkpoints(entry),
        lambda: pruning.sweep(store),
    ]
    s3.down()

    def ask(question):
        with pytest.raises(StoreUnreachable, match=f"{s3.url}.* cannot be reached"):
            question()

    with ThreadPoolExecutor() as threads:  # each takes seconds
        list(threads.map(ask, questions))
    s3.up()
    assert resolve(store, runs[0].id).path == runs[0].path and pruning.age(entry) < 0.01
    files = reader(store.root)
    s3.down()
    with pytest.raises(StoreUnreachable):
        files.read(files.folders(), "config.json")


def test_on_s3_a_run_is_pruned_and_compared_like_any_other(s3):
    store = RunStore(s3.url)
    runs = [store.create(RunConfig(8, profile="smoke", seed=seed)) for seed in range(2)]
    assert compare(runs).config == dict(seed=[0, 1])
    assert pruning.size(runs[0]) == len((runs[0].path / "config.json").read_bytes())
    entries = find(store).entries
    for _ in range(100):
        s3.plan("DELETE", "config.json", "lost request")
    with pytest.raises(StoreUnreachable):
        pruning.remove(entries[0])
    s3.planned.clear()
    assert pruning.sweep(store) == 1 and len(find(store).entries) == 2  # its config was still there
    assert pruning.remove(entries[0]) is None and [e.id for e in find(store).entries] == [entries[1].id]
    left = " ".join(s3.objects())
    assert entries[0].id not in left and entries[1].id in left


def test_collections_are_on_again(made):
    find(made[0])
    assert gc.isenabled()


def test_sorted_by_anything(made):
    store, runs = made
    entries = find(store).entries
    assert [e.config["depth"] for e in sort(entries, "depth", reverse=True)] == [32, 26, 20, 14, 8]
    errors = [e.final and e.final["test_error"] for e in sort(entries, "test_error")]
    assert errors[:4] == sorted(errors[:4]) and errors[4] is None  # a new run has none
    assert [e.id for e in sort(entries, "test_error", reverse=True)][-1] == runs["new"].id
    assert [e.state for e in sort(entries, "state")] == ["done", "failed", "interrupted", "new", "running"]
    assert [e.id for e in sort(entries, "activation_order")] == [e.id for e in entries]


def test_a_run_is_named_by_its_id_a_part_or_a_path(made):
    store, runs = made
    run = runs["done"]
    for given in (run.id, run.id[:15], run.id[-8:], str(run.path)):
        assert resolve(store, given).path == run.path
    make_run(store, RunConfig(8, "none", "smoke", 1), status("done"))
    with pytest.raises(ValueError, match=r"part of 2 ids: .*plain8.*write more"):
        resolve(store, "plain8-")
    with pytest.raises(ValueError, match="there is no run 'res110'"):
        resolve(store, "res110")

"""Runs in an object store: what is written is read back, fresh and together; what is wrong is said in a sentence."""

import json
import pickle
import time
import uuid
import warnings

import fsspec
import pytest
from botocore.exceptions import MetadataRetrievalError

from reslab import RunConfig, RunStore, cifar_net
from reslab.batch.tickets import Folder
from reslab.files import names, read, read_many, replace_keeping, write_atomically
from reslab.nets.plugins import PluginError
from reslab.remote import StoreError, StoreUnreachable, create, sentences
from reslab.runs import Run, states
from reslab.widgets.following import Following

from .test_runs import ROW

HALF = """
from reslab.nets import Shortcut, register

@register("mine")
class Half(Shortcut):
    formula = "y = F(x) + 0.5 x"

    def merge(self, x, fx):
        return fx + 0.5 * self.identity(x)
"""


@pytest.fixture(params=["memory", "s3"])
def url(request):
    if request.param == "s3":
        return request.getfixturevalue("s3").url
    return f"memory://{uuid.uuid4().hex}/runs"


def filled(url: str) -> RunStore:
    store = RunStore(url)
    for depth in (8, 14):
        for seed in (0, 1):
            store.create(RunConfig(depth=depth, profile="smoke", seed=seed))
    return store


def test_what_is_written_is_read_back(url):
    store = filled(url)
    assert len(store.find()) == 4 and {run.config.seed for run in store.find(depth=14)} == {0, 1}
    run = store.find(depth=8, seed=1)[0]
    assert run.metrics == [] and run.state == "new" and run.provenance == {} and run.config.seed == 1
    digest = run.write_metrics([ROW, ROW | {"iteration": 6}])
    assert run.metrics == [ROW, ROW | {"iteration": 6}] and run.final["iteration"] == 6
    write_atomically(run.path / "status.json", json.dumps(dict(state="done", iteration=12, metrics=digest)))
    assert [found.config.depth for found in RunStore(url).find("done")] == [8]
    with pytest.raises(ValueError, match="is new: weights are there when it is done"):
        store.find(depth=14)[0].weights()


def test_the_url_is_what_another_process_is_given(url):
    store = filled(url)
    assert store.url == url and RunStore(store.url).url == url and RunStore(url + "/").url == url
    run = store.find(depth=8)[0]
    assert RunStore(run.path.parent).url == url and len(RunStore(run.path.parent).find()) == 4
    assert Run(str(run.path)).config == run.config
    assert pickle.loads(pickle.dumps(store)).url == url and len(pickle.loads(pickle.dumps(store)).find()) == 4


def test_a_folders_url_is_its_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RunStore("runs").url == str(tmp_path / "runs") and str(RunStore("runs").root) == "runs"
    assert RunStore((tmp_path / "runs").as_uri()).root == tmp_path / "runs"
    monkeypatch.setenv("RESLAB_STORE", "memory://there/runs")
    assert RunStore().url == "memory://there/runs"


def test_nothing_is_read_from_a_cache(url):
    mine, other = RunStore(url), RunStore(url)
    assert mine.find() == []
    run = other.create(RunConfig(8, profile="smoke"))
    assert [found.id for found in mine.find()] == [run.id]
    for number in range(3):
        write_atomically(run.path / "status.json", json.dumps(dict(state="failed", iteration=number)))
        assert mine.find("failed")[0].status["iteration"] == number


def test_files_are_whole_or_not_there(url):
    folder = RunStore(url).root
    assert names(folder) == [] and read(folder / "a") is None
    create(folder / "a", b"first")
    with pytest.raises(FileExistsError):
        create(folder / "a", b"second")
    write_atomically(folder / "b" / "c", "text")
    assert names(folder) == ["a", "b"]
    assert read_many([folder / "a", folder / "none", folder / "b" / "c"]) == [b"first", None, b"text"]
    for content in (b"1", b"2", b"3"):
        replace_keeping(folder / "x", content, folder / "x.new", folder / "x.before")
    assert read(folder / "x") == b"3" and read(folder / "x.before") == b"2"


def test_a_listing_takes_a_few_requests_at_a_time_and_not_one_after_the_other(s3):
    store = RunStore(s3.url)
    for seed in range(12):
        store.create(RunConfig(8, profile="smoke", seed=seed))
    s3.requests.clear()
    found = store.find()
    assert len(found) == 12 and s3.requests == {"GET": 13}, "one listing, and each config"
    s3.requests.clear()
    assert states(found) == ["new"] * 12 and s3.requests == {"GET": 12}


def test_a_folder_that_cannot_be_read_is_left_out_with_the_reason(url):
    store = filled(url)
    run = store.find(depth=8)[0]
    write_atomically(run.path / "config.json", json.dumps(run.config.to_dict() | dict(shortcut="mine")))
    with pytest.warns(UserWarning, match=f"{run.id} is left out: shortcut='mine' is unknown"):
        assert len(list(store)) == 3


def test_a_plugins_copy_is_fetched_and_checked(url, tmp_path):
    (tmp_path / "half.py").write_text(HALF)
    run = RunStore(url).create(RunConfig(8, "mine", "smoke", plugins=[tmp_path / "half.py"]))
    (tmp_path / "half.py").unlink()
    (found,) = RunStore(url).find(shortcut="mine")
    assert found.config == run.config and found.config.plugins[0].source == HALF.encode()
    cifar_net(8, "mine", plugins=found.config.plugins)
    (name,) = names(run.path / "plugins")
    assert found.config.plugins[0].copy_name == name
    found.config.plugins[0].path.write_text("nonsense")  # in this machine's cache
    assert Run(run.path).config.plugins[0].source == HALF.encode()
    write_atomically(run.path / "plugins" / name, HALF.replace("0.5", "0.6"))
    with pytest.raises(PluginError, match="was changed after its run"):
        _ = Run(run.path).config
    fsspec.filesystem(run.path.protocol).rm((run.path / "plugins" / name).path)
    with pytest.raises(PluginError, match="is not there"):
        _ = Run(run.path).config
    values = json.loads(read(run.path / "config.json"))
    for name in ("../../half.py", "..", "/half.py"):
        write_atomically(run.path / "config.json", json.dumps(values | dict(plugins=[name])))
        with pytest.raises(PluginError, match="not one of the run's own files"):
            _ = Run(run.path).config


def test_a_finished_run_whose_metrics_are_not_those_it_finished_with_is_not_done(url):
    run = RunStore(url).create(RunConfig(8, profile="smoke"))
    digest = run.write_metrics([ROW, ROW | {"iteration": 6}])
    write_atomically(run.path / "status.json", json.dumps(dict(state="done", iteration=12, metrics=digest)))
    assert run.state == "done"
    run.write_metrics([ROW])  # what an owner that was held up for long may do
    assert run.state == "interrupted" and RunStore(url).find("done") == []


def test_a_widget_follows_it(url):
    store = RunStore(url)
    following = Following(store)
    assert following.refresh() == set() and following.every > 1
    runs = [store.create(RunConfig(8, profile="smoke", seed=seed)) for seed in range(2)]
    assert following.refresh() == {run.id for run in runs}
    assert following.refresh() == set()
    write_atomically(runs[0].path / "status.json", json.dumps(dict(state="failed", iteration=3)))
    runs[0].write_metrics([ROW])
    assert following.refresh() == {runs[0].id}
    row = next(row for row in following.rows if row["id"] == runs[0].id)
    assert row["state"] == "failed" and row["progress"] == 0.25 and row["test_error"] == 90.0
    few = Following(store, [runs[1].id])
    few.refresh()
    assert list(few.runs) == [runs[1].id]
    store.root.fs.rm(runs[1].path.path, recursive=True)
    assert following.refresh() == {runs[1].id} and list(following.runs) == [runs[0].id]


def test_a_widget_keeps_what_it_knows_while_the_store_is_out_of_reach(s3):
    following = Following(RunStore(s3.url))
    run = following.store.create(RunConfig(8, profile="smoke"))
    following.refresh()
    s3.down()
    with pytest.warns(UserWarning, match="cannot be reached"):
        assert following.refresh() == set()
    with warnings.catch_warnings():  # it is said once
        assert following.refresh() == set()
    assert list(following.runs) == [run.id]
    s3.up()
    assert following.refresh() == set()


def test_a_store_out_of_reach_is_a_sentence(s3):
    store = filled(s3.url)
    s3.down()
    begun = time.monotonic()
    for question in (store.find, lambda: store.run(RunConfig(8, profile="smoke")).state):
        with pytest.raises(StoreUnreachable, match=f"{s3.url}.* cannot be reached: Could not connect"):
            question()
    assert time.monotonic() - begun < 30, "who watches is to be told soon"


@pytest.mark.parametrize("fault", ["lost request", "lost answer", "cut answer", "500 InternalError", "503 SlowDown"])
def test_single_faults_are_the_drivers_business(s3, fault):
    folder = RunStore(s3.url).root
    for method, action in {
        "PUT": lambda: write_atomically(folder / "a", b"content"),
        "GET": lambda: read(folder / "a"),
        "HEAD": lambda: replace_keeping(folder / "a", b"content", folder / "n", folder / "b"),
    }.items():
        s3.plan(method, folder.name, fault)
        action()
    assert read(folder / "a") == read(folder / "b") == b"content"
    s3.plan("GET", "list-type", fault)
    assert names(folder) == ["a", "b"] and s3.met[fault] == 4


def test_wrong_urls_are_refused_with_what_to_do(s3, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match=r"store='sftp://host/runs' is neither .*s3.*mounted"):
        RunStore("sftp://host/runs")
    with pytest.raises(ValueError, match="is a URL, and buttons train into a folder"):
        Folder(s3.url)
    with pytest.raises(StoreError, match="there is no bucket 'nobody-has-it'; create it"):
        RunStore("s3://nobody-has-it/runs").create(RunConfig(profile="smoke"))
    with pytest.raises(StoreError, match="there is no bucket"):
        RunStore("s3://nobody-has-it/runs").find()


def test_without_credentials_there_is_a_sentence(s3, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    type(RunStore(s3.url).root.fs).clear_instance_cache()
    try:
        with pytest.raises(StoreError, match="set AWS_ACCESS_KEY_ID"):
            RunStore(s3.url).create(RunConfig(profile="smoke"))
    finally:
        type(RunStore(s3.url).root.fs).clear_instance_cache()


def test_credentials_that_cannot_be_had_are_a_sentence(s3, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text("[default]\ncredential_process = false\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    type(RunStore(s3.url).root.fs).clear_instance_cache()
    with pytest.raises(StoreError, match=r"Error when retrieving credentials.*credential_process, a login.*AWS_ACCESS"):
        RunStore(s3.url).find()


def test_a_machines_metadata_that_do_not_answer_are_a_sentence():
    root = RunStore("s3://bucket/runs").root
    with pytest.raises(StoreError, match="Error retrieving metadata: silence; look at what is to"), sentences(root):
        raise MetadataRetrievalError(error_msg="silence")


@pytest.mark.parametrize("protocol", ["gs", "gcs", "az", "abfs", "abfss"])
def test_stores_that_nobody_has_tried_are_refused_with_what_to_do(protocol):
    with pytest.raises(ValueError, match=f"{protocol}:// is not supported.*mount the bucket .*AWS_ENDPOINT_URL=https"):
        RunStore(f"{protocol}://bucket/runs")


def test_s3a_is_s3(s3):
    run = RunStore(s3.url).create(RunConfig(profile="smoke"))
    store = RunStore(s3.url.replace("s3://", "s3a://"))
    assert [found.id for found in store.find()] == [run.id] and store.url.startswith("s3a://")
    assert store.run(run.config).state == "new"


@pytest.mark.parametrize("text", ["[]", "{}", '{"iteration": 3}', '{"state": "running"}', "{"])
def test_a_status_that_is_nobodys_is_left_out_with_the_reason(url, text):
    store = filled(url)
    run = store.find(depth=8, seed=0)[0]
    write_atomically(run.path / "status.json", text)
    with pytest.warns(UserWarning, match=f"{run.id} is left out: "):
        assert len(store.find("new")) == 3
    with pytest.raises(ValueError, match=run.id):
        _ = run.state


def test_without_the_driver_there_is_a_sentence(monkeypatch):
    def missing(protocol: str) -> None:
        raise ImportError(f"Install the driver of {protocol}")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(ValueError, match=r"pip install 'reslab\[s3\]'"):
        RunStore("s3://bucket/runs")

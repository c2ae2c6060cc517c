"""Event files, read back with TensorBoard's own reader: every log point once, whoever wrote it and however it ended."""

import errno
import json
import os
import sys
from datetime import datetime

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from reslab import RunConfig, RunStore
from reslab.batch import tensorboard
from reslab.batch.tensorboard import TAGS, EventFiles, Recording
from reslab.files import stat_many, write_json
from reslab.remote import StoreUnreachable
from reslab.runs import COLUMNS

STARTED = "2026-11-22T10:00:00+0200"


def row(iteration: int, scale: float = 1.0) -> dict:
    values = dict(zip(COLUMNS, range(1, 20), strict=False))
    values = {name: scale * (value + 0.1 * iteration) for name, value in values.items()}
    return values | dict(iteration=iteration, seconds=2.0 * iteration)


@pytest.fixture
def run(tmp_path):
    run = RunStore(tmp_path / "runs").create(RunConfig(8, "none", "smoke"))
    write_json(run.path / "provenance.json", dict(started=STARTED))
    return run


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "events"


def update(folder, *runs):
    with EventFiles(folder) as files:
        files.update(runs)


def read(folder, run) -> EventAccumulator:
    events = EventAccumulator(str(folder / run.id), size_guidance=dict(scalars=0, tensors=0))
    events.Reload()
    return events


def steps(folder, run) -> dict[str, tuple[int, ...]]:
    events = read(folder, run)
    return {tag: tuple(event.step for event in events.Scalars(tag)) for tag in events.Tags()["scalars"]}


def test_each_log_point_is_a_step_with_its_values_and_its_time(run, folder):
    run.write_metrics([row(3), row(6)])
    update(folder, run)
    events = read(folder, run)
    assert set(events.Tags()["scalars"]) == set(TAGS)
    for tag in TAGS:
        points = events.Scalars(tag)
        assert [point.step for point in points] == [3, 6]
        assert [point.value for point in points] == pytest.approx([row(3)[tag], row(6)[tag]], rel=1e-6)
        assert [point.wall_time for point in points] == [
            datetime.fromisoformat(STARTED).timestamp() + s for s in (6, 12)
        ]


def test_the_config_is_there_as_text_and_hyperparameters_once(run, folder):
    for rows in ([row(3)], [row(3), row(6)]):
        run.write_metrics(rows)
        update(folder, run)
    events = read(folder, run)
    (text,) = events.Tensors("config/text_summary")
    assert "| depth | 8 |" in text.tensor_proto.string_val[0].decode()
    hyperparameters = events.PluginTagToContent("hparams")
    assert b"shortcut" in hyperparameters["_hparams_/session_start_info"]
    assert b"test_error" in hyperparameters["_hparams_/experiment"]


def test_rows_are_added_as_they_come_to_one_file(run, folder):
    with EventFiles(folder) as files:
        for end in (1, 2, 3):
            run.write_metrics([row(3 * i) for i in range(1, end + 1)])
            files.update([run])
            assert steps(folder, run) == dict.fromkeys(TAGS, (3, 6, 9)[:end])  # before it is closed
    assert len(list((folder / run.id).iterdir())) == 1


def test_where_nothing_is_new_nothing_is_read(run, folder, monkeypatch):
    run.write_metrics([row(3)])
    with EventFiles(folder) as files:
        files.update([run])
        monkeypatch.setattr(tensorboard, "_Events", None)
        monkeypatch.setattr(type(run), "metrics", property(lambda _run: pytest.fail("read")))
        files.update([run])


def test_a_run_that_has_no_log_point_has_no_folder(run, folder):
    update(folder, run)
    run.write_metrics([])
    update(folder, run)
    assert not (folder / run.id).exists()


def test_another_call_and_two_at_once_write_nothing_twice(run, folder):
    run.write_metrics([row(3)])
    update(folder, run)
    with EventFiles(folder) as one, EventFiles(folder) as other:
        for iteration, files in ((6, [one, other]), (9, [other, one]), (12, [one, other])):
            run.write_metrics([row(i) for i in range(3, iteration + 1, 3)])
            for each in files:
                each.update([run])
    assert steps(folder, run) == dict.fromkeys(TAGS, (3, 6, 9, 12))


def test_rows_that_were_lost_and_trained_again_are_there_once(run, folder):
    with EventFiles(folder) as files:
        run.write_metrics([row(3), row(6)])
        files.update([run])
        run.write_metrics([row(3)])  # the checkpoint was older than the metrics
        files.update([run])
        run.write_metrics([row(3), row(6) | dict(images_per_second=1.0), row(9)])
        files.update([run])
    assert steps(folder, run) == dict.fromkeys(TAGS, (3, 6, 9))


def test_another_run_of_the_same_config_begins_anew(run, folder):
    with EventFiles(folder) as files:
        run.write_metrics([row(3), row(6), row(9)])
        files.update([run])
        run.write_metrics([row(3), row(6, scale=2.0)])
        files.update([run])
    assert steps(folder, run) == dict.fromkeys(TAGS, (3, 6))
    assert read(folder, run).Scalars("test_error")[1].value == pytest.approx(row(6, scale=2.0)["test_error"], rel=1e-6)


def test_a_writer_that_was_killed_in_the_middle_of_a_point_loses_no_other(run, folder):
    run.write_metrics([row(3), row(6)])
    update(folder, run)
    (file,) = (folder / run.id).iterdir()
    file.write_bytes(file.read_bytes()[:-70])  # half of the last point, and the one before
    assert steps(folder, run) != dict.fromkeys(TAGS, (3, 6))
    run.write_metrics([row(3), row(6), row(9)])
    update(folder, run)
    assert steps(folder, run) == dict.fromkeys(TAGS, (3, 6, 9))


def test_a_run_that_is_done_keeps_no_file_open(run, folder):
    files = EventFiles(folder)
    run.write_metrics([row(3), row(12)])  # of 12
    files.update([run])
    assert json.loads((run.path / "config.json").read_text())["iterations"] == 12 and not files._open
    assert steps(folder, run) == dict.fromkeys(TAGS, (3, 12))


class Told:
    """A Watch that keeps what it is told."""

    def __init__(self):
        self.shown, self.said = 0, []

    def show(self, look_at_all, last=False):
        self.shown += 1

    def say(self, text):
        self.said.append(text)


def test_a_folder_that_cannot_be_written_is_told_once_and_the_batch_goes_on(run, folder):
    folder.write_text("a file where the folder should be")
    run.write_metrics([row(3)])
    told = Told()
    with EventFiles(folder) as files:
        recording = Recording(told, files, [run])
        for _ in range(3):
            recording.show(lambda: [], last=True)
    assert told.shown == 3 and len(told.said) == 1
    assert told.said[0].startswith(f"event files cannot be written to {folder}: ") and "goes on without" in told.said[0]


def test_a_disk_that_fills_up_while_events_are_written_is_told_too(run, folder, monkeypatch):
    from torch.utils.tensorboard import SummaryWriter

    def full(_writer):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(SummaryWriter, "flush", full)
    run.write_metrics([row(3)])
    told = Told()
    with EventFiles(folder) as files:
        Recording(told, files, [run]).show(lambda: [], last=True)
    assert "No space left on device" in told.said[0]


def test_trouble_with_the_store_is_the_stores(s3, folder, monkeypatch):
    run = RunStore(s3.url).create(RunConfig(8, "none", "smoke"))
    write_json(run.path / "provenance.json", dict(started=STARTED))
    run.write_metrics([row(3)])
    told = Told()
    with EventFiles(folder) as files:
        recording = Recording(told, files, [run])
        s3.down()
        with pytest.raises(StoreUnreachable):
            recording.show(lambda: [], last=True)
        s3.up()
        with monkeypatch.context() as patch:
            patch.setattr(tensorboard, "stat_many", lambda paths: [stat_many(paths), s3.down()][0])
            with pytest.raises(StoreUnreachable):
                recording.show(lambda: [], last=True)
        s3.up()
        recording.show(lambda: [], last=True)
    assert not told.said and steps(folder, run) == dict.fromkeys(TAGS, (3,))


def test_without_the_package_one_is_told_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match=r"pip install 'reslab\[tensorboard\]'"):
        EventFiles(folder)
    assert not folder.exists()

"""Files on a disk, in memory and in S3 answer alike; a store that is down is said to be, whatever is asked of it."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from upath import UPath

from reslab import RunStore
from reslab.files import (
    exists,
    must_read,
    names,
    place,
    read,
    read_many,
    remove,
    sizes,
    stat,
    stat_many,
    write_atomically,
)
from reslab.remote import StoreUnreachable
from reslab.training.patience import can_pass

from .s3_fixtures import S3


@pytest.fixture(params=["disk", "memory", "s3"])
def folder(request, tmp_path):
    if request.param == "disk":
        (tmp_path / "below").mkdir()
        return tmp_path
    return place(request.getfixturevalue("s3").url if request.param == "s3" else f"memory://{uuid.uuid4().hex}/runs")


def test_size_and_time_are_the_files(folder):
    begun = time.time()
    write_atomically(folder / "a", b"12345")
    found = stat(folder / "a")
    assert found.size == 5 and int(begun) <= found.modified <= time.time() + 1
    write_atomically(folder / "b", b"1")
    assert stat_many([folder / name for name in "abc"]) == [found, stat(folder / "b"), None] and stat_many([]) == []


def test_what_is_removed_is_gone_and_what_is_not_there_is_as_good(folder):
    write_atomically(folder / "a", b"1")
    for _ in range(2):
        remove(folder / "a")
        assert not exists(folder / "a") and read(folder / "a") is None and read_many([folder / "a"]) == [None]
    with pytest.raises(FileNotFoundError):
        must_read(folder / "a")


def test_sizes_are_those_of_all_files_at_any_depth(folder):
    for path, content in ((folder / "a", b"1"), (folder / "below" / "b", b"22")):
        write_atomically(path, content)
    assert sizes(folder) == {folder / "a": 1, folder / "below" / "b": 2} and sizes(folder / "none") == {}


QUESTIONS = {
    "read_many": lambda folder: read_many([folder / "a", folder / "b"]),
    "must_read": lambda folder: must_read(folder / "a"),
    "stat": lambda folder: stat(folder / "a"),
    "stat_many": lambda folder: stat_many([folder / "a", folder / "b"]),
    "remove": lambda folder: remove(folder / "a"),
    "sizes": sizes,
    "names": names,
    "exists": lambda folder: exists(folder / "a"),
}


@pytest.mark.parametrize("trouble", [S3.down, lambda s3: s3.disturb(1.0)])
def test_what_can_pass_is_told_from_what_cannot(s3, trouble):
    folder = place(s3.url)
    for name in "ab":
        write_atomically(folder / name, b"1")
    trouble(s3)

    def ask(name):
        with pytest.raises(OSError) as caught:
            QUESTIONS[name](folder)
        return name, caught.value

    with ThreadPoolExecutor() as threads:  # each takes seconds
        answers = dict(threads.map(ask, QUESTIONS))
    assert set(answers) == set(QUESTIONS)
    assert not {name: error for name, error in answers.items() if not can_pass(error)}
    if s3.is_down:
        assert all(isinstance(error, StoreUnreachable) and s3.url in str(error) for error in answers.values())


def test_a_folders_url_is_read_as_one(tmp_path):
    folder = tmp_path / "a b%20c#d?e"
    assert place(folder.as_uri()) == folder and "%20" in folder.as_uri()
    assert place(f"file://localhost{tmp_path}") == place(UPath(tmp_path.as_uri())) == tmp_path
    assert place(UPath("file:///a%20b")) == Path("/a%20b")  # which is a path and no URL
    with pytest.raises(ValueError, match="a machine called 'runs'; a folder here is file:///runs/x"):
        RunStore("file://runs/x")

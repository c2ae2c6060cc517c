"""All damaged pictures told at once, and a sound folder verified once."""

import os
import shutil

import pytest

from reslab.data import DataError
from reslab.data.loading import Workers
from reslab.data.pictures import open_pictures
from reslab.data.verifying import verify

from .picture_fixtures import folder, here, write_pictures  # noqa: F401


class Counting(Workers):
    """Counts how often it was asked."""

    runs = 0

    def run(self, jobs):
        self.runs += 1
        return super().run(jobs)


@pytest.fixture
def mine(folder, tmp_path):  # noqa: F811
    return shutil.copytree(folder, tmp_path / "mine")


def test_a_sound_folder_is_verified_once_until_a_file_is_written_again(mine, capsys):
    workers = Counting(0)
    verify(open_pictures(mine), workers)
    assert "checking pictures: 100%" in capsys.readouterr().err and workers.runs == 1
    verify(open_pictures(mine), workers)
    assert capsys.readouterr().err == "" and workers.runs == 1
    os.utime(mine / "train" / "cat" / "003.jpg", ns=(1, 1))
    verify(open_pictures(mine), workers, progress=False)
    assert capsys.readouterr().err == "" and workers.runs == 2


@pytest.mark.parametrize("count", [0, 2])
def test_all_damaged_pictures_are_told_in_one_sentence(mine, count):
    cut = mine / "train" / "cat" / "003.jpg"
    cut.write_bytes(cut.read_bytes()[:-300])
    (mine / "val" / "eel" / "004.jpg").write_bytes(b"<html>")
    os.rename(mine / "train" / "dog" / "000.jpg", os.fsencode(mine / "train" / "dog") + b"/\xe9.jpg")
    with open(os.fsencode(mine / "train" / "dog") + b"/\xe9.jpg", "wb"):
        pass
    with Workers(count) as workers:
        for _ in range(2):  # that they are damaged is not remembered
            with pytest.raises(DataError) as caught:
                verify(open_pictures(mine), workers, progress=False)
    message = str(caught.value)
    assert message.startswith(f"3 of the 57 pictures in {mine} cannot be read: train/cat/003.jpg (")
    assert (
        r", train/dog/\xe9.jpg (" in message and ", val/eel/004.jpg (it is of no kind that Pillow knows); " in message
    )
    assert message.endswith("; copy them again, or remove them") and "\n" not in message
    message.encode()


def test_many_are_ten_and_a_number(tmp_path, here):  # noqa: F811
    write_pictures(tmp_path)
    for file in (tmp_path / "train" / "dog").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"train/dog/009\.jpg \([^()]*\) and 4 more; copy them again") as caught:
        verify(open_pictures(tmp_path), here, progress=False)
    assert "010.jpg" not in str(caught.value)

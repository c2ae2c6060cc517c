"""A folder of pictures looked through: what is found, in which order, and a sentence for what is wrong with it."""

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest
from torchvision.datasets import ImageFolder

from reslab.data import DataError
from reslab.data.pictures import open_pictures, shown

from .picture_fixtures import CLASSES, HELD_OUT, TRAIN, folder, picture, pictures, write_pictures  # noqa: F401


@pytest.fixture
def mine(folder, tmp_path):  # noqa: F811
    """A copy that a test may break."""
    return shutil.copytree(folder, tmp_path / "mine")


def sentence(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        open_pictures(root)
    message = str(caught.value)
    assert "\n" not in message and not message.endswith(".") and shown(root) in message
    message.encode()  # as printing does
    return message


def test_names_classes_and_labels_are_those_of_torchvision(folder, pictures):  # noqa: F811
    for split, name in ((pictures.train, "train"), (pictures.held_out, "val")):
        oracle = ImageFolder(str(folder / name))
        assert list(pictures.classes) == oracle.classes
        files = [str(folder / file) for file in split.names]
        assert list(zip(files, split.labels.tolist(), strict=True)) == oracle.samples


def test_facts(pictures):  # noqa: F811
    facts = pictures.facts
    assert (facts.train, facts.test, facts.classes) == (TRAIN * 3, HELD_OUT * 3, 3)
    assert facts.size is None and facts.digest == pictures.digest and len(facts.digest) == 16


def test_the_digest_is_of_sorted_names_and_sizes(folder, pictures):  # noqa: F811
    files = sorted((os.fsencode(path.relative_to(folder)), path.stat().st_size) for path in folder.rglob("*.jpg"))
    expected = hashlib.sha256(b"".join(b"%b\0%d\0" % entry for entry in files))
    assert pictures.digest == expected.hexdigest()[:16]


def test_a_copy_elsewhere_is_the_same_data_and_a_change_is_not(mine, pictures):  # noqa: F811
    copied = open_pictures(mine)
    assert copied.digest == pictures.digest and copied.train.names == pictures.train.names
    file = mine / pictures.train.names[0]
    os.utime(file, ns=(0, 0))
    touched = open_pictures(mine)
    assert touched.digest == pictures.digest and touched.stamp != copied.stamp
    file.write_bytes(file.read_bytes() + b"\0")
    longer = open_pictures(mine)
    assert longer.digest != pictures.digest
    file.rename(file.with_name("zzz.jpg"))
    assert open_pictures(mine).digest not in (longer.digest, pictures.digest)


def test_val_wins_over_test(mine, pictures):  # noqa: F811
    write_pictures(mine / "other", held_out="test")
    shutil.move(mine / "other" / "test", mine)
    assert open_pictures(mine).held_out.names == pictures.held_out.names
    shutil.rmtree(mine / "val")
    assert {name.split("/")[0] for name in open_pictures(mine).held_out.names} == {"test"}


def test_what_is_a_picture(mine, pictures):  # noqa: F811
    for name in (".hidden.jpg", "._000.jpg", "notes.txt", "Thumbs.db"):
        (mine / "train" / "cat" / name).write_bytes(b"not a picture")
    (mine / "train" / "__MACOSX").mkdir()
    (mine / "train" / ".cache").mkdir()
    (mine / "train" / "cat" / "more.jpg").mkdir()
    assert open_pictures(mine).digest == pictures.digest
    kinds = ["a.JPG", "b.Jpeg", "c.png", "d.BMP", "e.webp", "f.tif", "g.TIFF"]
    for name in kinds:
        (mine / "train" / "cat" / name).touch()
    found = {Path(name).name for name in open_pictures(mine).train.names}
    assert found - {Path(name).name for name in pictures.train.names} == set(kinds)


def test_it_is_quick(tmp_path):
    for split in ("train", "val"):
        for label in range(100):
            (tmp_path / split / str(label)).mkdir(parents=True)
            for number in range(50):
                (tmp_path / split / str(label) / f"{number}.jpg").touch()
    start = time.perf_counter()
    assert open_pictures(tmp_path).facts.train == 5000
    assert time.perf_counter() - start < 2  # a tenth of that on a quiet machine


# What is wrong


def test_no_such_folder(tmp_path):
    assert sentence(tmp_path / "none").startswith("there is no folder ")


def test_no_train(tmp_path):
    assert " has no train/ in it; put the training pictures there" in sentence(tmp_path)


def test_nothing_held_out(mine):
    shutil.rmtree(mine / "val")
    assert " has neither val/ nor test/ in it" in sentence(mine)


def test_an_empty_class(mine):
    for file in (mine / "val" / "dog").iterdir():
        file.unlink()
    assert "class folders without a picture (val/dog); put files ending in jpg, jpeg" in sentence(mine)


@pytest.mark.parametrize(("lacks", "has"), [("val", "train"), ("train", "val")])
def test_a_class_that_only_one_of_them_has(mine, lacks, has):
    shutil.rmtree(mine / lacks / "eel")
    assert f"{lacks}/ lacks classes that {has}/ has (eel); add their folders to {lacks}/" in sentence(mine)


def test_many_faults_are_ten_and_a_number(tmp_path):
    for split in ("train", "val"):
        for label in range(12):
            (tmp_path / split / f"class{label:02d}").mkdir(parents=True)
    message = sentence(tmp_path)
    assert "train/class00, train/class01" in message and "train/class09 and 14 more" in message


def test_pictures_that_are_not_sorted_into_classes(mine):
    for label in list((mine / "val").iterdir()):
        for file in label.iterdir():
            file.rename(mine / "val" / f"{label.name}-{file.name}")
        label.rmdir()
    assert "/val has no class folders in it; sort its pictures into one folder a class, such as val/cat/1.jpg" in (
        sentence(mine)
    )


def test_a_link_to_nothing(mine):
    (mine / "train" / "cat" / "link.png").symlink_to(mine / "gone.png")
    assert "train/cat/link.png is a link to a file that is not there" in sentence(mine)


def test_names_that_are_not_utf_8(mine):
    for split in ("train", "val"):
        label = os.fsencode(mine / split) + b"/caf\xe9"
        os.mkdir(label)
        picture(0).save(os.fsdecode(label + b"/\xff.png"))
    found = open_pictures(mine)
    assert found.classes == (os.fsdecode(b"caf\xe9"), *CLASSES) and found.train.names[0] == os.fsdecode(
        b"train/caf\xe9/\xff.png"
    )
    os.unlink(os.fsencode(mine / "val") + b"/caf\xe9/\xff.png")
    assert r"without a picture (val/caf\xe9)" in sentence(mine)

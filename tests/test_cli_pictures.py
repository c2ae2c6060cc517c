"""`reslab data` and `reslab train` on a folder of pictures."""

import pytest

from reslab import RunStore

from .picture_fixtures import write_pictures
from .test_cli import reslab


@pytest.fixture
def mine(tmp_path):
    return write_pictures(tmp_path / "mine", train=6, test=2)


def test_data_describes_and_verifies(mine):
    done = reslab("data", f"folder:{mine}", "--workers", 0)
    assert done.exit_code == 0, done.stderr
    train, val, classes, folder = done.stdout.strip().splitlines()
    assert train.split() == ["train", "18", "pictures,", "every", "one", "whole"] and val.split()[:2] == ["val", "6"]
    assert classes == "3 classes: cat, dog, eel" and folder.startswith(f"{mine}, digest of names and sizes ")


def test_data_tells_what_is_damaged(mine):
    (mine / "val" / "cat" / "001.jpg").write_bytes(b"")
    done = reslab("data", f"folder:{mine}", "--workers", 0)
    assert done.exit_code == 2 and "1 of the 24 pictures" in done.stderr and "val/cat/001.jpg" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["data", "folder:nowhere"], "there is no folder"),
        (["data", "imagenet", "--data", "nowhere"], "ImageNet is not in"),
        (["train", "--dataset", "folder:nowhere", "--profile", "smoke"], "there is no folder"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    done = reslab(*arguments)
    assert done.exit_code == 2 and sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_nothing_to_export(mine, tmp_path):
    done = reslab("data", f"folder:{mine}", "--workers", 0, "--export", tmp_path / "new")
    assert done.exit_code == 2 and "is a folder of pictures already" in done.stderr


def test_train(mine, tmp_path):
    options = ["--dataset", f"folder:{mine}", "--family", "imagenet", "--depth", 18, "--width", 4, "--profile", "smoke"]
    options += ["--image-size", 32, "--scale", "32,40", "--batch", 8, "--store", tmp_path / "runs", "--workers", 0]
    done = reslab("train", *options)
    assert done.exit_code == 0, done.stderr
    (run,) = RunStore(tmp_path / "runs").find()
    assert run.state == "done" and run.config.scale == (32, 40) and str(run.path) in done.stdout

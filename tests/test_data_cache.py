import os
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from reslab.data import DataError, Dataset, load_dataset, shapes
from reslab.data.cache import cache_file
from reslab.data.cifar10 import load

from .data_fixtures import fingerprint, load_small, small_arrays, small_standard, write_folder, zip_folder


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    return zip_folder(write_folder(tmp_path / "loose", small_arrays()), tmp_path / "root" / "pictures.zip")


def test_one_file_with_what_is_needed_to_trust_it(tmp_path: Path, zipped: Path) -> None:
    dataset = load_small(zipped, tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["cifar10.safetensors"]
    with safe_open(tmp_path / "cache" / "cifar10.safetensors", "pt") as file:
        assert set(file.metadata()) == {"name", "classes", "fingerprint", "stamp", "sha256"}
        assert str(zipped) in file.metadata()["stamp"]
        assert torch.equal(file.get_tensor("train_labels"), dataset.train_labels.to(torch.uint8))


def test_the_second_load_reads_the_cache_alone(tmp_path: Path, zipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_small(zipped.parent, tmp_path / "cache")
    monkeypatch.setattr("zipfile.ZipFile", None)
    second = load_small(zipped.parent, tmp_path / "cache")
    assert torch.equal(first.train_images, second.train_images) and second.train_labels.dtype == torch.int64
    zipped.unlink()  # and where no source is left it is enough by itself
    third = load_small(zipped.parent, tmp_path / "cache")
    assert torch.equal(first.test_images, third.test_images) and torch.equal(first.test_labels, third.test_labels)
    assert first.classes == third.classes and first.fingerprint == third.fingerprint


def test_a_changed_source_is_read_anew(tmp_path: Path, zipped: Path) -> None:
    """A source that broke is reported even though an older cache exists, and that cache stays as it was."""
    load_small(zipped, tmp_path / "cache")
    before = (tmp_path / "cache" / "cifar10.safetensors").read_bytes()
    whole = zipped.read_bytes()
    zipped.write_bytes(whole[:-50])
    with pytest.raises(DataError, match=r"pictures.zip cannot be read as a zip"):
        load_small(zipped.parent, tmp_path / "cache")
    assert [path.read_bytes() for path in (tmp_path / "cache").iterdir()] == [before]
    zipped.write_bytes(whole)
    os.utime(zipped, ns=(1, 1))
    load_small(zipped.parent, tmp_path / "cache")
    assert (tmp_path / "cache" / "cifar10.safetensors").read_bytes() != before  # the new stamp


def test_a_missing_class_is_noticed_in_spite_of_a_cache(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "root", small_arrays())
    load_small(root, tmp_path / "cache")
    (root / "train" / "cat").rename(tmp_path / "cat")
    with pytest.raises(DataError, match=r"lacks images of cat"):
        load_small(root, tmp_path / "cache")


@pytest.mark.parametrize("where", ["header", "metadata", "pixels", "end", "everything", "nothing left"])
def test_a_damaged_cache_is_said_once_and_rebuilt(tmp_path: Path, zipped: Path, where: str) -> None:
    first = load_small(zipped, tmp_path / "cache")
    path = tmp_path / "cache" / "cifar10.safetensors"
    data = bytearray(path.read_bytes())
    if where in ("header", "pixels"):
        data[3 if where == "header" else -40] ^= 1
    elif where == "metadata":
        data = data.replace(b'"fingerprint"', b'"fingerprinx"')
    path.write_bytes({"end": data[:-1], "everything": os.urandom(500), "nothing left": b""}.get(where, data))
    with pytest.warns(UserWarning, match=r"^the cache .* is damaged \(.*\) and will be made again$") as said:
        again = load_small(zipped, tmp_path / "cache")
    assert len(said) == 1
    assert torch.equal(first.train_images, again.train_images)
    load_small(zipped, tmp_path / "cache")  # warnings are errors: it is whole again


def test_a_cache_of_other_contents_is_replaced(tmp_path: Path, zipped: Path) -> None:
    """Sound and of the same name, but not the data that are asked for, as after a new edition: no warning."""
    load_small(zipped, tmp_path / "cache")
    other = {split: (255 - images, labels) for split, (images, labels) in small_arrays().items()}
    standard = replace(small_standard(), fingerprint={split: fingerprint(*pair) for split, pair in other.items()})
    root = write_folder(tmp_path / "other", other)
    first = load(root, tmp_path / "cache", progress=False, standard=standard)
    assert first.fingerprint == standard.fingerprint
    assert torch.equal(load(tmp_path, tmp_path / "cache", False, standard).train_images, first.train_images)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "killed"])
def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, zipped: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(_: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    if isinstance(error, OSError):
        with pytest.warns(UserWarning, match=r"could not be cached at .*No space left.*set RESLAB_CACHE"):
            assert len(load_small(zipped, tmp_path / "cache").train_images) == 40
    else:
        with pytest.raises(KeyboardInterrupt):
            load_small(zipped, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_that_cannot_be_made_costs_a_warning(tmp_path: Path, zipped: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match=r"could not be cached at"):
        assert len(load_small(zipped, tmp_path / "file" / "cache").train_images) == 40


def test_writing_to_loaded_tensors_does_not_reach_the_cache(tmp_path: Path, zipped: Path) -> None:
    load_small(zipped, tmp_path / "cache")
    loaded = load_small(zipped, tmp_path / "cache")
    kept = loaded.train_images.clone()
    loaded.train_images.zero_()
    assert torch.equal(load_small(zipped, tmp_path / "cache").train_images, kept)


def test_loaded_tensors_outlive_a_replaced_cache(tmp_path: Path, zipped: Path) -> None:
    load_small(zipped, tmp_path / "cache")
    loaded = load_small(zipped, tmp_path / "cache")
    kept = loaded.train_images.clone()
    os.utime(zipped, ns=(1, 1))
    load_small(zipped, tmp_path / "cache")
    assert torch.equal(loaded.train_images, kept)


def test_where_caches_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RESLAB_CACHE", raising=False)
    assert cache_file(None, "x") == tmp_path / ".cache" / "reslab" / "x.safetensors"
    monkeypatch.setenv("RESLAB_CACHE", str(tmp_path / "elsewhere"))
    assert cache_file(None, "x") == tmp_path / "elsewhere" / "x.safetensors"
    assert cache_file("~/mine", "x") == tmp_path / "mine" / "x.safetensors"


def test_shapes_are_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {split: (torch.tensor(images), torch.tensor(labels)) for split, (images, labels) in small_arrays().items()}
    known = small_standard().fingerprint
    drawn = Dataset("shapes", ("disk", "ring"), *arrays["train"], *arrays["test"], known)
    calls = iter([drawn])
    monkeypatch.setattr(shapes, "draw", lambda: next(calls))
    monkeypatch.setattr(shapes, "TRAIN_SHA256", known["train"])
    monkeypatch.setattr(shapes, "TEST_SHA256", known["test"])
    assert load_dataset("shapes", cache=tmp_path) is drawn
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load_dataset("shapes", cache=tmp_path)
    assert torch.equal(again.train_images, drawn.train_images) and again.classes == drawn.classes
    monkeypatch.setattr(shapes, "TEST_SHA256", "0" * 64)  # another edition of the drawing code
    with pytest.raises(StopIteration):
        load_dataset("shapes", cache=tmp_path)

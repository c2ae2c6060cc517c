"""Faults of the Python version; that it reads right is seen in test_data_cifar10.py."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .data_fixtures import sentence, small_arrays, small_standard, tar_batches, write_batch, write_batches, write_form


def cut(batches: Path) -> None:
    path = batches / "data_batch_2"
    path.write_bytes(path.read_bytes()[:-300])


def lose_batch(batches: Path) -> None:
    (batches / "data_batch_2").unlink()


def lose_test(batches: Path) -> None:
    (batches / "test_batch").unlink()


def widen(batches: Path) -> None:
    write_batch(batches / "data_batch_2", np.zeros((20, 3 * 64 * 48), np.uint8), [0] * 20)


def lose_class(batches: Path) -> None:
    images, labels = small_arrays()["test"]
    write_batch(batches / "test_batch", images[labels != 3].reshape(18, -1), labels[labels != 3].tolist())


def relabel(batches: Path) -> None:
    images, labels = small_arrays()["test"]
    write_batch(batches / "test_batch", images.reshape(20, -1), np.roll(labels, 1).tolist())


def label_out_of_range(batches: Path) -> None:
    images, labels = small_arrays()["test"]
    write_batch(batches / "test_batch", np.concatenate([images, images[:1]]).reshape(21, -1), [*labels.tolist(), 300])


def lose_label(batches: Path) -> None:
    images, labels = small_arrays()["test"]
    write_batch(batches / "test_batch", images.reshape(20, -1), labels[1:].tolist())


def attack(batches: Path) -> None:
    """A pickle that asks for a command to be run."""
    (batches / "data_batch_1").write_bytes(b"cos\nsystem\n(S'touch " + os.fsencode(batches / "attacked") + b"'\ntR.")


BATCH_FAULTS = {
    cut: r"data_batch_2 in .* cannot be read \(.*\); the file is cut short or damaged, so copy it again",
    lose_batch: r".* lacks data_batch_2; copy it again, complete",
    lose_test: r".* lacks test_batch; copy it again, complete",
    widen: r"the images in data_batch_2 in .* have 9216 bytes each instead of 3x6x5, so they are not of the original",
    lose_class: r"the test split in .* has 18 images instead of 20, 2 a class \(0 of cat\); replace",
    relabel: r"the test split in .* is not the known one: its 20 images have the fingerprint",
    label_out_of_range: r"the test split in .* has 21 images instead of 20, 2 a class \(some with labels out of range",
    lose_label: r"test_batch in .* cannot be read \(20 images but 19 labels\)",
    attack: r"data_batch_1 in .* cannot be read \(it asks for os.system, which no batch of images needs\)",
}


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "tar.gz"])
@pytest.mark.parametrize(("fault", "message"), BATCH_FAULTS.items(), ids=lambda part: getattr(part, "__name__", ""))
def test_each_fault_gets_one_sentence(
    tmp_path: Path, fault: Callable[[Path], None], message: str, packed: bool
) -> None:
    batches = write_batches(tmp_path / "root" / "cifar-10-batches-py", small_arrays(), small_standard())
    fault(batches)
    source = tar_batches(batches, tmp_path / "cifar-10-python.tar.gz") if packed else batches
    said = sentence(source, tmp_path / "cache")
    assert re.match(message, said), said
    assert str(source) in said
    assert not (batches / "attacked").exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999, 0.9999])
def test_a_truncated_archive_is_named(tmp_path: Path, share: float) -> None:
    path = write_form("archive", tmp_path / "root", small_arrays())
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    for root in (path, path.parent):
        assert f"{path} cannot be read (" in sentence(root, tmp_path / "cache")


def test_what_is_not_an_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    assert sentence(path, tmp_path / "cache").startswith(f"{path} cannot be read (")

"""Small data sets in every form that CIFAR-10 comes in, written by other means than reslab's own; and the real one,
read once a session.
"""

import hashlib
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reslab.data import DataError, Dataset, load_dataset
from reslab.data.cifar10 import CIFAR10, Standard, load

SIZE = (6, 5)  # not square, so that a swap of height and width shows
PER_CLASS = {"train": 4, "test": 2}
Arrays = dict[str, tuple[np.ndarray, np.ndarray]]  # split -> images uint8 [N, 3, H, W], labels [N]


def small_arrays() -> Arrays:
    random = np.random.default_rng(0)
    arrays = {}
    for split, count in PER_CLASS.items():
        labels = random.permutation(np.repeat(np.arange(10), count))
        arrays[split] = random.integers(0, 256, (len(labels), 3, *SIZE), np.uint8), labels
    return arrays


def fingerprint(images: np.ndarray, labels: np.ndarray) -> str:
    """FACTS.md, word for word: SHA-256 of the sorted SHA-256 digests of (one label byte + the image in CHW order)."""
    digests = []
    for i in range(len(labels)):
        digest = hashlib.sha256()
        digest.update(bytes([labels[i]]))
        for channel in range(3):
            digest.update(images[i, channel].tobytes())
        digests.append(digest.digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def small_standard() -> Standard:
    return Standard(
        name="cifar10",
        classes=CIFAR10.classes,
        size=SIZE,
        per_class=PER_CLASS,
        batches={"train": ("data_batch_1", "data_batch_2"), "test": ("test_batch",)},
        fingerprint={split: fingerprint(*pair) for split, pair in small_arrays().items()},
    )


def load_small(root: Path, cache: Path) -> Dataset:
    return load(root, cache, progress=False, standard=small_standard())


def sentence(root: Path, cache: Path) -> str:
    """The message of the failure to load what is at `root`: one line, and no cache is left."""
    with pytest.raises(DataError) as caught:
        load_small(root, cache)
    message = str(caught.value)
    assert "\n" not in message and not message.endswith("."), message
    assert not cache.exists() or not list(cache.iterdir())
    return message


# Writers. Each fills and returns what the user would point at.


def write_folder(root: Path, arrays: Arrays) -> Path:
    for split, (images, labels) in arrays.items():
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = root / split / CIFAR10.classes[label] / f"{i:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(path)
    return root


def zip_folder(folder: Path, path: Path, top: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, top + file.relative_to(folder).as_posix())
    return path


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 and the numpy of 2009 wrote: str is bytes, flags are ints, and numpy has no _core."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012  (the base class's own way)

    def save_string(self, text: str | bytes) -> None:
        text = text.encode("latin1") if isinstance(text, str) else text
        self.write(pickle.BINSTRING + struct.pack("<i", len(text)) + text)

    def save_flag(self, flag: bool) -> None:
        self.save(int(flag))

    def save_global(self, obj: object, name: str | None = None) -> None:
        module = obj.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{name or obj.__name__}\n".encode())

    dispatch.update({str: save_string, bytes: save_string, bool: save_flag, type: save_global})


def write_batches(root: Path, arrays: Arrays, standard: Standard) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for split, (images, labels) in arrays.items():
        names = standard.batches[split]
        for name, part in zip(names, np.array_split(np.arange(len(labels)), len(names)), strict=True):
            write_batch(root / name, images[part].reshape(len(part), -1), labels[part].tolist())
    return root


def write_batch(path: Path, rows: np.ndarray, labels: list[int]) -> None:
    with open(path, "wb") as file:
        names = [f"{i}.png" for i in labels]
        Python2Pickler(file, 2).dump({"batch_label": path.name, "labels": labels, "data": rows, "filenames": names})


def tar_batches(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "cifar-10-batches-py")
    return path


def write_form(form: str, root: Path, arrays: Arrays) -> Path:
    """Write `arrays` below the folder `root` in one of FORMS and return the folder or file that has the data."""
    root.mkdir(parents=True, exist_ok=True)
    if form == "folder":
        return write_folder(root, arrays)
    if form in ("zip", "zip with a top folder"):
        loose = write_folder(root.with_name(f"{root.name}-loose"), arrays)
        return zip_folder(loose, root / "pictures.zip", "cifar10/" if "top" in form else "")
    if form == "batches":
        return write_batches(root / "cifar-10-batches-py", arrays, small_standard())
    assert form == "archive"
    loose = write_batches(root.with_name(f"{root.name}-loose"), arrays, small_standard())
    return tar_batches(loose, root / "cifar-10-python.tar.gz")


FORMS = ("folder", "zip", "zip with a top folder", "batches", "archive")


@pytest.fixture(scope="session")
def real(cache: Path) -> Dataset:
    """The real CIFAR-10, read from RESLAB_DATA; skipped where that is not set, except in CI, where it must be."""
    if "RESLAB_DATA" not in os.environ and "CI" not in os.environ:
        pytest.skip("set RESLAB_DATA to a folder with CIFAR-10")
    return load_dataset("cifar10", cache=cache, progress=False)

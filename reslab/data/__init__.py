"""Data sets as uint8 tensors: found or downloaded, verified, cached; or drawn by code."""

from dataclasses import dataclass
from pathlib import Path

import torch

from ..names import FOLDER


class DataError(Exception):
    """The data are missing, damaged or not what they should be; the message says what to do."""


@dataclass(frozen=True)
class Dataset:
    """A classification data set in memory.

    `train_images` uint8 [N, 3, H, W] and `train_labels` int64 [N], values in [0, 255] and [0, classes); the same for
    test. `fingerprint` maps "train" and "test" to the order-independent SHA-256 of the split: the digest of the sorted
    digests of (label byte + image bytes in CHW order).
    """

    name: str
    classes: tuple[str, ...]
    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor
    fingerprint: dict[str, str]


@dataclass(frozen=True)
class Facts:
    """What is known of a data set before it is read: images in each split, their side in pixels (None: files of any
    size), classes, and of a folder a digest of its files' names and sizes.
    """

    train: int
    test: int
    size: int | None
    classes: int
    digest: str = ""


DATASETS = {
    "cifar10": Facts(50_000, 10_000, 32, 10),
    "shapes": Facts(10_000, 2_000, 32, 10),
    "imagenet": Facts(1_281_167, 50_000, None, 1000),
    "imagenette": Facts(9_469, 3_925, None, 10),
}


def find_facts(name: str) -> Facts:
    """What is in the folder of a data set called "folder:PATH". Raises DataError if there is none, or not sorted into
    classes.
    """
    from .pictures import open_pictures

    return open_pictures(Path(name.removeprefix(FOLDER))).facts


def load_dataset(
    name: str = "cifar10", root: str | Path | None = None, cache: str | Path | None = None, progress: bool = True
) -> Dataset:
    """A data set as uint8 tensors, verified by fingerprint, and from the second time on read from its cache.

    Args:
        name: "cifar10" (Krizhevsky, 2009: 50,000 + 10,000 images of 3x32x32, ten classes), or "shapes", drawn by code,
            which needs no files.
        root: where CIFAR-10 is: a folder that has `cifar-10-batches-py/`, `cifar-10-python.tar.gz`,
            `train/<class>/*.png` with `test/...`, or a zip of these; or one of them itself. Default: RESLAB_DATA, else
            ./data. Where nothing is found and nothing is cached, the archive is downloaded to this folder.
        cache: folder for the cached tensors. Default: RESLAB_CACHE, else ~/.cache/reslab.
        progress: show bars on stderr while images are read (torchvision shows its own for a download).

    Returns:
        The Dataset, its examples in the order of their digests: the same tensors whatever files they came in.

    Raises:
        DataError: an unknown name; or the files are damaged, incomplete or changed, or there are none and the download
            failed. One sentence that says what is wrong, where, and what to do. No cache is left behind then.
    """
    # The rooms are imported here so that `import reslab` stays quick.
    if name == "cifar10":
        from .cifar10 import load

        return load(root, cache, progress)
    if name == "shapes":
        from . import shapes
        from .cache import cache_file, read, write

        file, known = cache_file(cache, name), {"train": shapes.TRAIN_SHA256, "test": shapes.TEST_SHA256}
        held = read(file, known)
        if held:
            return held[0]
        dataset = shapes.draw()
        if dataset.fingerprint != known:
            raise DataError("this machine draws other shapes than the known ones; report it, with torch's version")
        write(file, dataset, stamp="drawn by reslab.data.shapes")
        return dataset
    if name in DATASETS or name.startswith(FOLDER):
        raise DataError(
            f"{name!r} is pictures of any size, which are not loaded as tensors but decoded as they are needed; train "
            f"on it with RunConfig(dataset={name!r})"
        )
    raise DataError(f"there is no data set {name!r}; choose one of {', '.join(DATASETS)}")

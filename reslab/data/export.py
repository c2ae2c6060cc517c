"""A data set in memory written as a folder of pictures: what folders of pictures are tried with, and looked at."""

from pathlib import Path

import torch
from PIL import Image

from . import DataError, Dataset


def write_folder(
    dataset: Dataset, path: str | Path, size: int | None = None, train: int | None = None, test: int | None = None
) -> Path:
    """Writes `train/<class>/00000.png` and so on, and the same for `test`, to the new folder `path`, and returns it.

    Args:
        dataset: what `load_dataset` gives; classes get its names.
        path: a folder that is not there yet, or is empty.
        size: the pictures' side in pixels, scaled bicubically; None keeps it.
        train: how many training images, the same number of each class, the first ones in the data set's order; None
            takes all.
        test: the same for test images.

    Raises:
        DataError: the folder has something in it, or there are not as many images.
    """
    folder = Path(path).expanduser()
    if folder.is_dir() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty; name a new folder")
    chosen = {
        split: _first_of_each(labels, len(dataset.classes), count, split)
        for split, labels, count in (
            ("train", dataset.train_labels, train),
            ("test", dataset.test_labels, test),
        )
    }
    for split, indices in chosen.items():
        for name in dataset.classes:
            (folder / split / name).mkdir(parents=True, exist_ok=True)
        images, labels = getattr(dataset, f"{split}_images"), getattr(dataset, f"{split}_labels")
        for index in indices.tolist():
            picture = Image.fromarray(images[index].permute(1, 2, 0).numpy())
            if size is not None:
                picture = picture.resize((size, size), Image.Resampling.BICUBIC)
            picture.save(folder / split / dataset.classes[labels[index]] / f"{index:05}.png")
    return folder


def _first_of_each(labels: torch.Tensor, classes: int, count: int | None, split: str) -> torch.Tensor:
    """Indices, in order, of `count` images, as many of each class; all of them for None."""
    if count is None:
        return torch.arange(len(labels))
    each, rest = divmod(count, classes)
    if rest or each < 1:
        raise DataError(f"{split}={count} images are not as many of each class; give a multiple of {classes}")
    least = int(torch.bincount(labels, minlength=classes).min())
    if each > least:
        raise DataError(f"{split}={count} images are more than there are; allowed: up to {least * classes}")
    return torch.cat([(labels == label).nonzero().flatten()[:each] for label in range(classes)]).sort().values

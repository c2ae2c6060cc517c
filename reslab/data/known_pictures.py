"""Data sets of pictures by name: a folder of one's own, ImageNet where the user has it, Imagenette found or
downloaded.
"""

import os
import re
from pathlib import Path

from . import DATASETS, FOLDER, DataError
from .downloading import downloading
from .pictures import Pictures, open_pictures, shown

_WORDNET = re.compile(r"n\d{8}")  # how ImageNet's class folders, and its subsets', are called


# What they are called below the data root, best first. Imagenette's names are torchvision's: full size, 320 and 160
# pixels.
FOLDERS = dict(
    imagenet=("imagenet", "ILSVRC2012"),
    imagenette=("imagenette2", "imagenette2-320", "imagenette2-160"),
)
WHERE_IMAGENET_IS_HAD = (
    "it cannot be downloaded without an account: get ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from "
    "https://image-net.org, unpack them into imagenet/train/<class>/ and imagenet/val/<class>/ with class folders such "
    "as n01440764 (torchvision.datasets.ImageNet does that), and set RESLAB_DATA (or --data) to the folder above"
)


def find_pictures(dataset: str, root: str | Path | None = None) -> Pictures:
    """The pictures of "folder:PATH", "imagenet" or "imagenette", looked through: see open_pictures.

    `root` is the folder in which the named ones are; default RESLAB_DATA, else ./data. Imagenette is downloaded there
    if it is not; ImageNet cannot be.

    Raises:
        DataError: the data are not there, incomplete, or not in class folders; or a download failed.
    """
    if dataset.startswith(FOLDER):
        return open_pictures(dataset.removeprefix(FOLDER))
    root = Path(root or os.environ.get("RESLAB_DATA") or "data").expanduser().resolve()
    found = _find(dataset, root)
    if found is None and dataset == "imagenet":
        raise DataError(
            f"ImageNet is not in {shown(root)}, as {' or '.join(FOLDERS[dataset])} or with train/ and val/ right "
            f"there; {WHERE_IMAGENET_IS_HAD}"
        )
    return _checked(dataset, found or _download(root))


def _find(dataset: str, root: Path) -> Path | None:
    """A folder of that name below `root`, or `root` itself where it has about as many of ImageNet's classes."""
    named = next((root / name for name in FOLDERS[dataset] if (root / name).is_dir()), None)
    if named is None and (root / "train").is_dir():
        with os.scandir(root / "train") as entries:
            classes = sum(_WORDNET.fullmatch(entry.name) is not None for entry in entries)
        # A copy that lacks a class is this data set with a fault, one of a hundred classes is another.
        if DATASETS[dataset].classes / 2 < classes < DATASETS[dataset].classes * 2:
            return root
    return named


def _checked(dataset: str, folder: Path) -> Pictures:
    pictures, known = open_pictures(folder), DATASETS[dataset]
    found = pictures.facts
    if (found.train, found.test, found.classes) != (known.train, known.test, known.classes):
        raise DataError(
            f"{shown(folder)} has {found.train:,} training and {found.test:,} held-out pictures of {found.classes:,} "
            f"classes, but {dataset} has {known.train:,} and {known.test:,} of {known.classes:,}; complete the copy, "
            f"or train on it as the data set {FOLDER}{shown(folder)}"
        )
    return pictures


def _download(root: Path) -> Path:
    """Downloads Imagenette's small size into `root` through torchvision."""
    from torchvision.datasets import Imagenette  # here, because only the very first load needs it

    name = FOLDERS["imagenette"][-1]
    remedy = f"put its folder {name}/ there, or set RESLAB_DATA (or --data) to the folder that has it"
    with downloading(root, "Imagenette", remedy) as partial:
        Imagenette(partial, size="160px", download=True)
        os.replace(partial / name, root / name)
    return root / name

"""Pascal VOC as it was published (Everingham et al. 2010): found, or downloaded through torchvision."""

import os
from pathlib import Path

from ..data import DataError
from ..data.downloading import downloading
from ..data.pictures import shown
from ..names import FOLDER
from .datasets import BOX_DATASETS
from .layout import read_list
from .voc import BoxPictures, find_entries, look_through

# In the order of the challenge's own tables.
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
DEVKIT, YEAR_07, YEAR_12 = "VOCdevkit", "VOC2007", "VOC2012"
TRAINVAL_07, TEST_07, TRAINVAL_12 = (YEAR_07, "trainval"), (YEAR_07, "test"), (YEAR_12, "trainval")
# What is trained on and what is held out: (folder, list). VOC12's test boxes were never published.
SPLITS = {
    "voc07": ([TRAINVAL_07], [TEST_07]),
    "voc07+12": ([TRAINVAL_07, TRAINVAL_12], [TEST_07]),
    "voc07++12": ([TRAINVAL_07, TEST_07, TRAINVAL_12], []),
}


def find_voc(dataset: str, root: str | Path | None = None) -> BoxPictures:
    """The pictures of "voc07", "voc07+12" or "voc07++12", as the paper's tables name them.

    They are looked for as VOCdevkit/VOC2007 and VOCdevkit/VOC2012, or without VOCdevkit/, in `root`; default
    RESLAB_DATA, else ./data. A year that is not there is downloaded to VOCdevkit/ there.

    Raises DataError as voc.open_voc does; or if a year is incomplete, or cannot be downloaded.
    """
    root = Path(root or os.environ.get("RESLAB_DATA") or "data").expanduser().resolve()
    base = next((base for base in (root / DEVKIT, root) if (base / YEAR_07).is_dir()), root / DEVKIT)
    for year in dict.fromkeys(year for split in SPLITS[dataset] for year, _ in split):
        if not (base / year).is_dir():
            _download(root, base / year)
    entries = [
        [entry for year, name in split for entry in find_entries(base, year, read_list(base / year, name))]
        for split in SPLITS[dataset]
    ]
    known = BOX_DATASETS[dataset]
    if (len(entries[0]), len(entries[1])) != (known.train, known.test):
        raise DataError(
            f"{shown(base)} lists {len(entries[0]):,} training and {len(entries[1]):,} held-out pictures, but "
            f"{dataset} has {known.train:,} and {known.test:,}; complete the copy, or train on one of its folders as "
            f"the data set {FOLDER}{shown(base / YEAR_07)}"
        )
    return look_through(base, *entries, CLASSES)


def _download(root: Path, folder: Path) -> None:
    """Downloads all of a year that is public, through torchvision, and puts it at `folder`."""
    from torchvision.datasets import VOCDetection  # here, because only the very first load needs it

    year = folder.name.removeprefix("VOC")
    remedy = f"put its folder {folder.name}/ there, or set RESLAB_DATA (or --data) to the folder that has it"
    with downloading(root, f"Pascal VOC {year}", remedy) as partial:
        for split in ["trainval"] + ["test"] * (folder.name == YEAR_07):
            VOCDetection(partial, year, split, download=True)
        folder.parent.mkdir(exist_ok=True)
        os.replace(partial / DEVKIT / folder.name, folder)

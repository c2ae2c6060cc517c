"""CIFAR-10 (Krizhevsky, 2009): found in whatever form the user has it, or downloaded; verified; -> uint8 tensors.

Forms: torchvision's folder `cifar-10-batches-py/`, the archive `cifar-10-python.tar.gz`, an image folder
`train/<class>/*.png` + `test/...`, or a zip of one. All give the same tensors, byte for byte and in the same order (see
fingerprint.py).
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from . import DataError, Dataset, archive, cache, folder
from .downloading import downloading
from .fingerprint import canonical, verify

BATCHES, ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"


@dataclass(frozen=True)
class Standard:
    """What files must hold to be the data set. Tests make small ones; there is one real one."""

    name: str
    classes: tuple[str, ...]  # in label order
    size: tuple[int, int]  # height, width in pixels
    per_class: dict[str, int]  # images of each class, by split
    batches: dict[str, tuple[str, ...]]  # file names of the Python version, by split
    fingerprint: dict[str, str]


CIFAR10 = Standard(
    name="cifar10",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    size=(32, 32),
    per_class={"train": 5000, "test": 1000},
    batches={"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)},
    fingerprint={
        "train": "55a61f79a40ece2ceda9fb5f9f7078f6ea2fc4952489cef56682bcf92cfcc260",
        "test": "325704b01eb92e1e2a6215ae6a916bb7db7de054af0c496be1c7be2e0fcfbf5f",
    },
)

Arrays = dict[str, tuple[torch.Tensor, torch.Tensor]]  # split -> images uint8 [N, 3, H, W], labels int64 [N]


def load(root: str | Path | None, cached: str | Path | None, progress: bool, standard: Standard = CIFAR10) -> Dataset:
    """See `reslab.load_dataset`."""
    root = Path(root or os.environ.get("RESLAB_DATA") or "data").expanduser().resolve()
    file = cache.cache_file(cached, standard.name)
    held = cache.read(file, standard.fingerprint)
    candidates = _candidates(root, standard)
    if held and any(held[1] == _stamp(path, standard) for path in candidates):
        return held[0]
    source = _choose(root, candidates, standard)
    if source is None:
        if held:
            return held[0]
        source = _download(root)
    stamp = _stamp(source, standard)  # before reading: a source that changes meanwhile is then read anew next time
    splits = {split: canonical(*arrays) for split, arrays in _read(source, standard, progress).items()}
    verify(splits, standard.fingerprint, str(source))
    tensors = {
        f"{split}_{part}": getattr(splits[split], part) for split in folder.SPLITS for part in ("images", "labels")
    }
    dataset = Dataset(standard.name, standard.classes, **tensors, fingerprint=dict(standard.fingerprint))
    cache.write(file, dataset, stamp)
    return dataset


# Finding


def _is_batches(path: Path, standard: Standard) -> bool:
    return path.name == BATCHES or any((path / name).exists() for names in standard.batches.values() for name in names)


def _candidates(root: Path, standard: Standard) -> list[Path]:
    """What may hold the data, best first, judged by names alone. Raises DataError where `root` is a missing file."""
    if root.suffix in (".zip", ".gz", ".tgz") and not root.exists():
        raise DataError(f"there is no file {root}; give the folder or the archive that holds {standard.name}")
    if root.is_file() or (root.is_dir() and _is_batches(root, standard)):
        return [root]
    images = [root] if any((root / split).is_dir() for split in folder.SPLITS) else []
    return [path for path in (root / BATCHES, root / ARCHIVE) if path.exists()] + images + sorted(root.glob("*.zip"))


def _choose(root: Path, candidates: list[Path], standard: Standard) -> Path | None:
    """The first candidate that is the data, or is meant to be: what is wrong with it is then said when it is read."""
    broken: DataError | None = None
    for path in candidates:
        if root.is_file() or path.name == ARCHIVE or _is_batches(path, standard):
            return path
        try:
            # More than half: a copy that lacks a class is this data set with a fault, one of cats and dogs is another.
            if 2 * len(folder.open_tree(path).classes() & set(standard.classes)) > len(standard.classes):
                return path
        except DataError as error:
            broken = error
    if broken:  # nothing else is there, so the zip that cannot be opened is likely the one that was meant
        raise broken
    return None


def _stamp(source: Path, standard: Standard) -> str:
    """What changes when the source does: paths, sizes and times; of an image folder, those of the class folders."""
    parts = [source]
    if source.is_dir():
        parts = [source / name for names in standard.batches.values() for name in names]
        parts += [source / split / name for split in folder.SPLITS for name in standard.classes]
    stats = [(str(part), part.stat()) for part in parts if part.exists()]
    return json.dumps([(part, stat.st_size, stat.st_mtime_ns) for part, stat in stats])


# Reading


def _read(source: Path, standard: Standard, progress: bool) -> Arrays:
    """Both splits of a source of any form, with the right number of images in each class."""
    if source.suffix == ".zip" or (source.is_dir() and not _is_batches(source, standard)):
        tree = folder.open_tree(source)
        arrays = {
            split: folder.read_split(tree, split, standard.size, standard.classes, progress)[:2]
            for split in folder.SPLITS
        }
    else:
        names = [name for split in folder.SPLITS for name in standard.batches[split]]
        found = archive.read_batches(source, names, standard.size, progress)
        arrays = {}
        for split in folder.SPLITS:
            images, labels = zip(*(found[name] for name in standard.batches[split]), strict=True)
            arrays[split] = torch.cat(images), torch.cat(labels)
    for split, (_, labels) in arrays.items():
        _check_counts(labels, split, standard, source)
    return arrays


def _check_counts(labels: torch.Tensor, split: str, standard: Standard, source: Path) -> None:
    expected = standard.per_class[split]
    counts = {name: int((labels == label).sum()) for label, name in enumerate(standard.classes)}
    wrong = [f"{count} of {name}" for name, count in counts.items() if count != expected]
    if wrong or len(labels) != expected * len(counts):
        raise DataError(
            f"the {split} split in {source} has {len(labels)} images instead of {expected * len(counts)}, {expected} a "
            f"class ({', '.join(wrong) or 'some with labels out of range'}); replace it by a complete copy"
        )


# Downloading


def _download(root: Path) -> Path:
    """Download the archive into `root` through torchvision and its progress bar. A failure leaves nothing behind."""
    # Imported here: it takes a second, and only the very first load needs it.
    from torchvision.datasets import CIFAR10 as Torchvision
    from torchvision.datasets.utils import download_url

    remedy = (
        f"put {ARCHIVE} from {Torchvision.url} there, or set RESLAB_DATA (or --data) to the folder that has it, or use "
        f"the data set 'shapes', which needs no download"
    )
    with downloading(root, "CIFAR-10", remedy) as partial:
        download_url(Torchvision.url, str(partial), ARCHIVE, Torchvision.tgz_md5)
        os.replace(partial / ARCHIVE, root / ARCHIVE)
    return root / ARCHIVE

"""Pictures sorted into folders, one a class, as ImageNet's are: what is there, found by looking at names and sizes."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from . import DataError, Facts

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
HELD_OUT = ("val", "test")  # the first of these that is there is evaluated
TOLD = 10  # names in a sentence; the rest are a number


@dataclass(frozen=True)
class Split:
    """Some pictures: `names` relative to the root ("train/cat/1.jpg"), in order, and `labels` int64 [n]."""

    names: tuple[str, ...]
    labels: torch.Tensor = field(repr=False)

    def chosen(self, indices: torch.Tensor) -> "Split":
        """The pictures at these indices, in their order."""
        return Split(tuple(self.names[i] for i in indices.tolist()), self.labels[indices])


@dataclass(frozen=True)
class Pictures:
    """A folder of pictures that has been looked through, but not read.

    `digest` is the same wherever the same files lie: 16 hex digits of a SHA-256 over their sorted names and sizes.
    `stamp` holds their times as well, so it changes when a file is written again.
    """

    root: Path
    classes: tuple[str, ...]  # folder names, sorted, which is the order of the labels
    train: Split = field(repr=False)
    held_out: Split = field(repr=False)
    digest: str
    stamp: str

    @property
    def facts(self) -> Facts:
        """How many there are. They have no common size."""
        return Facts(len(self.train.names), len(self.held_out.names), None, len(self.classes), self.digest)


def shown(name: str | os.PathLike[str]) -> str:
    """A file's name for people: bytes that are no UTF-8 as \\xe9, or printing it would fail."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def listed(names: Sequence[str]) -> str:
    """The first names, as they are shown, and how many more there are."""
    more = f" and {len(names) - TOLD:,} more" * (len(names) > TOLD)
    return ", ".join(map(shown, names[:TOLD])) + more


def open_pictures(path: str | Path) -> Pictures:
    """Looks through the folder `path`: training pictures in `train/<class>/`, held-out ones in `val/<class>/`, or where
    there is no val/ in `test/<class>/`; with both, val/ is used and test/ is left alone.

    Classes and files are in the order of their names' bytes. Pictures are files that end in jpg, jpeg, png, bmp, webp,
    tif or tiff, in upper or lower case, directly in a class folder; hidden files and folders and __MACOSX are passed
    over. No picture is opened, so a thousand of them take milliseconds.

    Raises:
        DataError: there is no such folder, no train/, neither val/ nor test/, a class folder without pictures, a class
            that only one of the two has, or a link to a file that is not there.
    """
    root = Path(path).expanduser().absolute()
    where = shown(root)
    if not root.is_dir():
        raise DataError(f"there is no folder {where}; give the one that has train/<class>/ and val/<class>/ in it")
    if not (root / "train").is_dir():
        raise DataError(f"{where} has no train/ in it; put the training pictures there, one folder a class")
    held_out = next((name for name in HELD_OUT if (root / name).is_dir()), None)
    if held_out is None:
        raise DataError(
            f"{where} has neither val/ nor test/ in it; put pictures to evaluate there, one folder a class as in train/"
        )
    classes = _classes(root, held_out)
    splits, files, empty = [], [], []
    for split in ("train", held_out):
        names, labels = [], []
        for label, name in enumerate(classes):
            found = _pictures(root, f"{split}/{name}")
            empty += [f"{split}/{name}"] * (not found)
            files += found
            names += [os.fsdecode(file) for file, *_ in found]
            labels += [label] * len(found)
        splits.append(Split(tuple(names), torch.tensor(labels)))
    if empty:
        raise DataError(
            f"{where} has class folders without a picture ({listed(empty)}); put files ending in "
            f"{', '.join(e[1:] for e in EXTENSIONS)} directly into them, or remove the class from train/ and "
            f"{held_out}/"
        )
    digest, stamp = hashlib.sha256(), hashlib.sha256()
    for file, size, modified in sorted(files):
        digest.update(b"%b\0%d\0" % (file, size))
        stamp.update(b"%b\0%d\0%d\0" % (file, size, modified))
    return Pictures(root, classes, *splits, digest.hexdigest()[:16], stamp.hexdigest()[:16])


def _classes(root: Path, held_out: str) -> tuple[str, ...]:
    """The class folders, which must be the same in train/ and in the held-out folder."""
    found = {}
    for split in ("train", held_out):
        with os.scandir(root / split) as entries:
            found[split] = {entry.name for entry in entries if _is_wanted(entry.name) and entry.is_dir()}
        if not found[split]:
            raise DataError(
                f"{shown(root / split)} has no class folders in it; sort its pictures into one folder a class, "
                f"such as {split}/cat/1.jpg"
            )
    for split, other in (("train", held_out), (held_out, "train")):
        missing = _sorted(found[other] - found[split])
        if missing:
            raise DataError(
                f"in {shown(root)}, {split}/ lacks classes that {other}/ has ({listed(missing)}); add their folders to "
                f"{split}/, or remove them from {other}/"
            )
    return tuple(_sorted(found["train"]))


def _pictures(root: Path, folder: str) -> list[tuple[bytes, int, int]]:
    """(name relative to the root, bytes, time in ns) of each picture in a class folder, sorted."""
    found = []
    with os.scandir(root / folder) as entries:
        for entry in entries:
            if _is_wanted(entry.name) and entry.name.lower().endswith(EXTENSIONS) and not entry.is_dir():
                try:
                    stat = entry.stat()
                except FileNotFoundError:
                    raise DataError(
                        f"{shown(entry.path)} is a link to a file that is not there; mend the link, or remove it"
                    ) from None
                found.append((os.fsencode(f"{folder}/{entry.name}"), stat.st_size, stat.st_mtime_ns))
    return sorted(found)


def _is_wanted(name: str) -> bool:
    # macOS leaves hidden twins of the files (._name.png, __MACOSX) in what it packs.
    return not name.startswith((".", "__MACOSX"))


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=os.fsencode)

"""Folders and zips in the layout of Pascal VOC: where it is in them, and which pictures are for training."""

import hashlib
import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ..data import DataError
from ..data.batches import split
from ..data.pictures import EXTENSIONS, listed, shown
from ..files import cache_folder

ANNOTATIONS, PICTURES, LISTS = "Annotations", "JPEGImages", "ImageSets/Main"
HELD_OUT_SHARE = 5  # of a folder without lists, every fifth picture is held out
LAYOUT = f"{PICTURES}/ with the pictures, {ANNOTATIONS}/ with an XML file for each and, if you like, {LISTS}/"
# How lists are used together: the first pair that is there.
PAIRS = (("trainval", "test"), ("train", "test"), ("train", "val"))


@dataclass(frozen=True)
class Lists:
    """The names, without extensions, of the pictures to train on and of those held out."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]


def find_layout(path: str | Path) -> Path:
    """The folder with Annotations/ and JPEGImages/ in it: `path`, or one up to two levels below it, such as
    VOCdevkit/VOC2007; a zip is unpacked into reslab's cache, once.

    Raises DataError if there is none, or if there are several.
    """
    path = Path(path).expanduser().absolute()
    if not path.exists():
        raise DataError(f"there is no {shown(path)}; give a folder or a zip that has {LAYOUT} in it")
    root = path if path.is_dir() else _unpacked(path)
    for pattern in (ANNOTATIONS, f"*/{ANNOTATIONS}", f"*/*/{ANNOTATIONS}"):
        parents = [folder.parent for folder in sorted(root.glob(pattern))]
        found = [p for p in parents if (p / PICTURES).is_dir() and not p.name.startswith((".", "__MACOSX"))]
        if len(found) > 1:
            names = listed([str(folder.relative_to(root)) for folder in found])
            raise DataError(f"{shown(path)} has several data sets in it ({names}); give the folder of one")
        if found:
            return found[0]
    raise DataError(f"{shown(path)} is not in the layout of Pascal VOC; it must have {LAYOUT} in it")


def _unpacked(path: Path) -> Path:
    """The folder with a zip's files, in reslab's cache: the same for the same contents, wherever the zip lies."""
    try:
        with zipfile.ZipFile(path) as archive:
            contents = "".join(f"{i.filename}\0{i.file_size}\0{i.CRC}\0" for i in archive.infolist())
            folder = cache_folder() / "pictures" / f"unpacked-{hashlib.sha256(contents.encode()).hexdigest()[:16]}"
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_name(f".{folder.name}.lock")):
                if not folder.exists():
                    _unpack(archive, folder)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise DataError(
            f"{shown(path)} cannot be unpacked into {shown(cache_folder())} ({error}); if the zip is damaged, copy it "
            f"again; if it has a password, or there is no room, unpack it yourself and give the folder"
        ) from error
    return folder


def _unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    """Beside its final place first, so that nobody ever finds half of it there."""
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        archive.extractall(partial)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def read_lists(root: Path) -> Lists:
    """Which pictures are trained on and which are held out: ImageSets/Main's trainval.txt and test.txt, else train.txt
    and test.txt, else train.txt and val.txt. With none of its lists there, all that have an annotation or are pictures,
    of which every fifth, chosen by chance but always the same, is held out.

    Raises DataError if a list is missing, empty, or shares a name with the other.
    """
    lists = {file.stem for file in (root / LISTS).glob("*.txt")} & {name for pair in PAIRS for name in pair}
    if not lists:
        return _by_chance(root)
    pair = next((pair for pair in PAIRS if lists.issuperset(pair)), None)
    if pair is None:
        raise DataError(
            f"{shown(root / LISTS)} has {listed([f'{name}.txt' for name in sorted(lists)])} only; add trainval.txt or "
            f"train.txt with the names of the training pictures, and test.txt (to train.txt also val.txt) with those "
            f"to evaluate, or remove {LISTS}/ to have every fifth picture held out"
        )
    train, held_out = (read_list(root, name) for name in pair)
    if both := sorted(set(train) & set(held_out)):
        raise DataError(
            f"{pair[0]}.txt and {pair[1]}.txt in {shown(root / LISTS)} share names ({listed(both)}); take them out of "
            f"one, or the net is evaluated on pictures that it was trained on"
        )
    return Lists(train, held_out)


def read_list(root: Path, name: str) -> tuple[str, ...]:
    """The names in a list of ImageSets/Main, each once. Raises DataError if it is missing, empty or no text."""
    file = root / LISTS / f"{name}.txt"
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{shown(file)} cannot be read ({error}); put the list of the {name} split there, a name a line"
        ) from error
    names = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not names:
        raise DataError(f"{shown(file)} is empty; write the names of the split's pictures there, one a line")
    return names


def stems(folder: Path, extensions: tuple[str, ...]) -> dict[str, os.DirEntry]:
    """The files of a folder by their names without extension; hidden ones are passed over."""
    with os.scandir(folder) as entries:
        return {
            os.path.splitext(entry.name)[0]: entry
            for entry in sorted(entries, key=lambda entry: entry.name)
            if entry.name.lower().endswith(extensions) and not entry.name.startswith(".") and entry.is_file()
        }


def _by_chance(root: Path) -> Lists:
    names = sorted({*stems(root / ANNOTATIONS, (".xml",)), *stems(root / PICTURES, EXTENSIONS)}, key=os.fsencode)
    if len(names) < HELD_OUT_SHARE:
        raise DataError(
            f"{shown(root)} has {len(names)} pictures, too few to hold some out; put at least {HELD_OUT_SHARE} there"
        )
    kept, held_out = split(len(names), len(names) // HELD_OUT_SHARE)
    return Lists(*(tuple(names[i] for i in indices.tolist()) for indices in (kept, held_out)))

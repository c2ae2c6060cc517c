"""Pictures with boxes in the layout of Pascal VOC, looked through: every annotation is read, no picture is decoded."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..data import DataError, Facts
from ..data.decoding import DAMAGE, opened
from ..data.pictures import EXTENSIONS, TOLD, listed, shown
from ..data.remembered import remembered
from .annotations import Fault, Object, read_objects, tidied
from .layout import ANNOTATIONS, LISTS, PICTURES, find_layout, read_lists, stems

EDITION = 1  # of what is remembered of annotations; another one where they are read in another way


@dataclass(frozen=True)
class Labelled:
    """A picture with its boxes: `picture` is a file's name relative to the root, or the pixels, uint8 [3, H, W].

    `size` is its width and height in pixels; `boxes` float32 [n, 4] are x1, y1, x2, y2 in its pixels, half-open;
    `labels` int64 [n] count from 1; `difficult` bool [n] tells which objects count neither for nor against a detector.
    """

    picture: str | torch.Tensor
    size: tuple[int, int]
    boxes: torch.Tensor
    labels: torch.Tensor
    difficult: torch.Tensor


@dataclass(frozen=True)
class BoxSplit:
    """Some of the pictures, in order."""

    pictures: tuple[Labelled, ...] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The pictures' files, relative to the root."""
        return tuple(str(labelled.picture) for labelled in self.pictures)


@dataclass(frozen=True)
class BoxPictures:
    """What was found. `digest` and `stamp` are as those of data.pictures.Pictures; the digest is also of the
    annotations' contents and of the lists. `slips` tells what was passed over: see annotations.tidied.
    """

    root: Path
    classes: tuple[str, ...]  # in the order of the labels, which count from 1
    train: BoxSplit
    held_out: BoxSplit
    digest: str
    stamp: str
    slips: tuple[str, ...] = field(default=(), repr=False)

    @property
    def facts(self) -> Facts:
        """How many there are. They have no common size."""
        return Facts(len(self.train.pictures), len(self.held_out.pictures), None, len(self.classes), self.digest)


File = tuple[str, int, int]  # name relative to the root, bytes, time in ns


@dataclass(frozen=True)
class Entry:
    """A picture's files, before they are read."""

    annotation: File
    picture: File


def open_voc(path: str | Path) -> BoxPictures:
    """Looks through a folder or zip in VOC layout; see layout.find_layout and layout.read_lists for what it may be.

    Classes are those in the training pictures' annotations, sorted. Slips of the hand are passed over and told.

    Raises:
        DataError: nothing in VOC layout is there; a list is missing, or names a picture that is not there; annotations
            are missing or have faults, all of which are in the one sentence; or only held-out pictures have a class.
    """
    root = find_layout(path)
    lists = read_lists(root)
    return look_through(root, *(find_entries(root, "", names) for names in (lists.train, lists.held_out)))


def find_entries(root: Path, folder: str, names: Sequence[str]) -> list[Entry]:
    """The files of the pictures called `names` in root/folder. Raises DataError if any are not there."""
    found = []
    for kind, extensions in ((ANNOTATIONS, (".xml",)), (PICTURES, EXTENSIONS)):
        files = stems(root / folder / kind, extensions)
        if missing := [name for name in names if name not in files]:
            raise DataError(
                f"{shown(root / folder)} has no {kind}/NAME{extensions[0]} of {len(missing):,} of the {len(names):,} "
                f"pictures ({listed(missing)}); put these files there, or take the names out of the lists in {LISTS}/; "
                f"where there are no lists, remove the other file of each pair"
            )
        found.append([_file(Path(folder, kind, files[name].name).as_posix(), files[name].stat()) for name in names])
    return [Entry(*pair) for pair in zip(*found, strict=True)]


def _file(name: str, stat: os.stat_result) -> File:
    return name, stat.st_size, stat.st_mtime_ns


def look_through(root: Path, train: list[Entry], held_out: list[Entry], classes: tuple[str, ...] = ()) -> BoxPictures:
    """Reads the annotations of both splits, or what is remembered of them.

    With `classes` the set is a published one: these are its classes, in the order of the labels, and every box is taken
    as it was published, so that results can be compared. Raises DataError as open_voc does.
    """
    stamp = hashlib.sha256(repr((train, held_out, classes)).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    name = f"{stamp}-{EDITION}.boxes"
    held = json.loads(remembered(name, lambda: json.dumps(_read(root, train, held_out, classes)).encode()))
    label = {name: number for number, name in enumerate(held["classes"], 1)}
    pictures = [
        _labelled(entry.picture[0], size, [Object(*values) for values in objects], label)
        for entry, (size, objects) in zip(train + held_out, held["pictures"], strict=True)
    ]
    splits = BoxSplit(tuple(pictures[: len(train)])), BoxSplit(tuple(pictures[len(train) :]))
    return BoxPictures(root, tuple(held["classes"]), *splits, held["digest"], stamp, tuple(held["slips"]))


def _labelled(picture: str, size: list[int], objects: list[Object], label: dict[str, int]) -> Labelled:
    boxes = torch.tensor([each.box for each in objects], dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor([label[each.name] for each in objects], dtype=torch.int64)
    difficult = torch.tensor([each.difficult for each in objects], dtype=torch.bool)
    return Labelled(picture, (size[0], size[1]), boxes, labels, difficult)


def _read(root: Path, train: list[Entry], held_out: list[Entry], classes: tuple[str, ...]) -> dict[str, Any]:
    """The classes, the digest, each picture's size and objects, and the slips: what JSON can hold."""
    found: list[tuple[tuple[int, int], list[Object]]] = []
    faults, slips, digest = [], [], hashlib.sha256(b"%d %d" % (len(train), len(held_out)))
    for entry in train + held_out:
        name, content = entry.annotation[0], (root / entry.annotation[0]).read_bytes()
        try:
            size = _size(root, entry.picture[0])
            objects = read_objects(content, size)
        except Fault as fault:
            faults.append(f"{shown(name)} {fault}")
            size, objects = (0, 0), []
        if not classes:
            objects, passed_over = tidied(objects)
            slips += [f"{slip} in {shown(name)}" for slip in passed_over]
        found.append((size, objects))
        digest.update(f"{name}\0{entry.picture[:2]}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    known = classes or tuple(sorted({each.name for _, objects in found[: len(train)] for each in objects}))
    for entry, (_, objects) in zip(train + held_out, found, strict=True):
        if others := sorted({each.name for each in objects} - set(known)):
            whose = "the data set has" if classes else "a training picture has"
            faults.append(f"{shown(entry.annotation[0])} has the class {listed(others)}, which is none that {whose}")
    if faults:
        raise DataError(
            f"{len(faults):,} of the {len(found):,} annotations in {shown(root)} cannot be used: "
            f"{'; '.join(faults[:TOLD])}{f'; and {len(faults) - TOLD:,} more' * (len(faults) > TOLD)}; correct them, "
            f"or take their pictures out of the lists in {LISTS}/"
        )
    pictures = [(size, [(each.name, each.box, each.difficult) for each in objects]) for size, objects in found]
    return dict(classes=known, digest=digest.hexdigest()[:16], pictures=pictures, slips=slips)


def _size(root: Path, name: str) -> tuple[int, int]:
    """A picture's width and height, from the beginning of its file."""
    try:
        with opened(root / name) as image:
            return image.size
    except DAMAGE as error:
        raise Fault(f"is of {shown(name)}, which cannot be read as a picture ({error})") from error

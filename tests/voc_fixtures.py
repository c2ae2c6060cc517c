"""Small folders in the layout of Pascal VOC, written by other means than reslab's own; and the real BCCD."""

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from .picture_fixtures import picture

WIDTH, HEIGHT = 64, 48
DOG, CAT = ("dog", 5, 6, 24, 30), ("cat", 30, 11, 60, 47)  # class, xmin, ymin, xmax, ymax as VOC counts
TRAIN, TEST = ("a1", "a2", "a3", "a4", "a5", "a6"), ("b1", "b2", "b3")
LISTS = dict(trainval=TRAIN, train=TRAIN[:4], val=TRAIN[4:], test=TEST)


def annotation(*objects: Sequence, width: object = WIDTH, height: object = HEIGHT) -> str:
    """The XML of objects (class, xmin, ymin, xmax, ymax) or (..., difficult)."""
    lines = []
    for name, *box in objects:
        corners = "".join(f"<{c}>{v}</{c}>" for c, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=False))
        difficult = f"<difficult>{box[4]}</difficult>" if len(box) > 4 else ""
        lines.append(f"<object><name>{name}</name>{difficult}<bndbox>{corners}</bndbox></object>")
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation><folder>x</folder>{size}{''.join(lines)}</annotation>"


def write_picture(root: Path, name: str, *objects: Sequence, number: int = 0) -> None:
    """A picture and its annotation."""
    for folder in ("JPEGImages", "Annotations"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    picture(number, WIDTH, HEIGHT).save(root / "JPEGImages" / f"{name}.jpg", quality=95)
    (root / "Annotations" / f"{name}.xml").write_text(annotation(*objects))


def write_lists(root: Path, lists: Mapping[str, Sequence[str]]) -> None:
    folder = root / "ImageSets" / "Main"
    folder.mkdir(parents=True, exist_ok=True)
    for name, names in lists.items():
        (folder / f"{name}.txt").write_text("".join(f"{each}\n" for each in names))


def write_voc(root: Path, lists: Mapping[str, Sequence[str]] = LISTS) -> Path:
    """Six training and three held-out pictures, each with a dog or a dog and a cat."""
    for number, name in enumerate(TRAIN + TEST):
        write_picture(root, name, DOG, *[CAT] * (number % 2), number=number)
    if lists:
        write_lists(root, lists)
    return root


def zip_voc(root: Path, path: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, f"{top}{file.relative_to(root)}")
    return path


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """A sound folder, for a test to change."""
    return write_voc(tmp_path / "voc")


@pytest.fixture(scope="session")
def bccd() -> Path:
    """The zip of BCCD, 364 real pictures of blood cells; skipped where RESLAB_DATA has none, except in CI."""
    path = Path(os.environ.get("RESLAB_DATA") or "data") / "bccd-voc.zip"
    if not path.is_file() and "CI" not in os.environ:
        pytest.skip("set RESLAB_DATA to a folder with bccd-voc.zip")
    return path

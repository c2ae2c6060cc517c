"""Images sorted into `train/<class>/` and `test/<class>/`, in a folder or in a zip of one, -> uint8 tensors."""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from . import DataError

SPLITS = ("train", "test")
_MEMBER = re.compile(r"(?:([^/]+)/)?(train|test)/([^/]+)/[^/]+\.(?i:png|bmp|tiff?|webp|jpe?g)")

# What zipfile, zlib and Pillow raise on bytes that are cut short or changed.
_DAMAGE = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    RuntimeError,  # a zip with a password
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    Image.DecompressionBombError,
)


@dataclass(frozen=True)
class Tree:
    """The images of a folder or zip: `files[split][class]` is a sorted list of names, `read(name)` a file's bytes."""

    path: Path
    files: dict[str, dict[str, list[str]]]
    read: Callable[[str], bytes]

    def classes(self) -> set[str]:
        """The class names that occur in either split."""
        return {name for split in self.files.values() for name in split}


def _sort(names: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Sort member names into splits and classes; in a zip, the splits may lie together below one top folder."""
    tops: dict[str, dict[str, dict[str, list[str]]]] = {}
    for name in names:
        match = _MEMBER.fullmatch(name)
        # macOS puts hidden twins of the files (__MACOSX, ._name.png) into the zips that it makes.
        if match and not any(part.startswith((".", "__MACOSX")) for part in name.split("/")):
            top, split, label = match.groups(default="")
            tops.setdefault(top, {}).setdefault(split, {}).setdefault(label, []).append(name)
    files = tops[min(tops)] if tops else {}  # "" comes first: splits at the top win over splits below a folder
    return {split: {label: sorted(files[split][label]) for label in sorted(files[split])} for split in sorted(files)}


def open_tree(path: Path) -> Tree:
    """List the images of a folder or a zip. Raises DataError if `path` is a file that cannot be read as a zip."""
    if path.is_dir():
        # Two levels and no more: a data folder may hold anything beside these.
        names = (file.relative_to(path).as_posix() for split in SPLITS for file in (path / split).glob("*/*"))
        return Tree(path, _sort(names), lambda name: (path / name).read_bytes())
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise DataError(
            f"{path} cannot be read as a zip ({error}); copy it again if it was cut short, or move it away"
        ) from error
    return Tree(path, _sort(archive.namelist()), archive.read)


def _decode(tree: Tree, name: str, size: tuple[int, int]) -> np.ndarray:
    """One image as uint8 [H, W, 3]."""
    where = f"{name} in {tree.path}"
    try:
        image = Image.open(io.BytesIO(tree.read(name)))
        height, width = size
        if image.size != (width, height):
            raise DataError(
                f"{where} is {image.width}x{image.height} pixels (width x height) instead of {width}x{height}; "
                f"replace the copy by one with images of the original size"
            )
        # Grey and palette files are what optimisers make of colour images without changing a pixel; other modes would
        # lose something.
        if image.mode not in ("RGB", "L", "P") or "transparency" in image.info:
            raise DataError(
                f"{where} has the mode {image.mode}, not plain RGB; replace the copy by one with the original images"
            )
        return np.asarray(image.convert("RGB"))
    except _DAMAGE as error:
        raise DataError(
            f"{where} cannot be read ({error}); the file is cut short or damaged, so copy it again"
        ) from error


def read_split(
    tree: Tree, split: str, size: tuple[int, int], classes: Sequence[str] | None = None, progress: bool = True
) -> tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]:
    """Decode one split.

    Args:
        tree: what `open_tree` found.
        split: "train" or "test".
        size: (height, width) in pixels that every image must have.
        classes: the folder names in label order, all of them and no other; None takes the folders that are there,
            sorted.
        progress: show a bar on stderr.

    Returns:
        images uint8 [N, 3, H, W], labels int64 [N], and the classes in label order.

    Raises:
        DataError: a split or class is missing or unexpected, or a file is damaged, of another size, or not in colour.
    """
    folders = tree.files.get(split)
    if not folders:
        raise DataError(
            f"{tree.path} has no images in {split}/<class>/; put the {split} split there, one folder a class"
        )
    classes = tuple(folders) if classes is None else tuple(classes)
    missing, unexpected = sorted(set(classes) - set(folders)), sorted(set(folders) - set(classes))
    if missing or unexpected:
        faults = [f"lacks images of {', '.join(missing)}"] * bool(missing) + [
            f"has unexpected {', '.join(unexpected)}"
        ] * bool(unexpected)
        raise DataError(
            f"{split}/ in {tree.path} {' and '.join(faults)}; it must have one folder for each of {', '.join(classes)}"
        )
    members = [(name, label) for label, folder in enumerate(classes) for name in folders[folder]]
    images = np.empty((len(members), 3, *size), np.uint8)
    for i, (name, _) in enumerate(tqdm(members, f"{tree.path.name} {split}", unit="image", disable=not progress)):
        images[i] = _decode(tree, name, size).transpose(2, 0, 1)
    return torch.from_numpy(images), torch.tensor([label for _, label in members], dtype=torch.int64), classes

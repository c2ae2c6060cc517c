"""The same small file of many run folders, read quickly: from a disk, or through fsspec from a URL."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..remote import fetch, sentences

if TYPE_CHECKING:
    from upath import UPath

CONFIG = "config.json"  # what makes a folder a run's


class Reader(Protocol):
    def folders(self) -> list[str]:
        """Names of the run folders in the store, sorted: those with a config that do not begin with a dot."""

    def read(self, folders: Sequence[str], name: str, last: int | None = None) -> list[bytes | None]:
        """The content of the file `name` in each folder, None where there is none.

        With `last`, at least that many bytes of its end, or all of it. Raises OSError if the store cannot be read.
        """


def reader(root: "Path | UPath") -> Reader:
    """For a store on this machine's disks, or one on a URL."""
    return Disk(root) if isinstance(root, Path) else Remote(root)


class Disk:
    """Four system calls a file: an object or two more for each of thirty thousand files would be what takes long."""

    def __init__(self, root: Path):
        self.root = str(root)

    def folders(self) -> list[str]:
        if not os.path.exists(self.root):
            return []
        with os.scandir(self.root) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        return [name for name in names if os.path.exists(f"{self.root}/{name}/{CONFIG}")]

    def read(self, folders: Sequence[str], name: str, last: int | None = None) -> list[bytes | None]:
        return [self._read(f"{self.root}/{folder}/{name}", last) for folder in folders]

    @staticmethod
    def _read(path: str, last: int | None) -> bytes | None:
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            size = os.lseek(file, 0, os.SEEK_END)
            return os.pread(file, size, 0) if last is None else os.pread(file, last, max(0, size - last))
        finally:
            os.close(file)


class Remote:
    """One listing of all there is, then many files at a time."""

    def __init__(self, root: "UPath"):
        self._place, self._root = root, root.path.rstrip("/")
        with sentences(root):
            self._files = set(root.fs.find(self._root))

    def folders(self) -> list[str]:
        names = {path.removeprefix(f"{self._root}/").partition("/")[0] for path in self._files}
        return sorted(name for name in names if not name.startswith(".") and self._path(name, CONFIG) in self._files)

    def read(self, folders: Sequence[str], name: str, last: int | None = None) -> list[bytes | None]:
        there = [path for path in (self._path(folder, name) for folder in folders) if path in self._files]
        found = dict(zip(there, fetch(self._place, there), strict=True))
        return [found.get(self._path(folder, name)) for folder in folders]

    def _path(self, folder: str, name: str) -> str:
        return f"{self._root}/{folder}/{name}"

"""Files that are either whole or not there, in a folder or in an object store on a URL."""

import errno
import json
import os
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.request import url2pathname

from . import remote

if TYPE_CHECKING:  # it and its drivers take a second to load, and who has a disk does not need them
    from upath import UPath

Place: TypeAlias = "Path | UPath"  # a Path is on a disk, anything else in an object store
TEMPORARY = ".*.tmp"  # pattern of the files that a killed writer may leave on a disk
AT_ONCE = 16  # questions to an object store


@dataclass(frozen=True)
class Stat:
    """A file's size in bytes and when it was written, in Unix seconds; an object store tells whole ones."""

    size: int
    modified: float


def place(where: "str | os.PathLike[str] | UPath") -> Place:
    """A folder's Path, as it was given, or the UPath of an object store's URL; a file:// URL is a folder.

    Raises ValueError for a URL that is no object store's or names a folder of another machine, or if its driver is not
    installed.
    """
    if isinstance(where, str | os.PathLike) and "://" not in str(where):
        return Path(where)
    if not isinstance(where, str):
        return Path(where.path) if where.protocol == "file" else where
    if not where.startswith("file://"):
        return remote.open_url(where)
    host, slash, path = where.removeprefix("file://").partition("/")
    if host not in ("", "localhost"):
        raise ValueError(
            f"store={where!r} is on a machine called {host!r}; a folder here is file:///{host}{slash}{path}"
        )
    return Path(url2pathname(f"/{path}"))


def cache_folder() -> Path:
    """Where what can be made again is kept between runs: RESLAB_CACHE, else ~/.cache/reslab."""
    return Path(os.environ.get("RESLAB_CACHE") or "~/.cache/reslab").expanduser()


def write_atomically(path: Place, content: bytes | str) -> None:
    """Replaces `path` by `content`: a reader, or a crash at any moment, finds the old file or the new one."""
    content = content.encode() if isinstance(content, str) else content
    if not isinstance(path, Path):
        with remote.sentences(path):
            path.fs.pipe_file(path.path, content)
        return
    # In the same folder, because a rename is atomic only within one file system; unique, because several may write.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a crash soon after could leave the name with no bytes behind it
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Place, value: Any) -> None:
    """`value` as indented JSON, atomically."""
    write_atomically(path, json.dumps(value, indent=1) + "\n")


def replace_keeping(path: Place, content: bytes, fresh: Place, previous: Place) -> None:
    """Replaces `path` by `content` and keeps what it was as `previous`.

    At any moment one of `fresh`, `path` and `previous`, in this order, is the newest whole file.
    """
    if isinstance(path, Path):
        write_atomically(fresh, content)
        if path.exists():
            os.replace(path, previous)
        os.replace(fresh, path)
        return
    try:
        with remote.sentences(path):
            path.fs.cp_file(path.path, previous.path)
    except FileNotFoundError:  # the first one
        pass
    write_atomically(path, content)


def exists(path: Place) -> bool:
    """Whether there is such a file now."""
    if isinstance(path, Path):
        return path.exists()
    with remote.sentences(path):
        return path.fs.exists(path.path)


def read(path: Place) -> bytes | None:
    """The content of a file as it is now, None if there is no such file."""
    try:
        if isinstance(path, Path):
            return path.read_bytes()
        with remote.sentences(path):
            return path.fs.cat_file(path.path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def must_read(path: Place) -> bytes:
    """The content of a file as it is now. Raises FileNotFoundError if there is no such file."""
    content = read(path)
    if content is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return content


def read_many(paths: Sequence[Place]) -> list[bytes | None]:
    """What `read` gives of each; from an object store all at the same time."""
    if not paths or isinstance(paths[0], Path):
        return [read(path) for path in paths]
    return remote.fetch(paths[0], [path.path for path in paths])


def stat(path: Place) -> Stat | None:
    """A file's size and time as they are now, None if there is no such file."""
    try:
        if isinstance(path, Path):
            found = path.stat()
            return Stat(found.st_size, found.st_mtime)
        with remote.sentences(path):
            info = path.fs.info(path.path)
    except FileNotFoundError:
        return None
    return Stat(info["size"], (info["LastModified"] if "LastModified" in info else info["created"]).timestamp())


def stat_many(paths: Sequence[Place]) -> list[Stat | None]:
    """What `stat` gives of each; from an object store many at the same time."""
    if not paths or isinstance(paths[0], Path):
        return [stat(path) for path in paths]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(stat, paths))


def remove(path: Place) -> None:
    """Removes a file; one that is not there is as good."""
    if isinstance(path, Path):
        path.unlink(missing_ok=True)
        return
    with suppress(FileNotFoundError), remote.sentences(path):
        path.fs.rm_file(path.path)


def names(folder: Place) -> list[str]:
    """Names of the files and folders in `folder`, in order; none if it is not there."""
    try:
        if isinstance(folder, Path):
            return sorted(os.listdir(folder))
        with remote.sentences(folder):
            found = folder.fs.ls(folder.path, detail=False)
    except FileNotFoundError:
        return []
    return sorted(name.rstrip("/").rpartition("/")[2] for name in found if name.strip("/") != folder.path.strip("/"))


def sizes(folder: Place) -> dict[Place, int]:
    """Bytes of each file in `folder`, at any depth; none if it is not there."""
    if isinstance(folder, Path):
        found = ((path, stat(path)) for path in folder.rglob("*") if path.is_file())
        return {path: its.size for path, its in found if its}
    with remote.sentences(folder):
        found = folder.fs.find(folder.path, detail=True)
    return {folder / path[len(folder.path.rstrip("/")) + 1 :]: info["size"] for path, info in found.items()}

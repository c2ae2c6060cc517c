"""What was found out about pictures at some expense, kept in reslab's cache: made by one process, once."""

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from ..files import cache_folder, read, write_atomically


def remembered(name: str, make: Callable[[], bytes]) -> bytes:
    """What `make()` gives, made at most once on this machine and kept under `name` in the cache's folder pictures/.

    Processes that ask at the same time wait for the one that makes it. A damaged file is made again. A cache that
    cannot be written to costs a warning, and that it is made again next time.
    """
    path = cache_folder() / "pictures" / name
    lock = FileLock(path.with_name(f".{name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        _warn(path, error)
        return make()
    try:
        held = read(path)
        if held is not None and _checksum(held[32:]) == held[:32]:
            return held[32:]
        content = make()
        try:
            write_atomically(path, _checksum(content) + content)
        except OSError as error:
            _warn(path, error)
        return content
    finally:
        lock.release()


def _warn(path: Path, error: OSError) -> None:
    warnings.warn(
        f"{path} could not be written ({error}); this run goes on without, and the next one finds it out again: set "
        f"RESLAB_CACHE to a folder that can be written to",
        stacklevel=4,
    )


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()

"""A download that leaves a whole file or folder, or nothing."""

import http.client
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import DataError

# Seconds without an answer; a firewall that drops packets would otherwise hold a run for minutes, or for ever.
PATIENCE = 30


@contextmanager
def downloading(root: Path, title: str, remedy: str) -> Iterator[Path]:
    """A folder to download into, to be moved from to `root`; it is removed afterwards whatever happens, and so is
    `root` if it was made for this and stayed empty.

    Raises DataError, which begins with `title` and ends with `remedy`, where the network or the disk fails.
    """
    made = [path for path in (root, *root.parents) if not path.exists()]
    patience = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(PATIENCE)
        root.mkdir(parents=True, exist_ok=True)
        # Beside its final place, because a rename is atomic only within one file system.
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as partial:
            yield Path(partial)
    except BaseException as error:
        for path in made:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        if not isinstance(error, (OSError, RuntimeError, http.client.HTTPException)):
            raise
        raise DataError(f"{title} is not in {root} and could not be downloaded ({error}); {remedy}") from error
    finally:
        socket.setdefaulttimeout(patience)

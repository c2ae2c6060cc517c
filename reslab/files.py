"""Files that are either whole or not there."""

import json
import os
import uuid
from pathlib import Path
from typing import Any

TEMPORARY = ".*.tmp"  # pattern of the files that a killed writer may leave


def cache_folder() -> Path:
    """Where what can be made again is kept between runs: RESLAB_CACHE, else ~/.cache/reslab."""
    return Path(os.environ.get("RESLAB_CACHE") or "~/.cache/reslab").expanduser()


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replaces `path` by `content`: a reader, or a crash at any moment, finds the old file or the new one."""
    # In the same folder, because a rename is atomic only within one file system; unique, because several may write.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())  # or a crash soon after could leave the name with no bytes behind it
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """`value` as indented JSON, atomically."""
    write_atomically(path, json.dumps(value, indent=1) + "\n")

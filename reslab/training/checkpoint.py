"""Checkpoints that are whole or not there: written atomically, checked when read, the one before kept."""

import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import Any

import torch

from ..files import write_atomically

NAME, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
# A file from a save that was stopped between its two renames is the newest there is.
NEWEST_FIRST = (f"{NAME}.new", NAME, PREVIOUS)
DIGEST = hashlib.sha256().digest_size


def save(folder: Path, state: dict[str, Any]) -> None:
    """Writes `state` (tensors, numbers, strings, lists, dicts) as the folder's checkpoint; the last one becomes the
    previous one.

    The file is torch.save's, followed by its SHA-256. Raises OSError if the disk does not take it; the old checkpoints
    then stay.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    fresh = folder / f"{NAME}.new"
    write_atomically(fresh, content + hashlib.sha256(content).digest())
    if (folder / NAME).exists():
        os.replace(folder / NAME, folder / PREVIOUS)
    os.replace(fresh, folder / NAME)


def _read(path: Path, device: torch.device | str) -> dict[str, Any] | None:
    """The state in `path`, or None if the file is not exactly what was written."""
    content = path.read_bytes()
    if hashlib.sha256(content[:-DIGEST]).digest() != content[-DIGEST:]:
        return None
    return torch.load(io.BytesIO(content[:-DIGEST]), map_location=device, weights_only=True)


def load(folder: Path, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """The newest whole checkpoint of the folder, or None. A damaged one is warned of, the one before it used."""
    for name in NEWEST_FIRST:
        path = folder / name
        if path.exists():
            state = _read(path, device)
            if state is not None:
                return state
            warnings.warn(f"{path} is damaged (its checksum is wrong); using the checkpoint before it", stacklevel=2)
    return None

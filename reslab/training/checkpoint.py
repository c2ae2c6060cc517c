"""Checkpoints that are whole or not there: written atomically, checked when read, the one before kept."""

import hashlib
import io
import warnings
from typing import Any

import torch

from ..files import Place, read, replace_keeping

NEW, NAME, PREVIOUS = "checkpoint.pt.new", "checkpoint.pt", "checkpoint.previous.pt"
# A file from a save that was stopped between its two renames is the newest there is.
NEWEST_FIRST = (NEW, NAME, PREVIOUS)
DIGEST = hashlib.sha256().digest_size


def save(folder: Place, state: dict[str, Any]) -> None:
    """Writes `state` (tensors, numbers, strings, lists, dicts) as the folder's checkpoint; the last one becomes the
    previous one.

    The file is torch.save's, followed by its SHA-256. Raises OSError if the disk does not take it; the old checkpoints
    then stay.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    whole = content + hashlib.sha256(content).digest()
    replace_keeping(folder / NAME, whole, folder / NEW, folder / PREVIOUS)


def _state(content: bytes) -> dict[str, Any] | None:
    """The state in a file, on the CPU, or None if it is not exactly what was written."""
    if hashlib.sha256(content[:-DIGEST]).digest() != content[-DIGEST:]:
        return None
    return torch.load(io.BytesIO(content[:-DIGEST]), map_location="cpu", weights_only=True)


def load(folder: Place) -> dict[str, Any] | None:
    """The newest whole checkpoint of the folder, on the CPU, or None. A damaged one is warned of, the one before it
    used.
    """
    for name in NEWEST_FIRST:
        content = read(folder / name)
        if content is not None:
            state = _state(content)
            if state is not None:
                return state
            warnings.warn(
                f"{folder / name} is damaged (its checksum is wrong); using the checkpoint before it", stacklevel=2
            )
    return None

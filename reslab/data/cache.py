"""One safetensors file a data set: written whole or not at all, and verified every time that it is read.

Images are stored as uint8 [N, 3, H, W] and labels as uint8 [N], in canonical order, so loading is reading. The metadata
hold a stamp of what the tensors were made from (a changed source is read anew) and a SHA-256 of the tensors' bytes (a
damaged cache is noticed).
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..files import cache_folder, write_atomically
from . import Dataset

TENSORS = ("train_images", "train_labels", "test_images", "test_labels")


def cache_file(folder: str | Path | None, name: str) -> Path:
    """Where the data set `name` is cached: under `folder`, else in reslab's cache."""
    return Path(folder or cache_folder()).expanduser() / f"{name}.safetensors"


def _checksum(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of the tensors' bytes, in the order of TENSORS."""
    digest = hashlib.sha256()
    for name in TENSORS:
        digest.update(tensors[name].numpy())
    return digest.hexdigest()


def write(path: Path, dataset: Dataset, stamp: str) -> None:
    """Save `dataset` at `path` with the `stamp` of its source. Only a complete file ever has that name.

    A folder that cannot be written to, or a full disk, costs a warning and no more: the data are in memory and the run
    can go on.
    """
    tensors = {name: getattr(dataset, name).to(torch.uint8).contiguous() for name in TENSORS}
    metadata = {
        "name": dataset.name,
        "classes": json.dumps(dataset.classes),
        "fingerprint": json.dumps(dataset.fingerprint),
        "stamp": stamp,
        "sha256": _checksum(tensors),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, save(tensors, metadata))
    except OSError as error:
        warnings.warn(
            f"the data set {dataset.name!r} could not be cached at {path} ({error}); this run goes on without, and the "
            f"next one reads the source again: set RESLAB_CACHE to a folder that can be written to",
            stacklevel=2,
        )


def read(path: Path, fingerprint: Mapping[str, str]) -> tuple[Dataset, str] | None:
    """The data set cached at `path` and its source's stamp, or None where there is none with that `fingerprint`.

    A damaged file is None too, after one warning: whoever asked makes the data set again and overwrites it.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            if json.loads(metadata["fingerprint"]) != dict(fingerprint):
                return None  # sound, but of another edition of the data set
            # Mapped, not copied: several times faster, and runs side by side share the memory. The mapping is private,
            # so writing to a tensor cannot reach the file, and a newer cache may take the file's name meanwhile.
            tensors = {name: file.get_tensor(name) for name in TENSORS}
        if _checksum(tensors) != metadata["sha256"]:
            raise ValueError("its contents do not have the checksum it was written with")
        labels = {name: tensors[name].to(torch.int64) for name in TENSORS if name.endswith("labels")}
        classes = tuple(json.loads(metadata["classes"]))
        dataset = Dataset(metadata["name"], classes, **(tensors | labels), fingerprint=dict(fingerprint))
        return dataset, metadata["stamp"]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        warnings.warn(f"the cache {path} is damaged ({error}) and will be made again", stacklevel=2)
        return None

"""CIFAR's "Python version": pickled batches in a folder or a tar.gz of one, -> uint8 tensors, without running what a
pickle says.
"""

import gzip
import io
import pickle
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from . import DataError


def _bytes_dtype(*_: Any) -> np.dtype:
    """Stands in for numpy.dtype: pixels are bytes, and numpy warns about the arguments in the files of 2009."""
    return np.dtype(np.uint8, copy=True)


# All that the files name. The function that rebuilds arrays has moved between numpy versions; an array knows where it
# is.
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0, np.uint8).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _bytes_dtype,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Builds byte arrays and plain containers and nothing else: a pickle from anywhere must not be able to run code."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module.replace("numpy._core", "numpy.core"), name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch of images needs") from None


def _members(source: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The bytes of those files `names` that are there."""
    if source.is_dir():
        yield from ((name, (source / name).read_bytes()) for name in names if (source / name).is_file())
        return
    with gzip.open(source) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            if name in names and member.isfile():
                file = archive.extractfile(member)
                assert file is not None  # it is one only for what is no regular file
                yield name, file.read()
        stream.read()  # the padding behind the last file and the checksum: they tell whether the archive was cut there


def _unpack(blob: bytes, where: str, size: tuple[int, int]) -> tuple[np.ndarray, list[int]]:
    """One batch: images uint8 [n, 3, H, W] and n labels."""
    try:
        # latin1: the files were written by Python 2, whose strings are bytes.
        entry = _ArrayUnpickler(io.BytesIO(blob), encoding="latin1").load()
        rows, labels = np.asarray(entry["data"], np.uint8), [int(label) for label in entry["labels"]]
        count, width = rows.shape
        if count != len(labels):
            raise ValueError(f"{count} images but {len(labels)} labels")
    except Exception as error:  # pickle's documentation: damaged input may raise anything at all
        raise DataError(
            f"{where} cannot be read ({error}); the file is cut short or damaged, so copy it again"
        ) from error
    if width != 3 * size[0] * size[1]:
        raise DataError(
            f"the images in {where} have {width} bytes each instead of 3x{size[0]}x{size[1]}, "
            f"so they are not of the original size; replace the copy"
        )
    return rows.reshape(count, 3, *size), labels


def read_batches(
    source: Path, names: Sequence[str], size: tuple[int, int], progress: bool = True
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Read batches from a folder or a tar.gz.

    Args:
        source: the folder, or the archive with the files anywhere inside.
        names: file names of the batches, all of which must be there.
        size: (height, width) in pixels of the images.
        progress: show a bar on stderr.

    Returns:
        For each name images uint8 [n, 3, H, W] and labels int64 [n], in the file's order.

    Raises:
        DataError: a batch is missing, damaged, of another image size, or holds anything but arrays of bytes and plain
            containers.
    """
    found = {}
    try:
        for name, blob in tqdm(_members(source, names), source.name, len(names), unit="file", disable=not progress):
            images, labels = _unpack(blob, f"{name} in {source}", size)
            found[name] = torch.from_numpy(images), torch.tensor(labels, dtype=torch.int64)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"{source} cannot be read ({error}); it is cut short or damaged, so copy it again") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(f"{source} lacks {', '.join(missing)}; copy it again, complete")
    return found

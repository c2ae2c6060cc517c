"""One picture file -> uint8 RGB, whatever kind of picture it is; or a sentence that says what is wrong with it."""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image

from . import DataError
from .pictures import shown

# What Pillow raises on bytes that are cut short or changed.
DAMAGE = (OSError, EOFError, SyntaxError, ValueError, struct.error, zlib.error, Image.DecompressionBombError)


REMEDY = "copy it again, or remove it"


def decode(path: str | Path) -> torch.Tensor:
    """The picture in a file as uint8 [3, H, W]: red, green and blue; channels lie together in memory.

    Grey, palette, CMYK and YCbCr pictures are converted as Pillow does it, which is how ImageNet's few of them are
    commonly read. What is transparent is laid over white. Of 16 bits a value the high 8 are kept, in grey as in colour.
    The orientation in EXIF is ignored, as ImageNet's loaders ignore it: pictures are taken as they are stored.

    Raises:
        DataError: the file is missing, cut short, damaged or no picture, or its pixels are 32-bit numbers, whose white
            nobody knows. The sentence has the file's name.
    """
    try:
        with opened(path) as image:
            return torch.from_numpy(rgb(image)).permute(2, 0, 1)
    except DAMAGE as error:
        raise DataError(f"{shown(path)} cannot be read as a picture ({_reason(error)}); {REMEDY}") from error


def fault(path: str | Path) -> str:
    """What is wrong with the picture in a file, "" where nothing is: as `decode` finds it, for less work."""
    try:
        with opened(path) as image:
            image.draft("RGB", (1, 1))  # of a JPEG all bytes are read, but only every eighth row and column is made
            rgb(image)
    except DAMAGE as error:
        return _reason(error)
    return ""


@contextmanager
def opened(file: str | Path | BinaryIO) -> Iterator[Image.Image]:
    """Pillow's picture, without its warnings."""
    with warnings.catch_warnings():
        # Of EXIF that it cannot read, as in some of ImageNet's, and of a hundred megapixels: it decodes all the same.
        warnings.simplefilter("ignore")
        with Image.open(file) as image:
            yield image


def rgb(image: Image.Image) -> np.ndarray:
    """uint8 [H, W, 3] of a picture in any mode; see `decode`. Raises what is in DAMAGE."""
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):  # Pillow 10 calls 16 bits of a PNG "I"
        raise ValueError(f"its pixels are 32-bit numbers, mode {image.mode}; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        # convert() would turn all above 255 white. The high byte is what Pillow itself keeps of 16-bit colour.
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))  # a copy: Pillow's own memory cannot be written to


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):  # whose text is the path once more, in Python's spelling
        return "it is of no kind that Pillow knows"
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__

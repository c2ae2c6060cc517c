"""A picture of one's own, from the bytes of its file."""

import io

from PIL import Image, ImageOps

from . import DataError
from .decoding import DAMAGE, opened, rgb


def read_picture(content: bytes, name: str = "this file") -> Image.Image:
    """The picture in RGB, of any kind that `decode` reads, and turned as its EXIF says: phones store pictures as the
    chip lay.

    Raises DataError, with the file's `name`, for what is no picture, or a damaged one.
    """
    try:
        with opened(io.BytesIO(content)) as image:
            ImageOps.exif_transpose(image, in_place=True)
            return Image.fromarray(rgb(image))
    except DAMAGE as error:
        raise DataError(
            f"{name} is no picture that can be read; choose a JPEG, PNG, WebP, GIF, TIFF or BMP file"
        ) from error

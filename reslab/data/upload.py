"""A picture of one's own, from the bytes of its file."""

import io

import numpy as np
from PIL import Image, ImageOps

from . import DataError


def read_picture(content: bytes, name: str = "this file") -> Image.Image:
    """The picture in RGB, turned as its EXIF says: phones store pictures as the chip lay. Grey, palette and CMYK
    pictures are converted, of 16 bits the high ones are kept, and what is transparent is laid over white.

    Raises DataError, with the file's `name`, for what is no picture, or a damaged one.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I"):
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{name} is no picture that can be read; choose a JPEG, PNG, WebP, GIF, TIFF or BMP file"
        ) from error

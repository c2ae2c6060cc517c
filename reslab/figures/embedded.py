"""Pictures inside a figure or a page."""

import base64
import io

import torch
from PIL import Image


def data_uri(image: Image.Image, kind: str, **options: object) -> str:
    """The picture as the address of itself; `kind` is PNG or JPEG, `options` are Pillow's for saving."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def jpeg(picture: torch.Tensor) -> str:
    """A photograph, uint8 [3, H, W], as a data URI."""
    return data_uri(Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()), "JPEG", quality=75)

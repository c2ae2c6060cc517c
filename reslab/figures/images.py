"""Pictures in a grid."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import torch
from PIL import Image

from .embedded import data_uri
from .style import INK, TEMPLATE

CELL = 96  # pixels a picture at least
GAP, LINE = 8, 24  # pixels between pictures, and for a line of text below


def image_grid(
    images: torch.Tensor, labels: Sequence[int | str] | torch.Tensor | None = None, classes: Sequence[str] | None = None
) -> go.Figure:
    """The pictures `images` [N, 3, H, W] in a grid, every pixel a crisp square, with what `labels` [N] says below each.

    uint8 is shown as it is; float is too within [0, 1], and else (mean-subtracted images, say) stretched so that the
    smallest value of all is black and the largest white. Labels are names, or numbers into `classes`. All pictures are
    one PNG, so the figure stays small. Raises ValueError for another shape, for no images, or where the numbers of
    images and labels differ.
    """
    if images.ndim != 4 or images.shape[1] != 3 or not len(images):
        raise ValueError(f"images have the shape {list(images.shape)}; allowed: [N, 3, H, W] with N at least 1")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"there are {len(images)} images and {len(labels)} labels; each image needs one")
    pixels = _displayable(images.detach().cpu())
    scale = max(1, math.ceil(CELL / pixels.shape[1]))
    height, width = pixels.shape[1] * scale, pixels.shape[2] * scale
    columns = min(len(pixels), 8 if len(pixels) > 6 else 6)
    rows = math.ceil(len(pixels) / columns)
    down, across = height + GAP + (LINE if labels is not None else 0), width + GAP
    sheet = np.full((rows * down - GAP, columns * across - GAP, 3), 255, np.uint8)
    for i, picture in enumerate(pixels):
        top, left = i // columns * down, i % columns * across
        sheet[top : top + height, left : left + width] = picture.repeat(scale, 0).repeat(scale, 1)
    figure = go.Figure(go.Image(source=png(sheet), zsmooth=False, hoverinfo="skip"))
    if labels is not None:
        figure.add_scatter(
            x=[i % columns * across + width / 2 for i in range(len(pixels))],
            y=[i // columns * down + height + LINE / 2 for i in range(len(pixels))],
            text=[_name(label, classes) for label in labels],
            mode="text",
            textfont=dict(size=15, color=INK),
            cliponaxis=False,
            hoverinfo="skip",
        )
    size = dict(width=sheet.shape[1] + 20, height=sheet.shape[0] + 20, margin=dict(l=10, r=10, t=10, b=10))
    figure.update_layout(template=TEMPLATE, showlegend=False, dragmode=False, **size)
    figure.update_xaxes(visible=False, range=[-0.5, sheet.shape[1] - 0.5])
    return figure.update_yaxes(visible=False, range=[sheet.shape[0] - 0.5, -0.5])


def _displayable(images: torch.Tensor) -> np.ndarray:
    """uint8 [N, H, W, 3]."""
    if images.dtype != torch.uint8:
        images = images.float()
        low, high = images.min(), images.max()
        if low < 0 or high > 1:
            images = (images - low) / (high - low).clamp(min=1e-12)
        images = (255 * images).round().to(torch.uint8)
    return images.permute(0, 2, 3, 1).numpy()


def png(sheet: np.ndarray) -> str:
    """A picture, uint8 [H, W, 3], as a data URL."""
    return data_uri(Image.fromarray(sheet), "PNG", optimize=True)


def _name(label: int | str | torch.Tensor, classes: Sequence[str] | None) -> str:
    if isinstance(label, str):
        return label
    return str(int(label)) if classes is None else classes[int(label)]

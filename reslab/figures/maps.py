"""Feature maps: every channel of a tensor as a picture."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import torch

from .images import png
from .style import FAINT, INK, TEMPLATE

WIDTH = 900  # pixels of the sheet at most
GAP, HEAD = 6, 40  # pixels between maps, and for the line above a row
NEGATIVE, POSITIVE, EDGE = (213, 94, 0), (0, 74, 130), (201, 205, 212)


def feature_maps(rows: Mapping[str, torch.Tensor]) -> go.Figure:
    """Tensors [C, H, W], each a row under its name, one small picture a channel: white is 0, blue positive and orange
    negative, on one scale for all rows. A uint8 tensor [3, H, W] is a picture, and shown in its colours.

    Every row has maps of the same scale, so a tensor of half the height and width has maps of half the size. All
    pictures are one PNG. Raises ValueError for a tensor of another shape, or for no tensors.
    """
    tensors = {name: tensor.detach().cpu() for name, tensor in rows.items()}
    if not tensors or any(tensor.ndim != 3 for tensor in tensors.values()):
        shapes = ", ".join(str(list(tensor.shape)) for tensor in tensors.values()) or "none"
        raise ValueError(f"the tensors' shapes are {shapes}; allowed: at least one, each [C, H, W]")
    maps = [tensor for tensor in tensors.values() if tensor.dtype != torch.uint8]
    most = max((tensor.abs().max().item() for tensor in maps), default=1.0) or 1.0
    largest = max(tensor.shape[2] for tensor in tensors.values())
    scale = max(1, (WIDTH // 8 - GAP) // largest)
    strips = [
        _strip(_in_colour(tensor) if tensor.dtype == torch.uint8 else _by_sign(tensor.float() / most), scale)
        for tensor in tensors.values()
    ]
    sheet = np.full((sum(len(strip) + HEAD for strip in strips), WIDTH, 3), 255, np.uint8)
    names, top = [], 0
    for name, strip in zip(tensors, strips, strict=True):
        sheet[top + HEAD : top + HEAD + len(strip), : strip.shape[1]] = strip
        names.append(dict(x=0, y=top + HEAD - 8, text=name))
        top += HEAD + len(strip)
    figure = go.Figure(go.Image(source=png(sheet), zsmooth=False, hoverinfo="skip"))
    key = (
        "white 0, <span style='color:#004a82'>blue positive</span>, <span style='color:#d55e00'>orange negative</span>"
    )
    look = dict(showarrow=False, xanchor="left", yanchor="bottom", font=dict(size=16, color=INK))
    for name in names:
        figure.add_annotation(**name, **look)
    figure.add_annotation(
        x=WIDTH - 1, y=HEAD - 8, text=key, **look | dict(xanchor="right", font=dict(size=14, color=FAINT))
    )
    size = dict(width=WIDTH + 20, height=len(sheet) + 20, margin=dict(l=10, r=10, t=10, b=10))
    figure.update_layout(template=TEMPLATE, showlegend=False, dragmode=False, **size)
    figure.update_xaxes(visible=False, range=[-0.5, WIDTH - 0.5])
    return figure.update_yaxes(visible=False, range=[len(sheet) - 0.5, -0.5])


def _in_colour(picture: torch.Tensor) -> np.ndarray:
    """uint8 [3, H, W] -> [1, H, W, 3]."""
    return picture.permute(1, 2, 0)[None].numpy()


def _by_sign(tensor: torch.Tensor) -> np.ndarray:
    """[C, H, W] within -1..1 -> uint8 [C, H, W, 3]."""
    values = tensor[..., None].numpy()
    ends = np.where(values < 0, np.array(NEGATIVE), np.array(POSITIVE))
    return (255 + (ends - 255) * abs(values)).round().astype(np.uint8)


def _strip(pixels: np.ndarray, scale: int) -> np.ndarray:
    """Pictures uint8 [n, H, W, 3] side by side in as many lines as they need, uint8 [h, w, 3].

    Each has a frame, so that one of nothing but zeros is seen to be there.
    """
    pixels = pixels.repeat(scale, 1).repeat(scale, 2)
    framed = np.empty((len(pixels), pixels.shape[1] + 2, pixels.shape[2] + 2, 3), np.uint8)
    framed[:] = EDGE
    framed[:, 1:-1, 1:-1] = pixels
    height, width = framed.shape[1] + GAP, framed.shape[2] + GAP
    columns = min(len(framed), (WIDTH + GAP) // width)
    lines = -(-len(framed) // columns)
    sheet = np.full((lines * height, columns * width, 3), 255, np.uint8)
    for i, picture in enumerate(framed):
        top, left = i // columns * height, i % columns * width
        sheet[top : top + height - GAP, left : left + width - GAP] = picture
    return sheet[:, :-GAP]

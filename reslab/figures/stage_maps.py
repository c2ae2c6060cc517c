"""A picture on its way through a net: what its strongest channels have become after each stage."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import torch
from PIL import Image

from ..probes.stages import strongest
from .embedded import data_uri, jpeg
from .style import FAINT, INK, TEMPLATE, mix

CHANNELS, MAP = 6, 112  # small multiples in a row, and the pixels of their sides
GAP, HEAD = 8, 34  # pixels between pictures, and for the line above a row
SHADES = 15  # from white to dark: with the frame's, four bits a pixel
RAMP = ("#ffffff", "#56b4e9", "#00304d")
EDGE = "#c9cdd4"
KEY = (
    "Left: the strongest map, true to scale with the picture.<br>Right: the strongest maps, all drawn in one size."
    "<br>White is a map's least value, dark its greatest."
)


def stage_maps(picture: torch.Tensor, outputs: Mapping[str, torch.Tensor], title: str = "") -> go.Figure:
    """`picture`, uint8 [3, H, W], and below it a row for each of the `outputs` [C, h, w] by name: left the strongest
    channel true to scale, then the strongest channels, the highest mean first, all drawn in one size.

    White is a channel's smallest value, dark its largest. Raises ValueError where there is no output with maps.
    """
    outputs = {name: maps.detach().float().cpu() for name, maps in outputs.items() if maps.ndim == 3}
    if not outputs:
        raise ValueError("there are no feature maps to draw; outputs need at least one tensor [C, H, W]")
    height, width = picture.shape[1:]
    lines = [min(max(maps.shape[1], MAP), height) for maps in outputs.values()]
    right = width + 2 * GAP  # where the enlarged maps begin
    size = HEAD + height + sum(line + HEAD for line in lines) + 2, right + CHANNELS * (MAP + GAP)
    sheet = np.zeros(size, np.uint8)
    figure = go.Figure()
    top = HEAD + height
    for (name, maps), line in zip(outputs.items(), lines, strict=True):
        channels = strongest(maps, CHANNELS)
        small = [_shaded(maps[channel]) for channel in channels]
        _put(sheet, small[0], top + HEAD, 1)
        for i, each in enumerate(small):
            _put(sheet, _resized(each, MAP), top + HEAD, right + i * (MAP + GAP))
        count, rows, columns = maps.shape
        _write(figure, f"<b>{name}</b>", 0, top + HEAD - 8)
        _write(figure, f"{count:,} maps of {rows}×{columns}; channels {_listed(channels)}", right, top + HEAD - 8)
        top += HEAD + line
    _write(figure, "<b>picture</b>, as large as the net sees it", 0, HEAD - 8)
    _write(figure, title, right, HEAD + 30, size=20)
    _write(figure, KEY, right, HEAD + height - 6, colour=FAINT)
    size = dict(width=sheet.shape[1] + 20, height=len(sheet) + 20, margin=dict(l=10, r=10, t=10, b=10))
    place = dict(xref="x", yref="y", x=0, layer="above", xanchor="left", yanchor="top")
    whole = dict(y=0, sizex=sheet.shape[1], sizey=len(sheet), sizing="stretch", source=_indexed(sheet))
    seen = dict(y=HEAD, sizex=width, sizey=height, sizing="stretch", source=jpeg(picture))
    figure.update_layout(template=TEMPLATE, dragmode=False, hovermode=False, **size)
    figure.update_layout(images=[place | whole | dict(layer="below"), place | seen])
    figure.add_scatter(x=[0], y=[0], mode="markers", marker=dict(opacity=0), hoverinfo="skip", showlegend=False)
    square = dict(scaleanchor="x", constrain="domain", constraintoward="top")  # whatever the width of the page
    figure.update_xaxes(visible=False, range=[0, sheet.shape[1]], fixedrange=True, constrain="domain")
    figure.update_xaxes(constraintoward="left")
    return figure.update_yaxes(visible=False, range=[len(sheet), 0], fixedrange=True, **square)


def _listed(channels: list[int]) -> str:
    return ", ".join(map(str, channels))


def _shaded(values: torch.Tensor) -> np.ndarray:
    """The map [h, w] in shades 0 (white) to SHADES - 1."""
    low, high = values.min(), values.max()
    return ((values - low) / (high - low).clamp(min=1e-12) * (SHADES - 1)).round().to(torch.uint8).numpy()


def _resized(shades: np.ndarray, side: int) -> np.ndarray:
    """In another size, with every pixel a crisp square."""
    rows, columns = (np.arange(side) * n // side for n in shades.shape)
    return shades[rows[:, None], columns]


def _put(sheet: np.ndarray, shades: np.ndarray, top: int, left: int) -> None:
    """Into the sheet, in a frame where there is room, so that an empty map is seen to be there."""
    height, width = shades.shape
    sheet[top - 1 : top + height + 1, left - 1 : left + width + 1] = SHADES
    sheet[top : top + height, left : left + width] = shades


def _write(figure: go.Figure, words: str, x: float, y: float, size: int = 16, colour: str = INK) -> None:
    look = dict(showarrow=False, xanchor="left", yanchor="bottom", align="left", font=dict(size=size, color=colour))
    figure.add_annotation(text=words, x=x, y=y, **look)


def _indexed(sheet: np.ndarray) -> str:
    """A PNG with a palette: a third of the size."""
    image = Image.fromarray(sheet, "P")
    colours = [*(_ramp(i / (SHADES - 1)) for i in range(SHADES)), EDGE]
    image.putpalette([int(colour[i : i + 2], 16) for colour in colours for i in (1, 3, 5)])
    return data_uri(image, "PNG", optimize=True)


def _ramp(share: float) -> str:
    white, middle, dark = RAMP
    return mix(white, middle, 2 * share) if share < 0.5 else mix(middle, dark, 2 * share - 1)

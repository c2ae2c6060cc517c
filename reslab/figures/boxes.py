"""Pictures side by side, with boxes drawn on them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import torch

from .embedded import jpeg
from .images import png
from .style import INK, TEMPLATE, headline

GAP = 14  # pixels between pictures
LETTERS, LETTER = 16, 7.6  # pixels, of a box's name: its height, and a letter's width
HALO = ", ".join(["0 0 3px white"] * 4)


@dataclass(frozen=True)
class Pen:
    """How boxes of one kind are drawn; `name` is their entry in the legend."""

    name: str
    colour: str
    dash: str = "solid"
    width: float = 3.0
    opacity: float = 1.0
    rank: int = 1000  # in the legend, the least first; what is drawn last lies above


@dataclass(frozen=True)
class Place:
    """Where a picture stands on the sheet, in the sheet's pixels."""

    left: float
    top: float
    width: float
    height: float
    scale: float  # of the sheet's pixels a pixel of the picture

    def on_sheet(self, box: Sequence[float]) -> tuple[float, float, float, float]:
        """A box of the picture, x1 y1 x2 y2, in the sheet's pixels."""
        x1, y1, x2, y2 = (value * self.scale for value in box)
        return round(self.left + x1, 1), round(self.top + y1, 1), round(self.left + x2, 1), round(self.top + y2, 1)


@dataclass(frozen=True)
class _Box:
    number: int  # of its picture
    spot: Place
    box: list[float]
    name: str
    at: tuple[float, float]  # where the name is written


class Sheet:
    """A figure of pictures, uint8 [3, H, W], and of boxes, float [n, 4] in a picture's own pixels.

    Boxes of one pen are one trace and one entry in the legend. All of it keeps its proportions whatever the width of
    the page.
    """

    def __init__(self) -> None:
        self.figure = go.Figure()
        self._images: list[dict] = []
        self._drawn: dict[Pen, list[_Box]] = {}
        self._names: list[tuple[float, float, float]] = []  # left, right and bottom of those that are written
        self.width = self.height = 0.0

    def place(self, picture: torch.Tensor, left: float, top: float, side: float) -> Place:
        """Puts a picture there, as large as fits into a square of `side`, in the middle of its width."""
        height, width = picture.shape[1:]
        scale = side / max(height, width)
        spot = Place(left + (side - width * scale) / 2, top, width * scale, height * scale, scale)
        where = dict(x=spot.left, y=spot.top, sizex=spot.width, sizey=spot.height, sizing="stretch")
        self._images.append(dict(xref="x", yref="y", source=jpeg(picture), layer="below") | where)
        self._grow(left + side, top + spot.height)
        return spot

    def draw(self, pen: Pen, number: int, spot: Place, boxes: torch.Tensor, names: Sequence[str] = ()) -> None:
        """Draws boxes on picture `number`; the first of them have `names`, written at their upper left corner."""
        known = self._drawn.setdefault(pen, [])
        for i, box in enumerate(boxes.tolist()):
            name = names[i] if i < len(names) else ""
            known.append(_Box(number, spot, box, name, self._room(spot, box, name) if name else (0, 0)))

    def inset(self, pixels: np.ndarray, left: float, top: float) -> None:
        """Puts pixels, uint8 [h, w, 3], there as they are, one pixel of the sheet each."""
        height, width = pixels.shape[:2]
        where = dict(x=left, y=top, sizex=width, sizey=height, sizing="stretch")
        self._images.append(dict(xref="x", yref="y", source=png(pixels), layer="below") | where)
        self._grow(left + width, top + height)

    def write(self, words: str, x: float, y: float, size: float = 16, colour: str = INK) -> None:
        """A line of text whose lower left corner is there."""
        look = dict(showarrow=False, xanchor="left", yanchor="bottom", align="left", font=dict(size=size, color=colour))
        self.figure.add_annotation(text=words, x=x, y=y, **look)
        self._grow(0, y)

    def finished(self, title: str, told: str) -> go.Figure:
        """The figure with everything on it, under its title and what is `told` below."""
        for pen, drawn in self._drawn.items():
            self._boxes(pen, drawn)
        margin = dict(l=8, r=8, t=104, b=8)
        self.figure.update_layout(
            template=TEMPLATE,
            title=dict(text=headline(title, told)),
            images=self._images,
            dragmode=False,
            width=self.width + 20,
            height=self.height + 4 + margin["t"] + margin["b"],
            margin=margin,
            legend=dict(orientation="h", x=0, xanchor="left", y=1 + 8 / self.height, yanchor="bottom"),
        )
        fit = dict(visible=False, fixedrange=True, constrain="domain")  # in proportion, whatever the page's width
        self.figure.update_xaxes(range=[-2, self.width + 2], constraintoward="left", **fit)
        upright = dict(range=[self.height + 2, -2], scaleanchor="x", constraintoward="top")
        return self.figure.update_yaxes(**upright, **fit)

    def _grow(self, right: float, bottom: float) -> None:
        self.width, self.height = max(self.width, right), max(self.height, bottom)

    def _room(self, spot: Place, box: Sequence[float], name: str) -> tuple[float, float]:
        """Where a box's name begins, at its lower left: above the box, below it or inside it, where no other name is
        and the picture does not end.
        """
        left, top, _, bottom = spot.on_sheet(box)
        wide = LETTER * len(name) + 4
        start = max(min(left - 3, spot.left + spot.width - wide), spot.left - 2)
        places = [top, bottom + LETTERS + 3, top + LETTERS + 3, bottom - 2]
        places = [y for y in places if spot.top + LETTERS <= y <= spot.top + spot.height] or places[2:3]
        free = [
            y
            for y in places
            if not any(start < right and x < start + wide and abs(y - at) < LETTERS for x, right, at in self._names)
        ]
        chosen = (free or places)[0]
        self._names.append((start, start + wide, chosen))
        return start, chosen

    def _boxes(self, pen: Pen, drawn: "list[_Box]") -> None:
        """One pen's boxes: white below, so that they are seen on any picture."""
        x, y = [], []
        for each in drawn:
            left, top, right, bottom = each.spot.on_sheet(each.box)
            x += [left, right, right, left, left, None]
            y += [top, top, bottom, bottom, top, None]
        lines = dict(x=x, y=y, mode="lines", hoverinfo="skip", legendgroup=pen.name, legendrank=pen.rank)
        if pen.opacity == 1:
            self.figure.add_scatter(**lines, line=dict(color="white", width=pen.width + 2.5), showlegend=False)
        self.figure.add_scatter(
            **lines,
            name=pen.name,
            opacity=pen.opacity,
            line=dict(color=pen.colour, width=pen.width, dash=pen.dash),
            meta=dict(kind=pen.name, pictures=[each.number for each in drawn]),
        )
        named = [each for each in drawn if each.name]
        if named:
            self.figure.add_scatter(
                x=[each.at[0] for each in named],
                y=[each.at[1] for each in named],
                text=[each.name for each in named],
                mode="text",
                textposition="top right",
                textfont=dict(size=15, color=pen.colour, weight=700, shadow=HALO),
                legendgroup=pen.name,
                showlegend=False,
                hoverinfo="skip",
                meta=dict(kind="names"),
            )

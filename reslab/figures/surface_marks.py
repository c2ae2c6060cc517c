"""What lies on a loss surface: the net itself, or the path of its training from start to end."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from ..probes.surface import Surface
from .heights import Heights, values
from .style import INK

PATH, EDGE = "#ff3b5c", "white"  # a red that viridis does not have, with a light edge on its dark blue
HALO = f"0 0 3px {INK}, 0 0 3px {INK}, 0 0 6px {INK}"
HOVER = "iteration %{customdata:,}<br>x = %{x:.3g}, y = %{y:.3g}<extra>training</extra>"
LIFT = 0.02  # of the heights' range: above the surface, which would hide half of a line that lies in it
RAISED = 0.1  # of that range: a name above its mark, clear of the slopes around it


Places = Mapping[str, tuple[float, float]]  # what lies where on the plane


def marks_flat(surface: Surface, places: Places) -> list[go.Scatter]:
    """On contours: the path, and `places` by name; if there is neither, a cross where the net is."""
    traces = []
    if surface.path:
        x, y, said = _path(surface)
        common = dict(x=x, y=y, meta=dict(net=surface.name, kind="path"))
        traces = [
            go.Scatter(**common, mode="lines", line=dict(color=EDGE, width=5), hoverinfo="skip"),
            go.Scatter(
                **common,
                mode="lines+markers",
                line=dict(color=PATH, width=2.5),
                marker=dict(size=6, color=PATH, line=dict(color=EDGE, width=1)),
                customdata=said,
                hovertemplate=HOVER,
            ),
        ]
    for kind, x, y, names, symbols, colours in _points(surface, places):
        look = dict(symbol=symbols, size=[13] * len(x), color=colours, line=dict(color=INK, width=1.5))
        traces.append(
            go.Scatter(
                x=x,
                y=y,
                mode="markers+text",
                text=names,
                textposition="top center",
                textfont=dict(color="white", size=15, weight=600, shadow=HALO),
                marker=look,
                hoverinfo="skip",
                cliponaxis=False,
                meta=dict(net=surface.name, kind=kind),
            )
        )
    return traces


def marks_in_space(surface: Surface, heights: Heights, places: Places) -> list[go.Scatter3d]:
    """The same on the surface, where it is computed."""
    low, high = heights.ends

    def on(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return heights.place(between(surface, values(surface, heights.what), x, y)) + LIFT * (high - low)

    traces = []
    if surface.path:
        x, y, said = _path(surface)
        traces = [
            go.Scatter3d(
                x=x,
                y=y,
                z=on(x, y),
                mode="lines+markers",
                line=dict(color=PATH, width=6),
                marker=dict(size=3, color=PATH),
                customdata=said,
                hovertemplate=HOVER,
                meta=dict(net=surface.name, kind="path"),
            )
        ]
    for kind, x, y, names, _, colours in _points(surface, places):
        z, words = on(x, y), dict(text=names, textfont=dict(color=INK, size=15, weight=600))
        look = dict(marker=dict(size=6, color=colours, line=dict(color=INK, width=2)))
        for more in (dict(z=z, mode="markers", **look), dict(z=z + RAISED * (high - low), mode="text", **words)):
            traces.append(go.Scatter3d(x=x, y=y, **more, hoverinfo="skip", meta=dict(net=surface.name, kind=kind)))
    return traces


def _points(surface: Surface, places: Places) -> list[tuple]:
    """What is marked: (kind, x, y, names, symbols, colours)."""
    points = []
    if surface.path:
        x, y, _ = _path(surface)
        points.append(("ends", x[[0, -1]], y[[0, -1]], ["start", "end"], ["circle", "star"], [EDGE, PATH]))
    if places:
        x, y = np.array(list(places.values())).T
        points.append(("places", x, y, list(places), "circle", [EDGE] * len(x)))
    return points or [("net", np.zeros(1), np.zeros(1), [""], "cross", [PATH])]


def between(surface: Surface, grid: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`grid` [y, x] at points between those of the surface, bilinear: NaN outside, and where a neighbour is missing."""
    (i, across), (j, up) = (_cell(np.array(axis), at) for axis, at in ((surface.x, x), (surface.y, y)))
    lower = grid[j, i] * (1 - across) + grid[j, i + 1] * across
    upper = grid[j + 1, i] * (1 - across) + grid[j + 1, i + 1] * across
    return lower * (1 - up) + upper * up


def _cell(axis: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The index of the last point at or before each of `at`, and how far along to the next it is; NaN if outside."""
    index = np.clip(np.searchsorted(axis, at, side="right") - 1, 0, len(axis) - 2)
    share = (at - axis[index]) / (axis[index + 1] - axis[index])
    share[(share < -1e-9) | (share > 1 + 1e-9)] = np.nan
    return index, share


def _path(surface: Surface) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points = surface.path
    return np.array([p.x for p in points]), np.array([p.y for p in points]), np.array([p.iteration for p in points])

"""What lies on a loss surface: the net itself, or the path of its training from start to end."""

import numpy as np
import plotly.graph_objects as go

from ..probes.surface import Surface
from .heights import Heights, values
from .style import INK

PATH, EDGE = "#ff3b5c", "white"  # a red that viridis does not have, with a light edge on its dark blue
LIFT = 0.02  # of the heights' range: above the surface, which would hide half of a line that lies in it


def marks_flat(surface: Surface) -> list[go.Scatter]:
    """On contours: the path, or a cross where the net is."""
    if not surface.path:
        look = dict(symbol="cross", size=11, color="white", line=dict(color=INK, width=1.5))
        hover = f"{surface.name} itself<extra></extra>"
        return [
            go.Scatter(
                x=[0], y=[0], mode="markers", marker=look, hovertemplate=hover, meta=dict(net=surface.name, kind="net")
            )
        ]
    x, y, said = _path(surface)
    common = dict(x=x, y=y, meta=dict(net=surface.name, kind="path"))
    ends = dict(x=x[[0, -1]], y=y[[0, -1]], mode="markers+text", text=["start", "end"], textposition="top center")
    return [
        go.Scatter(**common, mode="lines", line=dict(color=EDGE, width=5), hoverinfo="skip"),
        go.Scatter(
            **common,
            mode="lines+markers",
            line=dict(color=PATH, width=2.5),
            marker=dict(size=6, color=PATH, line=dict(color=EDGE, width=1)),
            customdata=said,
            hovertemplate="iteration %{customdata:,}<br>x = %{x:.3g}, y = %{y:.3g}<extra>training</extra>",
        ),
        go.Scatter(
            **ends,
            textfont=dict(color="white", size=15, weight=600, shadow="0 0 3px #1f2430, 0 0 3px #1f2430"),
            marker=dict(symbol=["circle", "star"], size=[12, 17], color=[EDGE, PATH], line=dict(color=INK, width=1.5)),
            hoverinfo="skip",
            meta=dict(net=surface.name, kind="ends"),
        ),
    ]


def marks_in_space(surface: Surface, heights: Heights) -> list[go.Scatter3d]:
    """The same on the surface, where it is computed."""
    x, y, said = _path(surface) if surface.path else (np.zeros(1), np.zeros(1), np.zeros(1, int))
    low, high = heights.ends
    z = heights.place(between(surface, values(surface, heights.what), x, y)) + LIFT * (high - low)
    if not surface.path:
        look = dict(symbol="circle", size=5, color=PATH)
        hover = f"{surface.name} itself<extra></extra>"
        return [
            go.Scatter3d(
                x=x, y=y, z=z, mode="markers", marker=look, hovertemplate=hover, meta=dict(net=surface.name, kind="net")
            )
        ]
    return [
        go.Scatter3d(
            x=x,
            y=y,
            z=z,
            mode="lines+markers",
            line=dict(color=PATH, width=6),
            marker=dict(size=3, color=PATH),
            customdata=said,
            hovertemplate="iteration %{customdata:,}<br>x = %{x:.3g}, y = %{y:.3g}<extra>training</extra>",
            meta=dict(net=surface.name, kind="path"),
        ),
        go.Scatter3d(
            x=x[[0, -1]],
            y=y[[0, -1]],
            z=z[[0, -1]],
            mode="markers+text",
            text=["start", "end"],
            textfont=dict(color=INK, size=15, weight=600),
            marker=dict(size=[7, 7], color=[EDGE, PATH], symbol=["circle", "diamond"], line=dict(color=INK, width=2)),
            hoverinfo="skip",
            meta=dict(net=surface.name, kind="ends"),
        ),
    ]


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

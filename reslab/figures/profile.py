"""Loss and error along a line through a net's weights."""

import re
from collections import Counter
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..probes.surface import Surface
from ..training.config import RunConfig
from .axes import SCALES
from .heights import UNITS, WHATS, pictures, values
from .style import FAINT, FONT, TEMPLATE, headline, mix, net_colour

DASHES = ("solid", "dash", "dot", "dashdot")  # of one net's lines in a panel: one must not hide another it lies on


def loss_profile(surfaces: Sequence[Surface], scale: str = "log", data: str = "") -> go.Figure:
    """Loss (above) and error (below) along lines: a panel for each kind of direction, a line for each net.

    A line has the colour of the net that its name begins with, such as plain-56; darker if its name says more, and
    dashed if it is not that net's first. `data` is the data set's name, for the title. Raises ValueError for
    no surfaces, for a plane, and for an unknown `scale`.
    """
    if not surfaces:
        raise ValueError("there is no line to draw; give at least one surface with dimensions=1")
    if scale not in SCALES:
        raise ValueError(f"scale={scale!r} is not possible; allowed: {', '.join(SCALES)}")
    for surface in surfaces:
        if len(surface.y) > 1:
            raise ValueError(f"the surface of {surface.name} is a plane; draw it with loss_contours or loss_surfaces")
    kinds = list(dict.fromkeys(surface.directions for surface in surfaces))
    figure = make_subplots(
        2,
        len(kinds),
        subplot_titles=kinds,
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.04,
        vertical_spacing=0.06,
    )
    drawn: Counter[tuple[int, str]] = Counter()
    for surface in surfaces:
        column, net = kinds.index(surface.directions) + 1, _net(surface.name)
        for row, what in enumerate(WHATS, 1):
            figure.add_trace(_line(surface, what, DASHES[drawn[column, net] % len(DASHES)]), row, column)
        drawn[column, net] += 1
    _legend_once(figure)
    images = " / ".join(dict.fromkeys(pictures(s) for s in surfaces))
    said = f"{images}{f' of {data}' * bool(data)}; loss on a {'logarithmic' if scale == 'log' else 'linear'} scale"
    figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline("Along a line through the net", said)),
        height=620,
        margin=dict(t=150),
        legend=dict(orientation="h", x=0, xanchor="left", y=1.07, yanchor="bottom"),
        hovermode="closest",
    )
    figure.update_annotations(font=dict(size=16, family=FONT, color=FAINT))
    figure.update_xaxes(title="x", row=2)
    figure.update_yaxes(title=UNITS["loss"], type=scale, dtick=1 if scale == "log" else None, row=1, col=1)
    figure.update_yaxes(type=scale, row=1)
    return figure.update_yaxes(title=UNITS["error"], row=2, col=1).update_yaxes(range=[0, 100], row=2)


def _line(surface: Surface, what: str, dash: str) -> go.Scatter:
    return go.Scatter(
        x=surface.x,
        y=values(surface, what)[0],
        mode="lines",
        name=surface.name,
        legendgroup=surface.name,
        line=dict(color=_colour(surface.name), width=3, dash=dash),
        customdata=[[loss, error] for loss, error in zip(surface.loss[0], surface.error[0], strict=True)],
        hovertemplate="x = %{x:.3g}: loss %{customdata[0]:.4g}, error %{customdata[1]:.4g} %"
        f"<extra>{surface.name}</extra>",
        meta=dict(net=surface.name, what=what, directions=surface.directions),
    )


def _net(name: str) -> str:
    """The net that a name begins with; the name itself if there is none."""
    found = re.match(r"(plain|ResNet)-\d+", name)
    return found[0] if found else name


def _colour(name: str) -> str:
    kind, _, depth = _net(name).partition("-")
    if not depth.isdecimal() or int(depth) % 6 != 2:
        return FAINT
    colour = net_colour(RunConfig(depth=int(depth), shortcut="none" if kind == "plain" else "A"))
    return colour if name == _net(name) else mix(colour, "#000000", 0.5)


def _legend_once(figure: go.Figure) -> None:
    seen: set[str] = set()
    for trace in figure.data:
        trace.showlegend = trace.name not in seen
        seen.add(trace.name)

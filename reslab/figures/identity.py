"""Blocks on their way to the identity."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..lessons.identity import Lesson
from .nets import how_many
from .style import COLOURS, FAMILIES, TEMPLATE, faded, headline

FLOOR = 1e-7  # the resolution of float32: what is nearer to x is drawn here, for a logarithm knows no 0
PANELS = {"distance": "distance to the identity, ‖y − x‖ / ‖x‖", "residual": "size of F, ‖F(x)‖ / ‖x‖"}


def identity_curves(lessons: Sequence[Lesson]) -> go.Figure:
    """Distance to the identity (left) and size of F (right) over training, both logarithmic: for each shortcut the
    median over seeds, and a band from the least to the most.

    Lessons of one shortcut are one line, whatever their order; they must have the same number of steps.
    """
    groups: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        groups.setdefault(lesson.shortcut, []).append(lesson)
    figure = make_subplots(1, 2, subplot_titles=list(PANELS.values()), horizontal_spacing=0.1)
    for shortcut, group in groups.items():
        for column, what in enumerate(PANELS, 1):
            values = np.stack([getattr(lesson, what) for lesson in group]).clip(min=FLOOR)
            figure.add_traces(_line(shortcut, what, values), rows=1, cols=column)
    figure.update_layout(
        template=TEMPLATE,
        title=dict(
            text=headline(
                "One block that is to learn the identity",
                f"{how_many([len(group) for group in groups.values()])} of each; median, least and most",
            )
        ),
        height=480,
        margin=dict(t=150),
        legend=dict(orientation="h", x=0, xanchor="left", y=1.1, yanchor="bottom"),
    )
    figure.update_xaxes(title="step")
    powers = range(-7, 1)
    ticks = dict(tickvals=[10.0**p for p in powers], ticktext=[f"10<sup>−{-p}</sup>" if p else "1" for p in powers])
    return figure.update_yaxes(type="log", **ticks).update_annotations(font_size=17)


def _line(shortcut: str, what: str, values: np.ndarray) -> list[go.Scatter]:
    """The median of `values` [seeds, steps] and the band around it."""
    colour = FAMILIES[shortcut][1] if shortcut in FAMILIES else COLOURS[shortcut]
    name = "plain block" if shortcut == "none" else f"residual block ({shortcut})"
    steps, low, high = np.arange(values.shape[1]), values.min(0), values.max(0)
    return [
        go.Scatter(
            x=np.concatenate([steps, steps[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            fill="toself",
            fillcolor=faded(colour, 0.2),
            line=dict(width=0),
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
            meta=dict(kind="band", shortcut=shortcut, what=what),
        ),
        go.Scatter(
            x=steps,
            y=np.median(values, 0),
            mode="lines",
            line=dict(color=colour, width=3),
            name=name,
            showlegend=what == "distance",
            hovertemplate=f"{name}, step %{{x}}: %{{y:.2g}}<extra></extra>",
            meta=dict(kind="median", shortcut=shortcut, what=what),
        ),
    ]

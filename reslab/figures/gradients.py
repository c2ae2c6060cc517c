"""Gradients: over training, between neighbouring inputs, and by the length of the path that they come through."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..probes.paths import PathShare
from ..probes.shattering import Correlation, brown
from .inside import Key, Look, framed, log_axis, looks, subtitled
from .style import FAINT, TEMPLATE, faded, headline, message

WHAT = dict(gradient="norm of the gradient", variance="variance of the response")
RAMP = [[0, "#f3f6fa"], [0.35, "#56b4e9"], [0.7, "#0072b2"], [1, "#00304d"]]
PAPER = {110: "5 to 17"}  # of 54 blocks, that carry most gradient in Veit et al. 2016, section 5: 10 to 34 layers


def signal_history(nets: Mapping[Key, Sequence[Mapping[str, Any]]], what: str = "gradient") -> go.Figure:
    """What runs recorded of their signals, as `recorded_signals` gives it: a column for each record, a row for each
    layer, the first one at the bottom, and the colour for the power of ten; one scale for all nets.

    `what` is "gradient" or "variance". Raises ValueError for anything else.
    """
    if what not in WHAT:
        raise ValueError(f"what={what!r} is not possible; allowed: {', '.join(WHAT)}")
    nets = {key: rows for key, rows in nets.items() if rows}
    if not nets:
        return message("No signals were recorded: train with record=['signals'].")
    shown = looks(list(nets))
    figure = make_subplots(1, len(nets), horizontal_spacing=0.09, subplot_titles=[look.label for look in shown])
    for column, (look, rows) in enumerate(zip(shown, nets.values(), strict=True), 1):
        iterations = list(dict.fromkeys(row["iteration"] for row in rows))
        layers = list(dict.fromkeys(row["layer"] for row in rows))
        values = {(row["layer"], row["iteration"]): row[what] for row in rows}
        table = [[values.get((layer, iteration), math.nan) for iteration in iterations] for layer in layers]
        figure.add_heatmap(
            x=[f"{iteration:,}" for iteration in iterations],
            y=list(range(1, len(layers) + 1)),
            z=[[math.log10(value) if value > 0 else None for value in row] for row in table],
            customdata=[[[layer, value] for value in row] for layer, row in zip(layers, table, strict=True)],
            hovertemplate=f"{look.label}, iteration %{{x}}<br>%{{customdata[0]}} (layer %{{y}}): {what} "
            "%{customdata[1]:.3g}<extra></extra>",
            coloraxis="coloraxis",
            meta=dict(net=look.label, what=what),
            row=1,
            col=column,
        )
    logs = [z for trace in figure.data for row in trace.z for z in row if z is not None and math.isfinite(z)] or [0.0]
    ticks = list(range(math.floor(min(logs)), math.ceil(max(logs)) + 1))
    bar = dict(title=dict(text=what, side="right"), tickvals=ticks, ticktext=[f"10<sup>{tick}</sup>" for tick in ticks])
    figure.update_layout(
        template=TEMPLATE,
        title=dict(
            text=headline(f"The {WHAT[what]} of each layer, over training", "darker is larger; one colour scale")
        ),
        height=520,
        margin=dict(t=120),
        coloraxis=dict(colorscale=RAMP, colorbar=bar | dict(ticklabelposition="outside", len=1.05)),
    )
    figure.update_xaxes(title="iteration", type="category", nticks=6, tickangle=0, showgrid=False)
    figure.update_yaxes(showgrid=False).update_yaxes(title="layer, the first at the bottom", col=1)
    return subtitled(figure)


def correlation_curves(nets: Mapping[Key, Correlation]) -> go.Figure:
    """How alike gradients are by their distance on a line between two pictures, with brown and white noise beside them,
    as in Balduzzi et al. 2017. All nets were measured with as many points on the line as the first.
    """
    if not nets:
        return message("No correlation yet: measure some, with reslab.probes.gradient_correlation.")
    first, figure = next(iter(nets.values())), go.Figure()
    white = Correlation(first.lags, (1.0, *[0.0] * (len(first.lags) - 1)), first.points)
    references = [("brown noise: a random walk", brown(first.points), "dash"), ("white noise", white, "dot")]
    shown = looks(list(nets))
    lines = [(look.label, look.colour, look.dash, its) for look, its in zip(shown, nets.values(), strict=True)]
    lines += [(name, FAINT, dash, its) for name, its, dash in references]
    for name, colour, dash, its in lines:
        figure.add_scatter(
            x=its.lags,
            y=its.values,
            mode="lines" if colour == FAINT else "lines+markers",
            name=name,
            line=dict(color=colour, width=2 if colour == FAINT else 3, dash=dash),
            marker=dict(size=6),
            hovertemplate=f"{name}<br>%{{x}} points apart: %{{y:.3f}}<extra></extra>",
            meta=dict(net=name),
        )
    near = [f"{look.label} {round(its.values[1], 2) + 0.0:.2f}" for look, its in zip(shown, nets.values(), strict=True)]
    title, names = "How alike the gradients of neighbouring inputs are", [name for name, *_ in lines]
    framed(figure, title, "one point further on", near, names, 540)
    figure.update_xaxes(title=f"distance in points ({first.points} from one picture to the other)", rangemode="tozero")
    return figure.update_yaxes(title="cosine between gradients", range=[-0.15, 1.05])


def path_shares(nets: Mapping[Key, PathShare]) -> go.Figure:
    """The gradient by the length of the path that it comes through, as figure 6 of Veit et al. 2016: at the left the
    magnitude of one path; at the right the share of all paths of a length together, over the share of the paths that
    have that length.
    """
    if not nets:
        return message("No paths yet: measure some, with reslab.probes.gradient_by_path_length.")
    titles = ["gradient through one path", "share of all gradient"]
    figure = make_subplots(1, 2, horizontal_spacing=0.14, subplot_titles=titles)
    shown = looks(list(nets))
    for look, paths in zip(shown, nets.values(), strict=True):
        _add_paths(figure, look, paths)
    figure.add_scatter(
        x=[None], y=[None], mode="lines", name="share of the paths", line=dict(color=FAINT, width=1.5, dash="dot")
    )
    ranges = [_range(look.label, look.config.depth, paths) for look, paths in zip(shown, nets.values(), strict=True)]
    names = [*(look.label for look in shown), "share of the paths"]
    framed(figure, "Which paths carry the gradient", "90 % of it", ranges, names, 540)
    figure.update_xaxes(title="blocks passed through", rangemode="tozero")
    magnitudes = [value for paths in nets.values() for value in paths.gradient]
    figure.update_yaxes(title="norm of the gradient", **log_axis(magnitudes), row=1, col=1)
    figure.update_yaxes(title="%", rangemode="tozero", row=1, col=2)
    return subtitled(figure)


def _add_paths(figure: go.Figure, look: Look, paths: PathShare) -> None:
    blocks = paths.lengths[-1]
    counts = [100 * count / sum(paths.paths) for count in paths.paths]
    line = dict(color=look.colour, width=2.5, dash=look.dash)
    common = dict(x=paths.lengths, name=look.label, legendgroup=look.label, line=line, marker=dict(size=5))
    told = f"{look.label}<br>paths through %{{x}} of {blocks} blocks: "
    figure.add_scatter(
        y=paths.gradient,
        mode="lines+markers",
        hovertemplate=f"{told}%{{y:.2e}} each<extra></extra>",
        meta=dict(net=look.label, what="gradient"),
        **common,
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=paths.lengths,
        y=counts,
        mode="lines",
        name=f"{look.label}, share of the paths",
        legendgroup=look.label,
        showlegend=False,
        line=dict(color=look.colour, width=1.5, dash="dot"),
        hovertemplate=f"{told}%{{y:.2f}} % of all paths<extra></extra>",
        meta=dict(net=look.label, what="paths"),
        row=1,
        col=2,
    )
    figure.add_scatter(
        y=[100 * share for share in paths.share],
        mode="lines+markers",
        fill="tozeroy",
        fillcolor=faded(look.colour, 0.18),
        showlegend=False,
        hovertemplate=f"{told}%{{y:.2f}} % of the gradient<extra></extra>",
        meta=dict(net=look.label, what="share"),
        **common,
        row=1,
        col=2,
    )


def _range(label: str, depth: int, paths: PathShare) -> str:
    low, high = paths.central()
    paper = f" (paper: {PAPER[depth]})" if depth in PAPER else ""
    return f"{label} through {low} to {high} of {paths.lengths[-1]} blocks{paper}"

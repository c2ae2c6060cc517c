"""What goes on inside nets, layer by layer: responses (He et al. 2015, figure 7) and signals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..probes.responses import Response
from ..probes.signals import Signal
from ..training.config import RunConfig
from .style import INK, TEMPLATE, headline, message, net_colour, net_label

Key = RunConfig | tuple[RunConfig, str]  # a net, or a net and what is special about it, such as "without BN"
DASHES = ("solid", "dash", "dot", "longdashdot")
WIDE = 800  # pixels for a row of words


@dataclass(frozen=True)
class Look:
    """How a net is drawn: the colour is the net's own, the dash says what is special about it."""

    label: str
    colour: str
    dash: str
    config: RunConfig


def looks(keys: Sequence[Key]) -> list[Look]:
    """The looks of nets that are drawn together; seeds are told apart where a net comes with several."""
    pairs = [key if isinstance(key, tuple) else (key, "") for key in keys]
    notes = list(dict.fromkeys(note for _, note in pairs))
    found = []
    for config, note in pairs:
        several = len({other.seed for other, its in pairs if (net_label(other), its) == (net_label(config), note)}) > 1
        parts = [net_label(config), *[note] * bool(note), *[f"seed {config.seed}"] * several]
        found.append(Look(", ".join(parts), net_colour(config), DASHES[notes.index(note) % len(DASHES)], config))
    return found


def framed(
    figure: go.Figure, title: str, told: str, parts: Sequence[str], labels: Sequence[str], height: int
) -> go.Figure:
    """The figure with its title, below it what is `told` of each net, in `parts`, and a legend of these names: each in
    as many rows as it takes, so that no net is left out.
    """
    rows = _rows([f"{told}: {parts[0]}", *parts[1:]], 7, 2)
    subtitle = ",<br>".join(", ".join(row) for row in rows)
    more = 22 * (len(rows) - 1)  # pixels
    top, bottom = 106 + more + 27 * len(_rows(labels, 8, 60)), 64
    height += more
    above = 1 + 28 / (height - top - bottom)  # the panels' titles take 28 pixels
    return figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline(title, subtitle)),
        hovermode="closest",
        legend=dict(orientation="h", x=0, xanchor="left", y=above, yanchor="bottom"),
        margin=dict(t=top, b=bottom, l=92),  # room for powers of ten at the left
        height=height,
    )


def _rows(words: Sequence[str], letter: int, between: int) -> list[list[str]]:
    """`words` in rows of WIDE pixels, of about `letter` pixels a letter and `between` pixels a word."""
    rows: list[list[str]] = [[]]
    used = 0
    for word in words:
        wide = between + letter * len(word)
        if rows[-1] and used + wide > WIDE:
            rows.append([])
            used = 0
        rows[-1].append(word)
        used += wide
    return rows


def response_curves(nets: Mapping[Key, Sequence[Response]]) -> go.Figure:
    """The standard deviation of each layer's response: above in the order of the net, below from the strongest to the
    weakest, as figure 7 of He et al. 2015.
    """
    if not nets:
        return message("No responses yet: measure some, with reslab.probes.responses.")
    titles = ["in the order of the layers", "sorted by size"]
    figure = make_subplots(2, 1, vertical_spacing=0.2, subplot_titles=titles)
    shown = looks(list(nets))
    for look, layers in zip(shown, nets.values(), strict=True):
        for row, ordered in enumerate((layers, sorted(layers, key=lambda layer: -layer.std)), 1):
            _line(figure, row, look, [layer.std for layer in ordered], [layer.name for layer in ordered], "std", ".3f")
    means = [f"{look.label} {_mean(layers):.2f}" for look, layers in zip(shown, nets.values(), strict=True)]
    framed(figure, "How strongly each layer responds", "mean over layers", means, [look.label for look in shown], 760)
    figure.update_xaxes(title="layer", row=1, col=1).update_xaxes(title="layers, the strongest first", row=2, col=1)
    return subtitled(figure.update_yaxes(title="std of the response", rangemode="tozero"))


def _mean(layers: Sequence[Response]) -> float:
    return sum(layer.std for layer in layers) / len(layers)


def signal_curves(nets: Mapping[Key, Sequence[Signal]]) -> go.Figure:
    """What flows through nets, layer by layer, on logarithmic axes: above the variance of the response, on the way
    forward, below the norm of the gradient, on the way back. What is 0 cannot be drawn.
    """
    if not nets:
        return message("No signals yet: measure some, with reslab.probes.signals.")
    titles = ["forward: variance of the layer's response", "backward: norm of the gradient of its weights"]
    figure = make_subplots(2, 1, vertical_spacing=0.2, subplot_titles=titles)
    shown = looks(list(nets))
    for look, layers in zip(shown, nets.values(), strict=True):
        names = [layer.name for layer in layers]
        _line(figure, 1, look, [layer.variance for layer in layers], names, "variance", ".3g")
        _line(figure, 2, look, [layer.gradient for layer in layers], names, "gradient", ".3g")
    least = [min(layer.gradient for layer in layers) for layers in nets.values()]
    told = [f"{look.label} {gradient:.1g}" for look, gradient in zip(shown, least, strict=True)]
    framed(figure, "What flows through the layers", "smallest gradient", told, [look.label for look in shown], 780)
    figure.update_xaxes(title="layer, from the pictures to the classes", row=2, col=1)
    for row, what in ((1, "variance"), (2, "gradient")):
        values = [getattr(layer, what) for layers in nets.values() for layer in layers]
        figure.update_yaxes(title=what, **log_axis(values), row=row, col=1)
    return subtitled(figure)


def log_axis(values: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis in powers of ten that holds these values and at least two decades: noise looks small on it."""
    logs = [math.log10(value) for value in values if 0 < value < math.inf] or [0.0]
    low, high = min(logs), max(logs)
    room = max(0.0, 2 - (high - low)) / 2
    low, high = low - room - 0.04 * (high - low), high + room + 0.04 * (high - low)
    step = max(1, math.ceil((high - low) / 7))
    return dict(type="log", range=[low, high], dtick=step, exponentformat="power", title_standoff=18)


def _line(
    figure: go.Figure, row: int, look: Look, values: Sequence[float], names: Sequence[str], what: str, form: str
) -> None:
    figure.add_scatter(
        x=list(range(1, len(values) + 1)),
        y=list(values),
        mode="lines+markers" if look.dash == "solid" else "lines",  # dashes and markers together are neither
        name=look.label,
        legendgroup=look.label,
        showlegend=row == 1,
        line=dict(color=look.colour, width=2.5, dash=look.dash),
        marker=dict(size=5),
        customdata=list(names),
        hovertemplate=f"{look.label}<br>%{{customdata}} (layer %{{x}}): {what} %{{y:{form}}}<extra></extra>",
        meta=dict(net=look.label, what=what),
        row=row,
        col=1,
    )


def subtitled(figure: go.Figure) -> go.Figure:
    """Panel titles at the left, in bold."""
    titles = [each for each in figure.layout.annotations if each.yref == "paper" and not each.showarrow]
    for panel, title in enumerate(titles):
        axis = figure.layout["xaxis" + str(panel + 1) * (panel > 0)]
        title.update(text=f"<b>{title.text}</b>", x=axis.domain[0], xanchor="left", font=dict(size=16, color=INK))
    return figure

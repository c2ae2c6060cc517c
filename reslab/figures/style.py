"""The look that all figures share: fonts for the last row of a lecture room, one colour a net everywhere."""

import colorsys
import math
import zlib

import plotly.graph_objects as go

from ..nets.shortcuts import Gated
from ..training.config import RunConfig

FONT = "Inter, 'Segoe UI', 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
INK, FAINT, GRID = "#1f2430", "#5b6472", "#e8eaee"

# Okabe and Ito's colours, which colour-blind eyes tell apart: warm for plain, cool for residual, light to dark for
# shallow to deep. The values are those of depth 20, 56 and 110, with depths between them between.
ANCHORS = (20, 56, 110)
FAMILIES = {
    "none": ("#e69f00", "#d55e00", "#7a2e00"),
    "A": ("#56b4e9", "#0072b2", "#00304d"),
    "B": ("#45c4a0", "#009e73", "#00513b"),
    "C": ("#d98fba", "#a8508a", "#5a1f48"),
}
# Of depth 56 for the other shortcuts, found by search: any two of all thirteen keep a distance of 16 (CIE 1976) in
# normal vision, protanopia and deuteranopia. Shallower nets are lighter, deeper ones darker.
COLOURS = {
    "scaled": "#da9e57",
    "scaled-both": "#804107",
    "exclusive-gating": "#6b01ff",
    "shortcut-gating": "#8b1cd1",
    "conv1x1": "#36583d",
    "dropout": "#2f444c",
    "rezero": "#27beb5",
    "stochastic-depth": "#2b92b6",
    "concat": "#07338f",
}
# Of option A in another order, apart from each other and from plain and option A in the same way; other shortcuts are
# drawn towards them.
ORDER_COLOURS = {
    "bn-after-addition": "#a700d1",
    "relu-before-addition": "#d383a4",
    "relu-only-preactivation": "#7c2f7f",
    "full-preactivation": "#31ad46",
}

# White on purpose, in a dark JupyterLab too: the colours are chosen for it, and a figure pasted into slides stays as it
# was. Given to each figure: the default template of the user's session is left alone.
TEMPLATE = go.layout.Template(
    layout=dict(
        font=dict(family=FONT, size=16, color=INK),
        title=dict(font=dict(size=20), x=0.012, xanchor="left", y=1, yanchor="top", pad=dict(t=22)),
        paper_bgcolor="white",
        plot_bgcolor="white",
        hoverlabel=dict(bgcolor="rgba(255,255,255,0.96)", bordercolor="#c9cdd4", font=dict(family=FONT, size=15)),
        legend=dict(font=dict(size=15), bgcolor="rgba(255,255,255,0)", tracegroupgap=0),
        xaxis=dict(gridcolor=GRID, linecolor="#9aa1ac", ticks="outside", tickcolor="#9aa1ac", zeroline=False),
        yaxis=dict(gridcolor=GRID, linecolor="#9aa1ac", ticks="outside", tickcolor="#9aa1ac", zeroline=False),
        margin=dict(l=70, r=30, t=120, b=64),
        # Nothing is uploaded anywhere by accident, and no buttons that these figures have no use for.
        modebar=dict(remove=["sendChartToCloud", "select2d", "lasso2d", "autoScale2d"]),
    )
)


def net_label(config: RunConfig) -> str:
    """The name people use: plain-56, ResNet-20 (option A), ResNet-56 (B), ResNet-56 (bottleneck); of denoising what the
    net learns: direct, residual, residual with shortcuts.
    """
    if config.task == "denoising":
        return _denoiser_label(config)
    kind = "plain" if config.shortcut == "none" else "ResNet"
    extras = [config.shortcut] * (config.shortcut not in ("none", "A"))
    extras += [config.block] * (config.block != "basic" and config.family == "cifar")
    extras += [config.activation_order] * (config.activation_order != "original")
    extras += ["no BN"] * (config.norm == "none")
    return f"{kind}-{config.depth}" + (f" ({', '.join(extras)})" if extras else "")


def _denoiser_label(config: RunConfig) -> str:
    extras = [config.activation_order] * (config.activation_order != "original")
    blocks = "" if config.shortcut == "none" else " with shortcuts"
    blocks += f" ({config.shortcut})" * (config.shortcut not in ("none", "A"))
    return ", ".join([dict(clean="direct", noise="residual")[config.target] + blocks, *extras])


def net_colour(config: RunConfig) -> str:
    """The net's colour "#rrggbb", the same in every figure: a function of the net alone."""
    if config.task == "denoising":
        return _denoiser_colour(config)
    family = FAMILIES.get(config.shortcut) or _family(COLOURS.get(config.shortcut) or _own_colour(config.shortcut))
    if config.activation_order != "original":
        towards, share = _family(ORDER_COLOURS[config.activation_order]), 1.0 if config.shortcut == "A" else 0.5
        family = tuple(mix(own, other, share) for own, other in zip(family, towards, strict=True))
    low, middle, high = (math.log(depth) for depth in ANCHORS)
    position = min(max(math.log(config.depth), low), high)
    if position <= middle:
        colour = mix(family[0], family[1], (position - low) / (middle - low))
    else:
        colour = mix(family[1], family[2], (position - middle) / (high - middle))
    if config.gate_bias is not None:  # lighter, the more open the gates start, and darker for more closed ones
        off = config.gate_bias - Gated.gate_bias
        colour = mix(colour, "#ffffff" if off > 0 else "#000000", 0.7 * (1 - math.exp(-abs(off) / 2)))
    colour = colour if config.block == "basic" or config.family == "imagenet" else mix(colour, "#000000", 0.35)
    return mix(colour, FAINT, 0.6) if config.norm == "none" else colour


def _denoiser_colour(config: RunConfig) -> str:
    """Warm for direct mapping, cool for residual learning, greener with shortcuts in its blocks."""
    colour = FAMILIES["none" if config.target == "clean" else "A"][1]
    return colour if config.shortcut == "none" else mix(colour, FAMILIES["B"][1], 0.8)


def _family(middle: str) -> tuple[str, str, str]:
    """The colours of depth 20, 56 and 110."""
    return mix(middle, "#ffffff", 0.4), middle, mix(middle, "#000000", 0.45)


def _own_colour(shortcut: str) -> str:
    """Of a user's shortcut: a hue by its name."""
    hue = zlib.crc32(shortcut.encode()) / 2**32
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, 0.42, 0.45))


def mix(first: str, second: str, share: float) -> str:
    """The colour "#rrggbb" that is `share` of the way from `first` to `second`."""
    pairs = zip(_rgb(first), _rgb(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def faded(colour: str, alpha: float) -> str:
    """The colour as "rgba(...)" with this opacity."""
    return f"rgba({','.join(map(str, _rgb(colour)))},{alpha:g})"


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def headline(bold: str, rest: str) -> str:
    """A title of two lines: the first says what is shown, the second, smaller, how many seeds and what else to know."""
    return f"<b>{bold}</b><br><span style='font-size:16px;color:{FAINT}'>{rest}</span>"


def message(sentence: str) -> go.Figure:
    """A figure that holds a sentence: what a notebook shows while there is nothing to draw."""
    figure = go.Figure(layout=dict(template=TEMPLATE, height=240, margin=dict(l=30, r=30, t=30, b=30)))
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    return figure.add_annotation(text=sentence, showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5, font_size=18)

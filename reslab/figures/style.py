"""The look that all figures share: fonts for the last row of a lecture room, one colour a net everywhere."""

import math
import zlib

import plotly.graph_objects as go

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
    "scaled": ("#c9b23a", "#8f7a00", "#4a3f00"),
    "scaled-both": ("#9fb05a", "#66782a", "#333d12"),
    "exclusive-gating": ("#a59ae0", "#6a58c4", "#332673"),
    "shortcut-gating": ("#8fa3d9", "#4c63a8", "#22305c"),
    "conv1x1": ("#e58aa0", "#b8405e", "#5e1a2c"),
    "dropout": ("#b8a08c", "#84674d", "#43311f"),
    "rezero": ("#5cc9d1", "#118a93", "#064a50"),
    "stochastic-depth": ("#a3a3a3", "#6a6a6a", "#2b2b2b"),
    "concat": ("#d0a0e8", "#9141b8", "#4c1566"),
}
# Shortcuts of a user's own.
OTHERS = (("#7fc97f", "#3f8f3f", "#1b4d1b"), ("#f2a7d6", "#d0439a", "#6d1a4d"), ("#9ec5b4", "#4f8a74", "#24483b"))
# Towards which an order of activation draws a shortcut's colour.
ORDER_TINTS = {
    "bn-after-addition": "#8f7a00",
    "relu-before-addition": "#b8405e",
    "relu-only-preactivation": "#6b4a2f",
    "full-preactivation": "#12805f",
}

# White on purpose, in a dark JupyterLab too: the colours are chosen for it, and a figure pasted into slides stays as it
# was. Given to each figure: the default template of the user's session is left alone.
TEMPLATE = go.layout.Template(
    layout=dict(
        font=dict(family=FONT, size=16, color=INK),
        title=dict(font=dict(size=20), x=0.012, xanchor="left", y=0.965, yanchor="top"),
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
    """The name people use: plain-56, ResNet-20 (option A), ResNet-56 (B), ResNet-56 (bottleneck)."""
    kind = "plain" if config.shortcut == "none" else "ResNet"
    extras = [config.shortcut] * (config.shortcut not in ("none", "A")) + [config.block] * (config.block != "basic")
    extras += [config.activation_order] * (config.activation_order != "original")
    return f"{kind}-{config.depth}" + (f" ({', '.join(extras)})" if extras else "")


def net_colour(config: RunConfig) -> str:
    """The net's colour "#rrggbb", the same in every figure: a function of shortcut, depth, block and order alone."""
    family = FAMILIES.get(config.shortcut) or OTHERS[zlib.crc32(config.shortcut.encode()) % len(OTHERS)]
    low, middle, high = (math.log(depth) for depth in ANCHORS)
    position = min(max(math.log(config.depth), low), high)
    if position <= middle:
        colour = mix(family[0], family[1], (position - low) / (middle - low))
    else:
        colour = mix(family[1], family[2], (position - middle) / (high - middle))
    if config.activation_order != "original":
        colour = mix(colour, ORDER_TINTS[config.activation_order], 0.7)
    return colour if config.block == "basic" else mix(colour, "#000000", 0.35)


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

"""Where a detector splits a ResNet: what is computed once a picture, and what once a box."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from .cells import Table, as_table
from .style import INK, TEMPLATE, headline
from .svg import EDGE, PAPER, QUIET, Drawing, accent, path, svg, text

if TYPE_CHECKING:  # torchvision takes a second to load
    from ..detection.split import Split

SHARED, HEAD = "#4b3bb5", "#a8701b"  # no net's colours: here a colour is a part of the detector
ROW = 74  # of a net, pixels


def split_table(splits: "Sequence[Split]") -> Table:
    """The two parts of each detector, counted on its modules (reslab.detection.split.split)."""
    return as_table(
        {
            "net": f"ResNet-{each.depth}",
            "convolutions shared": each.shared_layers,
            "in conv5_x": each.head_layers,
            "a box's map": f"{'×'.join(map(str, each.maps[1:]))}×{each.maps[0]:,}",
            "features of a box": f"{each.features:,}",
        }
        for each in splits
    )


def split_drawing(split: "Split") -> Drawing:
    """The way of a picture through a detector: what is computed once, and what on each box."""
    channels, height, width = split.maps
    boxes = f"{split.boxes} boxes"
    parts = [
        _box(10, 105, 90, 70, ("picture",)),
        _box(140, 95, 190, 90, ("conv1 to conv4_x", f"{split.shared_layers} convolutions", "once"), accent(SHARED)),
        _box(380, 10, 190, 60, ("region proposals", boxes)),
        _box(400, 105, 150, 70, ("RoI pooling", f"{height}×{width}×{channels:,} each")),
        _box(590, 95, 190, 90, ("conv5_x", f"{split.head_layers} convolutions", f"{split.boxes} times"), accent(HEAD)),
        _box(820, 85, 120, 44, ("class",)),
        _box(820, 151, 120, 44, ("box",)),
        *(_arrow(*points) for points in (((100, 140), (140, 140)), ((330, 140), (400, 140)), ((550, 140), (590, 140)))),
        _arrow((355, 140), (355, 40), (380, 40)),
        _arrow((475, 70), (475, 105)),
        _arrow((780, 140), (800, 140), (800, 107), (820, 107)),
        _arrow((780, 140), (800, 140), (800, 173), (820, 173)),
        text(f"{split.features:,} features of each box", 685, 203, 14, f"fill:{QUIET}"),
        text("the map", 366, 160, 14, f"fill:{QUIET}"),
    ]
    said = f"{split.shared_layers} convolutions run once, {split.head_layers} on each of {boxes}"
    return svg(parts, 950, 222, said)


def _box(x: float, y: float, width: float, height: float, lines: Sequence[str], colour: str = "") -> str:
    look = f"fill:{colour or PAPER};stroke:{colour or EDGE};stroke-width:1.5"
    rect = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" style="{look}"/>'
    ink = "fill:#fff" if colour else ""
    first = y + height / 2 - 11 * (len(lines) - 1)
    weights = ["font-weight:650", *[""] * (len(lines) - 1)]
    rows = [
        text(line, x + width / 2, first + 22 * i, 16, ";".join(filter(None, (weight, ink))))
        for i, (line, weight) in enumerate(zip(lines, weights, strict=True))
    ]
    return rect + "".join(rows)


def _arrow(*points: tuple[float, float]) -> str:
    (x, y), (_, before) = points[-1], points[-2]
    head = [(x - 9, y - 5), (x - 9, y + 5)] if before == y else [(x - 5, y - 9), (x + 5, y - 9)]
    triangle = " ".join(f"{px:g},{py:g}" for px, py in ((x, y), *head))
    end = (x - 6, y) if before == y else (x, y - 6)
    line = path([*points[:-1], end], f"stroke:{QUIET};stroke-width:2", 8)
    return f'{line}<polygon points="{triangle}" style="fill:{QUIET}"/>'


def split_bars(splits: "Sequence[Split]") -> go.Figure:
    """Multiply-adds of one picture: the shared part, which runs once, and the head, which runs once a box. Raises
    ValueError for no detectors.
    """
    if not splits:
        raise ValueError("there is no detector to draw; give at least one, counted by reslab.detection.split")
    figure, names = go.Figure(), [f"ResNet-{each.depth}" for each in splits]
    boxes = splits[0].boxes
    parts = (
        ("conv1 to conv4_x, once", SHARED, [each.shared_adds for each in splits], [s.shared_layers for s in splits]),
        (f"conv5_x, {boxes} times", HEAD, [each.heads_adds for each in splits], [s.head_layers for s in splits]),
    )
    for name, colour, adds, layers in parts:
        figure.add_bar(
            x=[count / 1e9 for count in adds],
            y=names,
            orientation="h",
            name=name,
            marker=dict(color=colour),
            text=[f" {count / 1e9:.3g} in {n} layers" for count, n in zip(adds, layers, strict=True)],
            textposition="outside",
            textfont=dict(size=16, color=INK),
            cliponaxis=False,
            hovertemplate=f"%{{y}}, {name}: %{{x:.4g}} × 10⁹<extra></extra>",
            meta=dict(part=name),
        )
    most = max(max(adds) for _, _, adds, _ in parts) / 1e9
    figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline("What a picture costs a detector", f"multiply-adds, {boxes} boxes a picture")),
        height=200 + ROW * len(splits),
        barmode="group",
        bargap=0.3,
        legend=dict(orientation="h", x=0, xanchor="left", y=1.02, yanchor="bottom", traceorder="normal"),
    )
    figure.update_xaxes(title="multiply-adds (× 10⁹)", range=[0, 1.35 * most])
    return figure.update_yaxes(autorange="reversed", ticks="", showgrid=False, automargin=True, ticksuffix="  ")

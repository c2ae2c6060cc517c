"""Where a detector splits a ResNet: what is computed once a picture, and what once a box."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from .cells import Table, as_table
from .style import INK, TEMPLATE, headline

if TYPE_CHECKING:  # torchvision takes a second to load
    from ..detection.split import Split

SHARED, HEAD = "#4b3bb5", "#c78a2c"  # no net's colours: here a colour is a part of the detector
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

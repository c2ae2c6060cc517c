"""What nets weigh and what an image costs them, side by side."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..nets.family import NetCost
from ..training.config import RunConfig
from .listing import Listing
from .style import INK, TEMPLATE, headline, net_colour

OTHERS = "#9aa1ac"  # nets that are not ours
ROW = 46  # of a net, pixels


def cost_bars(costs: Sequence[NetCost]) -> go.Figure:
    """Multiply-adds of one image, and parameters: a row a net, in their order. A line marks what the paper prints."""
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.06)
    names = [cost.name for cost in costs]
    colours = [_colour(cost) for cost in costs]
    for column, values, unit in (
        (1, [cost.multiply_adds / 1e9 for cost in costs], "× 10⁹"),
        (2, [cost.parameters / 1e6 for cost in costs], "million"),
    ):
        figure.add_bar(
            x=values,
            y=names,
            orientation="h",
            marker=dict(color=colours),
            text=[f" {value:.1f}" for value in values],
            textposition="outside",
            textfont=dict(size=16, color=INK),
            cliponaxis=False,
            hovertemplate=f"%{{y}}: %{{x:.3f}} {unit}<extra></extra>",
            showlegend=False,
            row=1,
            col=column,
        )
    known = [cost for cost in costs if cost.printed is not None]
    figure.add_scatter(
        x=[cost.printed for cost in known],
        y=[cost.name for cost in known],
        mode="markers",
        marker=dict(symbol="line-ns", size=26, line=dict(color=INK, width=3)),
        name="as printed in the paper",
        hovertemplate="%{y}: %{x} × 10⁹ as printed<extra></extra>",
        row=1,
        col=1,
    )
    figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline("What nets cost and weigh", "one image of 224×224 pixels, 1000 classes")),
        height=190 + ROW * len(costs),
        margin=dict(b=84),
        bargap=0.3,
        legend=dict(orientation="h", x=0, xanchor="left", y=1.02, yanchor="bottom"),
    )
    most = [max(getattr(cost, name) for cost in costs) for name in ("multiply_adds", "parameters")]
    figure.update_xaxes(title="multiply-adds (× 10⁹)", range=[0, 1.18e-9 * most[0]], col=1)
    figure.update_xaxes(title="parameters (million)", range=[0, 1.18e-6 * most[1]], col=2)
    figure.update_yaxes(autorange="reversed", ticks="", showgrid=False, automargin=True)
    return figure.update_yaxes(tickfont=dict(size=16), tickvals=names, ticktext=[f"{name}  " for name in names], col=1)


def cost_listing(costs: Sequence[NetCost], caption: str = "") -> Listing:
    """The numbers behind the bars; where they are known, torchvision's parameters and the paper's multiply-adds too."""
    columns = {
        "net": [cost.name for cost in costs],
        "layers": [str(cost.layers) for cost in costs],
        "parameters": [f"{cost.parameters:,}" for cost in costs],
        "torchvision's": ["" if cost.torchvision is None else f"{cost.torchvision:,}" for cost in costs],
        "multiply-adds": [f"{cost.multiply_adds:,}" for cost in costs],
        "in the paper": ["" if cost.printed is None else f"{cost.printed} × 10⁹" for cost in costs],
    }
    known = {head: cells for head, cells in columns.items() if any(cells)}
    return Listing(known, zip(*known.values(), strict=True), caption)


def stride_listing(pairs: Sequence[tuple[NetCost, NetCost]]) -> Listing:
    """What it costs to have a bottleneck's stride on the 3x3 instead of the first 1x1, net by net."""
    rows = []
    for first, second in pairs:
        more = second.multiply_adds - first.multiply_adds
        same = second.parameters - first.parameters
        costs = [f"{cost.multiply_adds / 1e9:.3f} × 10⁹" for cost in (first, second)]
        change = f"+{more / 1e9:.3f} × 10⁹ ({100 * more / first.multiply_adds:.1f} %)"
        rows.append((first.name, *costs, change, f"{same:,}", f"{first.printed} × 10⁹"))
    head = ("multiply-adds", "stride on the 1×1", "stride on the 3×3", "difference", "more parameters", "in the paper")
    return Listing(head, rows)


def _colour(cost: NetCost) -> str:
    if cost.kind == "vgg":
        return OTHERS
    return net_colour(RunConfig(cost.layers, "none" if cost.kind == "plain" else "B", family="imagenet"))

"""What nets weigh and what an image costs them, side by side."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..nets.family import NetCost
from ..nets.imagenet import DEPTHS
from ..training.config import RunConfig
from .cells import Table, as_table
from .published_imagenet import TEN_CROPS, Errors
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


def cost_table(costs: Sequence[NetCost]) -> Table:
    """The numbers behind the bars; where they are known, torchvision's parameters and the paper's multiply-adds too."""
    rows = [
        {
            "net": cost.name,
            "layers": cost.layers,
            "parameters": f"{cost.parameters:,}",
            "torchvision's": "" if cost.torchvision is None else f"{cost.torchvision:,}",
            "multiply-adds": f"{cost.multiply_adds:,}",
            "in the paper": "" if cost.printed is None else f"{cost.printed} × 10⁹",
        }
        for cost in costs
    ]
    known = [name for name in rows[0] if any(row[name] for row in rows)]
    return as_table({name: row[name] for name in known} for row in rows)


def stride_table(pairs: Sequence[tuple[NetCost, NetCost]]) -> Table:
    """What it costs to have a bottleneck's stride on the 3x3 instead of the first 1x1, net by net."""
    rows = []
    for first, second in pairs:
        more = second.multiply_adds - first.multiply_adds
        rows.append(
            {
                "multiply-adds": first.name,
                "stride on the 1×1": f"{first.multiply_adds / 1e9:.3f} × 10⁹",
                "stride on the 3×3": f"{second.multiply_adds / 1e9:.3f} × 10⁹",
                "difference": f"+{more / 1e9:.3f} × 10⁹ ({100 * more / first.multiply_adds:.1f} %)",
                "more parameters": f"{second.parameters - first.parameters:,}",
                "in the paper": f"{first.printed} × 10⁹",
            }
        )
    return as_table(rows)


def error_table() -> Table:
    """The paper's errors on ImageNet's val pictures by depth, plain and with options A, B and C: top-1 / top-5 in
    percent, of one model and ten crops (He et al. 2015, tables 2 and 3).
    """
    columns = {"none": "plain", "A": "option A", "B": "option B", "C": "option C"}
    rows = []
    for depth in DEPTHS:
        errors = {column: TEN_CROPS.get((shortcut, depth)) for shortcut, column in columns.items()}
        rows.append({"layers": depth} | {column: _percent(error) for column, error in errors.items()})
    return as_table(rows)


def _percent(errors: Errors | None) -> str:
    if errors is None:
        return ""
    return f"{errors.top1:.2f}" + (f" / {errors.top5:.2f}" if errors.top5 is not None else "")


def _colour(cost: NetCost) -> str:
    if cost.kind == "vgg":
        return OTHERS
    return net_colour(RunConfig(cost.layers, "none" if cost.kind == "plain" else "B", family="imagenet"))

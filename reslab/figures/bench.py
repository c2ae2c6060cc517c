"""Images a second: reslab in both precisions, another trainer, and what the machine could do."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .style import FAINT, INK, TEMPLATE, headline

# No net's colours: here a colour is a trainer. Light to dark, so that they differ in print too.
COLOURS = {"baseline": "#c4c9d2", "fp32": "#8e7cc3", "bf16": "#3d2b7a"}
LIMIT = dict(symbol="line-ew", line=dict(color=INK, width=3))


def speed(result: Mapping[str, Any]) -> go.Figure:
    """Bars of training speed, one panel a depth with a scale of its own, from what `reslab bench --json` writes.

    A bar is the median over rounds with its ratio to the baseline, the whisker the least and the most; the line above a
    bar is the machine's limit for that precision. Without a baseline there are no ratios.
    """
    rows = {(row["depth"], row["precision"]): row for row in result["rows"]}
    depths = list(dict.fromkeys(depth for depth, _ in rows))
    figure = make_subplots(1, len(depths), subplot_titles=[f"<b>ResNet-{depth}</b>" for depth in depths])
    for column, depth in enumerate(depths, 1):
        bars = [_bar(row, "images_per_second", row["precision"]) for (of, _), row in rows.items() if of == depth]
        if result["baseline"]:
            bars.insert(0, _bar(rows[depth, "fp32"], "baseline_images_per_second", "baseline"))
        limits = [_limit(row) for (of, _), row in rows.items() if of == depth]
        figure.add_traces(bars + limits, rows=1, cols=column)
    names = {"baseline": result["baseline"], "fp32": "reslab<br>float32", "bf16": "reslab<br>bfloat16"}
    figure.update_layout(**_layout(result))
    figure.update_xaxes(tickvals=list(names), ticktext=list(names.values()), showgrid=False)
    figure.update_yaxes(rangemode="tozero").update_yaxes(title="images a second", col=1)
    figure.update_annotations(font_size=17)
    key = dict(mode="markers", name="the machine's limit", showlegend=True, meta=dict(kind="key"))
    return figure.add_scatter(x=[None], y=[None], marker=LIMIT | dict(size=26), **key, row=1, col=1)


def _layout(result: Mapping[str, Any]) -> dict[str, Any]:
    machine = result["machine"]
    where = machine["device_name"] + f", {machine['threads']} threads" * (machine["device"] == "cpu")
    rest = f"{where} · batch 128, data included · median, least and most of {result['pairs']} rounds"
    return dict(
        template=TEMPLATE,
        title=dict(text=headline("Training speed", rest)),
        height=560,
        margin=dict(t=150),
        bargap=0.15,
        legend=dict(orientation="h", x=0, xanchor="left", y=1.1, yanchor="bottom"),
    )


def _bar(row: Mapping[str, Any], column: str, name: str) -> go.Bar:
    """The bar of `column` in `row`; `name` is who it stands for."""
    value, low, high = (row[f"{column}{end}"] for end in ("", "_low", "_high"))
    ratio = f"<br>{row['ratio']:.2f}×" if name != "baseline" and row["ratio"] else ""
    return go.Bar(
        x=[name],
        y=[value],
        marker=dict(color=COLOURS[name]),
        error_y=dict(array=[high - value], arrayminus=[value - low], color=FAINT, thickness=2, width=6),
        text=[f"{value:,.0f}{ratio}"],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        textfont=dict(size=15, color=INK if name == "baseline" else "white"),
        hovertemplate=f"%{{y:,.0f}} images/s ({low:,.0f} to {high:,.0f})<extra></extra>",
        showlegend=False,
        meta=dict(kind=name, depth=row["depth"]),
    )


def _limit(row: Mapping[str, Any]) -> go.Scatter:
    reached = f"{100 * row['share_of_limit']:.0f} % of it reached"
    return go.Scatter(
        x=[row["precision"]],
        y=[row["limit_images_per_second"]],
        mode="markers",
        marker=LIMIT | dict(size=44),
        hovertemplate=f"limit: %{{y:,.0f}} images/s, set by {row['bound']}; {reached}<extra></extra>",
        showlegend=False,
        meta=dict(kind=f"{row['precision']} limit", depth=row["depth"]),
    )

"""What a small change is to H(x) and to F(x) = H(x) - x: the articles' example, and blocks of real nets."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..probes.sensitivity import Sensitivity
from .style import FAINT, FAMILIES, INK, TEMPLATE, faded, headline

OF_H, OF_F = FAINT, FAMILIES["A"][1]  # grey for what a block puts out, the residual nets' blue for its residual


def percent(before: float, after: float) -> float:
    """By how many percent of its size a number changes; infinity if it starts from 0."""
    if before == after:
        return 0.0
    return math.inf if before == 0 else 100 * abs((after - before) / before)


def relative_change(x: float = 5.0, before: float = 5.1, after: float = 5.2) -> go.Figure:
    """H(x) as it goes from `before` to `after`, beside F(x) = H(x) - x: each on its own scale, the title in percent."""
    f = [round(h - x, 9) for h in (before, after)]  # 5.1 - 5.0 is 0.09999999999999964
    of_h, of_f = percent(before, after), percent(*f)
    names = [f"<b>H(x)</b> changes by {_told(of_h)}", f"<b>F(x) = H(x) − x</b> changes by {_told(of_f)}"]
    figure = make_subplots(1, 2, subplot_titles=names, horizontal_spacing=0.12)
    for column, (values, colour) in enumerate((((before, after), OF_H), (f, OF_F)), 1):
        figure.add_bar(
            x=values,
            y=["before", "after"],
            orientation="h",
            marker=dict(color=[faded(colour, 0.45), colour], line=dict(color=colour, width=2)),
            text=[f"{value:.6g}".replace("-", "−") for value in values],
            textposition="auto",
            insidetextanchor="middle",
            textangle=0,
            textfont=dict(size=18),
            width=0.6,
            hoverinfo="skip",
            row=1,
            col=column,
        )
        figure.update_xaxes(range=_range(values), row=1, col=column)
    figure.add_vline(x=x, line=dict(color=INK, width=2, dash="dot"), row=1, col=1)
    label = dict(text=f"x = {x:g}", showarrow=False, bgcolor="white", font=dict(size=16, color=INK))
    figure.add_annotation(x=x, y=1.62, **label, row=1, col=1)
    factor = ""
    if 0 < of_h < math.inf and of_f < math.inf:
        factor = ", as much as H" if math.isclose(of_f, of_h) else f": {of_f / of_h:,.3g} times as much as H"
    figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline("The same step, seen by H and by F", f"F changes by {_told(of_f)}{factor}")),
        height=340,
        showlegend=False,
        margin=dict(t=112, b=40),
    )
    figure.update_yaxes(range=[1.8, -0.45], tickfont_size=16, ticks="")
    return figure.update_annotations(selector=dict(yref="paper"), font_size=17)


def _told(change: float) -> str:
    return "infinitely many percent" if change == math.inf else f"{change:,.{1 if change < 99.5 else 0}f} %"


def _range(values: Sequence[float]) -> list[float]:
    """From 0 to the largest, with room for the bar's text."""
    low, high = min(0.0, *values), max(0.0, *values)
    size = (high - low) or 1.0
    return [low - 0.12 * size * (low < 0), high + 0.12 * size]


def sensitivity_curves(nets: Mapping[str, Sequence[Sensitivity]]) -> go.Figure:
    """Percent of change for each percent of the weights, block by block: F blue, H grey, a line style for each net.

    `nets` maps a net's name, such as "trained", to the sensitivities of its blocks; at most three, of the same blocks.
    The title is about the first.
    """
    figure, dashes = go.Figure(), ("solid", "dot", "dash")
    for (net, blocks), dash in zip(nets.items(), dashes, strict=False):
        for what, colour, values in (
            ("F", OF_F, [block.of_f for block in blocks]),
            ("H", OF_H, [block.of_h for block in blocks]),
        ):
            figure.add_scatter(
                x=list(range(1, len(blocks) + 1)),
                y=values,
                mode="lines+markers",
                name=f"{what}, {net}",
                line=dict(color=colour, width=3 if dash == "solid" else 2, dash=dash),
                marker=dict(size=8 if dash == "solid" else 5),
                customdata=[[block.name, block.factor] for block in blocks],
                hovertemplate=f"%{{customdata[0]}}, {net}: {what} %{{y:.2f}} %; F %{{customdata[1]:.2f}} times as much "
                "as H<extra></extra>",
                meta=dict(kind=what, net=net),
            )
    first, blocks = next(iter(nets.items()))
    factors = [block.factor for block in blocks]
    rest = f"{first}: F changes {min(factors):.1f} to {max(factors):.1f} times as much as H, each relative to itself"
    figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline("When the weights of a block move by 1 %", rest)),
        height=480,
        legend=dict(orientation="h", x=0, xanchor="left", y=1.02, yanchor="bottom"),
        hovermode="closest",
    )
    stages = [block.name.partition(".")[0] for block in blocks]
    for place, stage in enumerate(stages, 1):
        if place == 1 or stage != stages[place - 2]:
            line = dict(line=dict(color=FAINT, width=1, dash="dot"), opacity=0.6) if place > 1 else dict(line_width=0)
            figure.add_vline(x=place - 0.5, annotation_text=stage, annotation_position="bottom right", **line)
    ticks = dict(dtick=1 if len(blocks) < 12 else 3, tick0=1, range=[0.4, len(blocks) + 0.6])
    figure.update_xaxes(title="block, in the order in which they run", **ticks)
    return figure.update_yaxes(title="change (%)", rangemode="tozero")

"""Cost against the number of runs: flat while starting the command is what takes time, then a line."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from .style import FAINT, INK, TEMPLATE, headline

# No net's colours: here a colour is something that is done with runs.
COLOURS = ("#3d2b7a", "#8e7cc3", "#c78a2c", "#2c7a6b", "#5b6472", "#b0485f")


def scale(result: Mapping[str, Any]) -> go.Figure:
    """Seconds against runs, both logarithmic, a line for each thing that `reslab bench --runs --json` has rows of.

    A point is the median over rounds, the whisker the least and the most; a bar is a limit.
    """
    figure = go.Figure()
    for colour, what in zip(COLOURS, dict.fromkeys(row["what"] for row in result["rows"]), strict=False):
        figure.add_trace(_line([row for row in result["rows"] if row["what"] == what], colour))
    limits = sorted({(row["runs"], row["limit"]) for row in result["rows"] if row["limit"] is not None})
    if limits:
        figure.add_scatter(
            x=[runs for runs, _ in limits],
            y=[seconds for _, seconds in limits],
            mode="markers",
            marker=dict(symbol="line-ew", size=40, line=dict(color=INK, width=3)),
            name="limit",
            hovertemplate="limit: %{y:g} s with %{x:,} runs<extra></extra>",
        )
    counts = sorted({row["runs"] for row in result["rows"]})
    rest = f"{result['machine']['cpu']} · files in memory · median, least and most"
    figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline("Cost against the number of runs", rest)),
        height=520,
        legend=dict(orientation="h", x=0, xanchor="left", y=1.02, yanchor="bottom"),
    )
    figure.update_xaxes(type="log", title="runs", tickvals=counts, ticktext=[f"{c:,}" for c in counts])
    return figure.update_yaxes(type="log", title="seconds", dtick="D2", tickformat="~g")


def _line(rows: list[Mapping[str, Any]], colour: str) -> go.Scatter:
    rows = sorted(rows, key=lambda row: row["runs"])
    return go.Scatter(
        x=[row["runs"] for row in rows],
        y=[row["seconds"] for row in rows],
        error_y=dict(
            array=[row["high"] - row["seconds"] for row in rows],
            arrayminus=[row["seconds"] - row["low"] for row in rows],
            color=FAINT,
            thickness=1.5,
            width=4,
        ),
        mode="lines+markers",
        line=dict(color=colour, width=3),
        marker=dict(size=9),
        name=rows[0]["what"],
        hovertemplate="%{y:.3f} s with %{x:,} runs<extra>" + rows[0]["what"] + "</extra>",
    )

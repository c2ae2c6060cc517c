"""Verdicts as a forest plot: each difference with its interval, and which side of zero it is on."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from ..claims.table import LOOKS
from .style import FAINT, INK, TEMPLATE, headline, message

if TYPE_CHECKING:
    from ..claims import Finding, Verdict

ROW = 62  # of a difference, pixels
SIZE = 11  # of the dots, pixels
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100)  # percentage points
NAMED = (0.5, 2, 10, 50)  # those with a number, when all would run into each other
FARTHEST = 100.0  # percentage points: no difference of errors is larger, and no interval needs to be drawn further


def verdict_intervals(verdicts: "Iterable[Verdict]") -> go.Figure:
    """A row for each difference that the verdicts rest on: its effect and, where seeds allow one, its interval.

    To the right is what the claim says, to the left the opposite, in percentage points: an interval that lies right of
    zero supports the claim, one that lies left of it contradicts it. A claim that two nets are the same has its margin
    as a box, in which the interval must lie. Filled dots have an interval, hollow ones one seed in an arm. Away from
    zero the axis is compressed, so that half a point and thirty fit in one picture.
    """
    verdicts = list(verdicts)
    rows = [(verdict, finding) for verdict in verdicts for finding in verdict.findings]
    if not rows:
        return message("No difference to draw yet: a claim needs a finished run of each net that it compares.")
    tests, level = verdicts[0].tests, 100 * verdicts[0].level
    several = len({verdict.setting for verdict, _ in rows}) > 1
    rest = "" if several else f"{rows[0][0].setting} · "
    rest += f"intervals of {tests} differences, all at once with {level:g} %" if tests else "one seed: no interval"
    figure = go.Figure(layout=_layout(rows, headline("What the runs say of the claims", rest), several))
    for place, (verdict, finding) in enumerate(rows):
        figure.add_trace(_dot(verdict, finding, place))
        figure.add_annotation(_said(finding, place))
        if finding.margin:
            box = dict(x0=_squeeze(-finding.margin), x1=_squeeze(finding.margin), y0=place - 0.3, y1=place + 0.3)
            figure.add_shape(type="rect", **box, fillcolor="rgba(0,158,115,0.16)", line_width=0, layer="below")
    return figure.add_vline(0, line=dict(color=INK, width=2))


def _squeeze(points: float) -> float:
    """Percentage points on the axis: nearly linear up to one point, logarithmic beyond."""
    return math.asinh(2 * points)


def _sign(finding: "Finding") -> int:
    """What turns an effect so that the claim's own side is positive."""
    return -1 if finding.expected == "lower" else 1


def _reach(finding: "Finding") -> list[float]:
    """The ends of what is drawn, in points."""
    ends = finding.interval or (finding.effect, finding.effect)
    return sorted(max(-FARTHEST, min(FARTHEST, _sign(finding) * end)) for end in ends)


def _layout(rows: "list[tuple[Verdict, Finding]]", title: str, several: bool) -> dict:
    farthest = max(abs(end) for _, finding in rows for end in (*_reach(finding), finding.margin or 0, 0.5))
    ticks = [tick for tick in TICKS if tick <= farthest * 1.3]
    values = [*(-tick for tick in reversed(ticks)), 0, *ticks]
    named = [value for value in values if len(ticks) <= len(NAMED) or abs(value) in (0, *NAMED)]
    settings = [f"<br><span style='font-size:12px;color:{FAINT}'>{v.setting}</span>" * several for v, _ in rows]
    names = [f"<b>{v.claim.name}</b>{_about(v, f)}{setting}" for (v, f), setting in zip(rows, settings, strict=True)]
    end = 1.25 * _squeeze(farthest)
    return dict(
        template=TEMPLATE,
        title=dict(text=title),
        height=155 + ROW * len(rows),
        margin=dict(r=190, t=85),
        xaxis=dict(
            title="← against the claim · percentage points · for the claim →",
            tickvals=[_squeeze(value) for value in values],
            ticktext=[f"{value:g}".replace("-", "−") if value in named else "" for value in values],
            tickangle=0,
            range=[-end, end],
        ),
        yaxis=dict(
            tickvals=list(range(len(rows))),
            ticktext=[f"{name}  " for name in names],
            tickfont=dict(size=15),
            range=[len(rows) - 0.4, -0.6],  # first claim on top
            automargin=True,
            ticks="",
            showgrid=False,
        ),
        showlegend=False,
        hovermode="closest",
    )


def _about(verdict: "Verdict", finding: "Finding") -> str:
    """Which of its differences it is, for a claim that has several."""
    return f", {finding.second}, {finding.measure}" if len(verdict.findings) > 1 else ""


def _dot(verdict: "Verdict", finding: "Finding", place: int) -> go.Scatter:
    colour, _ = LOOKS[finding.verdict]
    at = _squeeze(_sign(finding) * finding.effect)
    low, high = map(_squeeze, _reach(finding))
    whisker = dict(
        type="data", symmetric=False, array=[high - at], arrayminus=[at - low], visible=bool(finding.interval)
    )
    return go.Scatter(
        x=[at],
        y=[place],
        mode="markers",
        error_x=whisker | dict(color=colour, thickness=4, width=11),
        marker=dict(size=SIZE, color=colour if finding.interval else "white", line=dict(color=colour, width=3)),
        hovertemplate=f"{finding.what}<br>{finding} points, n = {finding.n[0]} and {finding.n[1]}"
        f"<extra>{verdict.claim.name}</extra>",
        showlegend=False,
        cliponaxis=False,
        meta=dict(claim=verdict.claim.name, verdict=finding.verdict),
    )


def _said(finding: "Finding", place: int) -> dict:
    """The verdict in words, right of the row: colour alone does not reach the back of a room, or print."""
    colour, sign = LOOKS[finding.verdict]
    text = f"<b>{sign} {finding.verdict} {finding.direction or ''}</b>"
    at = dict(x=1.01, xref="paper", xanchor="left", y=place, yref="y", showarrow=False)
    return dict(text=text, font=dict(size=15, color=colour), **at)

"""Verdicts as a forest plot: each difference with its interval, and which side of zero it is on."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from ..claims.table import LOOKS
from ..claims.units import PERCENT
from .style import FAINT, INK, TEMPLATE, headline, message

if TYPE_CHECKING:
    from ..claims import Finding, Verdict

    Row = tuple[Verdict, Finding]

ROW = 62  # of a difference, pixels
TOP, BOTTOM, AXIS = 85, 70, 95  # pixels: of the title, of the lowest axis, and of each axis with panels below it
SIZE = 11  # of the dots, pixels
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100)  # steps of a panel; of percentage points, one is one
NAMED = (0.5, 2, 10, 50)  # those with a number, when all would run into each other
FARTHEST = 100.0  # steps: no difference of errors is larger, and no interval needs to be drawn further
LONG = 25  # letters of a measure's name, which then gets a line of its own
BOX = "rgba(0,158,115,0.16)"


def verdict_intervals(verdicts: "Iterable[Verdict]") -> go.Figure:
    """A row for each difference that the verdicts rest on: its effect and, where seeds allow one, its interval.

    To the right is what the claim says, to the left the opposite: an interval that lies right of zero supports the
    claim, one that lies left of it contradicts it. A claim that two nets are the same, or that one is not lower, has
    its margin as a box, in which the interval must lie. Filled dots have an interval, hollow ones one seed in an arm.
    Differences in percentage points and in each other unit have panels of their own, one below the other. Away from
    zero the axes are compressed, so that half a point and thirty fit in one picture.
    """
    verdicts = list(verdicts)
    rows = [(verdict, finding) for verdict in verdicts for finding in verdict.findings]
    if not rows:
        return message("No difference to draw yet: a claim needs a finished run of each net that it compares.")
    tests, level = verdicts[0].tests, 100 * verdicts[0].level
    several = len({verdict.setting for verdict, _ in rows}) > 1
    rest = "" if several else f"{rows[0][0].setting} · "
    rest += f"intervals of {tests} differences, all at once with {level:g} %" if tests else "one seed: no interval"
    axes = list(dict.fromkeys(finding.unit.axis for _, finding in rows))
    panels = [_Panel(axis, number, _of(rows, axis)) for number, axis in enumerate(axes, 1)]
    figure = go.Figure(layout=_layout(panels, headline("What the runs say of the claims", rest), several))
    for panel in panels:
        _draw(figure, panel)
    figure.add_vline(0, line=dict(color=INK, width=2))
    for panel in panels[1:]:  # add_vline knows the first axes alone
        line = dict(type="line", x0=0, x1=0, y0=0, y1=1, line=dict(color=INK, width=2))
        figure.add_shape(line | dict(xref=panel.x, yref=f"{panel.y} domain"))
    return figure


def _of(rows: "Sequence[Row]", axis: str) -> "tuple[Row, ...]":
    return tuple(row for row in rows if row[1].unit.axis == axis)


@dataclass(frozen=True)
class _Panel:
    """The differences of one unit."""

    axis: str  # its name
    number: int  # from 1, from top to bottom
    rows: "tuple[Row, ...]"

    @property
    def x(self) -> str:
        return f"x{self.number}" if self.number > 1 else "x"

    @property
    def y(self) -> str:
        return f"y{self.number}" if self.number > 1 else "y"

    @property
    def step(self) -> float:
        """What is one step: a point, or about a tenth of the largest effect in another unit."""
        largest = max(max(abs(finding.effect), finding.margin or 0) for _, finding in self.rows)
        return 1.0 if self.axis == PERCENT.axis or not largest else 10.0 ** (round(math.log10(largest)) - 1)

    @property
    def farthest(self) -> float:
        """What the axis has to reach, in steps."""
        least = self.step / 2
        ends = (abs(e) for _, f in self.rows for e in (*self.reach(f), f.margin or 0, least))
        return max(ends) / self.step

    @property
    def end(self) -> float:
        return 1.25 * _squeeze(self.farthest)

    def at(self, difference: float) -> float:
        """A difference's place on the axis."""
        return _squeeze(difference / self.step)

    def reach(self, finding: "Finding") -> list[float]:
        """The ends of what is drawn, as differences."""
        ends, most = finding.interval or (finding.effect, finding.effect), FARTHEST * self.step
        return sorted(max(-most, min(most, _sign(finding) * end)) for end in ends)


def _squeeze(steps: float) -> float:
    """Steps on the axis: nearly linear up to one, logarithmic beyond."""
    return math.asinh(2 * steps)


def _sign(finding: "Finding") -> int:
    """What turns an effect so that the claim's own side is positive."""
    return -1 if finding.expected == "lower" else 1


def _layout(panels: Sequence[_Panel], title: str, several: bool) -> dict:
    room = [ROW * len(panel.rows) for panel in panels]
    height = sum(room) + AXIS * (len(panels) - 1)  # of what is between the margins
    layout = dict(
        template=TEMPLATE,
        title=dict(text=title),
        height=TOP + BOTTOM + height,
        margin=dict(r=190, t=TOP),
        showlegend=False,
        hovermode="closest",
    )
    for panel, own, end in zip(panels, room, accumulate(room), strict=True):
        x, y = _x_axis(panel), _y_axis(panel, several)
        if len(panels) > 1:
            lowest = 1 - (end + AXIS * (panel.number - 1)) / height
            y |= dict(domain=[max(0.0, lowest), min(1.0, lowest + own / height)], anchor=panel.x)
            x |= dict(anchor=panel.y)
        layout |= {panel.x.replace("x", "xaxis"): x, panel.y.replace("y", "yaxis"): y}
    return layout


def _x_axis(panel: _Panel) -> dict:
    ticks = [tick for tick in TICKS if tick <= panel.farthest * 1.3]
    values = [*(-tick for tick in reversed(ticks)), 0, *ticks]
    of = NAMED if panel.step == 1 else NAMED[1:]  # 0.05 is wider than 0.5
    named = [value for value in values if len(ticks) <= len(of) or abs(value) in (0, *of)]
    return dict(
        title=f"← against the claim · {panel.axis} · for the claim →",
        tickvals=[_squeeze(value) for value in values],
        ticktext=[f"{value * panel.step:g}".replace("-", "−") if value in named else "" for value in values],
        tickangle=0,
        range=[-panel.end, panel.end],
    )


def _y_axis(panel: _Panel, several: bool) -> dict:
    rows = panel.rows
    settings = [f"<br><span style='font-size:12px;color:{FAINT}'>{v.setting}</span>" * several for v, _ in rows]
    names = [f"<b>{v.claim.name}</b>{_about(v, f)}{setting}" for (v, f), setting in zip(rows, settings, strict=True)]
    return dict(
        tickvals=list(range(len(rows))),
        ticktext=[f"{name}  " for name in names],
        tickfont=dict(size=15),
        range=[len(rows) - 0.4, -0.6],  # first claim on top
        automargin=True,
        ticks="",
        showgrid=False,
    )


def _about(verdict: "Verdict", finding: "Finding") -> str:
    """Which of its differences it is, for a claim that has several."""
    if len(verdict.findings) < 2:
        return ""
    space = " " if len(finding.measure) < LONG else "<br>"
    return f", {finding.second},{space}{finding.measure}"


def _draw(figure: go.Figure, panel: _Panel) -> None:
    own = panel.number > 1  # the first axes are where everything is drawn unless told
    for place, (verdict, finding) in enumerate(panel.rows):
        figure.add_trace(_dot(verdict, finding, place, panel).update(dict(xaxis=panel.x, yaxis=panel.y) if own else {}))
        figure.add_annotation(_said(finding, place) | dict(yref=panel.y))
        if finding.margin:
            right = finding.margin if finding.expected == "same" else math.inf
            ends = dict(x0=panel.at(-finding.margin), x1=min(panel.at(right), panel.end))
            box = dict(ends, y0=place - 0.3, y1=place + 0.3) | (dict(xref=panel.x, yref=panel.y) if own else {})
            figure.add_shape(type="rect", **box, fillcolor=BOX, line_width=0, layer="below")


def _dot(verdict: "Verdict", finding: "Finding", place: int, panel: _Panel) -> go.Scatter:
    colour, _ = LOOKS[finding.verdict]
    at = panel.at(_sign(finding) * finding.effect)
    low, high = map(panel.at, panel.reach(finding))
    whisker = dict(
        type="data", symmetric=False, array=[high - at], arrayminus=[at - low], visible=bool(finding.interval)
    )
    return go.Scatter(
        x=[at],
        y=[place],
        mode="markers",
        error_x=whisker | dict(color=colour, thickness=4, width=11),
        marker=dict(size=SIZE, color=colour if finding.interval else "white", line=dict(color=colour, width=3)),
        hovertemplate=f"{finding.what}<br>{finding.with_unit}, n = {' and '.join(map(str, finding.n))}"
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

"""Time against depth, batch size or multiply-adds: who takes how long, and what that depends on."""

import math
import re
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..bench.named import FAST, TORCHVISION
from ..bench.times import AXES, Timing
from .style import FAINT, INK, TEMPLATE, headline, mix

# No shortcut's colours: here a colour is a family, and who made it.
COLOURS = {"resnet": "#0072b2", "torchvision:resnet": "#8a919c", "fast:resnet": "#3d2b7a", "plain": "#d55e00"}
OTHERS = ("#c78a2c", "#2c7a6b", "#b0485f", "#6a8f2f", "#56b4e9", "#7a2e00")
TITLES = dict(depth="weighted layers", batch="images a batch", multiply_adds="billion multiply-adds an image")
APART = 0.012  # between families at the same place, as a share of the axis: their whiskers would hide each other
ROOM = 0.12  # left and right of the outermost points, as a share of the axis


def timing(timings: Sequence[Timing], x: str = "depth") -> go.Figure:
    """What batches took, forward and forward + backward side by side on one scale; `x` is one of bench.times.AXES.

    A line is a family of nets, such as resnet or torchvision:vgg; against the batch, where the time is that of one
    image, a net. A point is the mean of the timed batches, the whisker ± 1 standard deviation. Raises ValueError for an
    unknown `x` or no timings.
    """
    if x not in AXES:
        raise ValueError(f"x={x!r} is not possible; allowed: {', '.join(AXES)}")
    if not timings:
        raise ValueError("there is nothing to draw: no net was timed")
    modes = list(dict.fromkeys(timing.mode for timing in timings))
    panels = dict(subplot_titles=[f"<b>{mode}</b>" for mode in modes], shared_yaxes=True, horizontal_spacing=0.04)
    figure = make_subplots(1, len(modes), **panels)
    lines = _lines(timings, x)
    spread = _spread(timings, x)
    for number, (name, line) in enumerate(lines.items()):
        shift = (number - (len(lines) - 1) / 2) * APART * (spread[1] - spread[0])
        for column, mode in enumerate(modes, 1):
            points = sorted((t for t in line if t.mode == mode), key=lambda t: getattr(t, x))
            if points:
                drawn = _line(name, points, x, shift, _colour(name, lines))
                figure.add_trace(drawn.update(showlegend=column == 1), row=1, col=column)
    if x == "multiply_adds":
        _name_points(figure, timings, modes[-1], len(modes))  # the one with the most room
    return _laid_out(figure, timings, x, spread)


def _lines(timings: Sequence[Timing], x: str) -> dict[str, list[Timing]]:
    """The timings by what is one line, whose name says all in which it differs from the others."""
    slow = [t for t in timings if not t.net.startswith(FAST)]
    precisions, batches = {(t.precision, t.channels_last) for t in slow}, {t.batch for t in timings}
    lines: dict[str, list[Timing]] = {}
    for t in timings:
        extras = [t.precision, *["channels last"] * t.channels_last] if len(precisions) > 1 and t in slow else []
        extras += [f"batch {t.batch}"] * (len(batches) > 1 and x != "batch")
        lines.setdefault(", ".join([t.net if x == "batch" else family(t.net), *extras]), []).append(t)
    return lines


def family(net: str) -> str:
    """The name without the depth: torchvision:vgg for torchvision:vgg16, resnet-A for resnet-34-A."""
    return re.sub(r"-?\d+", "", net, count=1)


def _colour(name: str, lines: dict[str, list[Timing]]) -> str:
    """The family's own colour, or the next free one; lines of the same family go from light to dark."""
    families = list(dict.fromkeys(family(line) for line in lines))
    others = [one for one in families if one not in COLOURS]
    mine = family(name)
    base = COLOURS.get(mine) or OTHERS[others.index(mine) % len(OTHERS)]
    same = [line for line in lines if family(line) == mine]
    share = (same.index(name) + 1) / len(same)
    return mix(base, "#ffffff", 0.65 * (1 - share))


def _spread(timings: Sequence[Timing], x: str) -> tuple[float, float]:
    """The ends of the axis, as its logarithm for the batch."""
    values = [math.log10(t.batch) if x == "batch" else _x(t, x) for t in timings]
    low, high = min(values), max(values)
    room = ROOM * ((high - low) or max(abs(high), 0.3))
    return low - room, high + room


def _x(timing: Timing, x: str) -> float:
    return getattr(timing, x) / (1e9 if x == "multiply_adds" else 1)


def _line(name: str, points: list[Timing], x: str, shift: float, colour: str) -> go.Scatter:
    images = [t.batch if x == "batch" else 1 for t in points]  # against the batch: the time of one image
    theirs = name.startswith(TORCHVISION)
    hover = [
        f"{t.net}, batch {t.batch}: {1000 * t.mean:,.1f} ± {1000 * t.std:,.1f} ms<br>n = {t.n} batches, "
        f"{t.images_per_second:,.1f} images/s, {t.multiply_adds / 1e9:.2f} billion multiply-adds an image"
        for t in points
    ]
    return go.Scatter(
        x=[_x(t, x) * 10**shift if x == "batch" else _x(t, x) + shift for t in points],
        y=[1000 * t.mean / n for t, n in zip(points, images, strict=True)],
        error_y=dict(
            array=[1000 * t.std / n for t, n in zip(points, images, strict=True)], color=colour, thickness=1.5, width=4
        ),
        mode="lines+markers",
        line=dict(color=colour, width=2.5, dash="dot" if theirs else "solid"),
        marker=dict(size=10, color="white" if theirs else colour, line=dict(color=colour, width=2.5)),
        name=name + ", as it trains" * name.startswith(FAST),
        legendgroup=name,
        hovertext=hover,
        hoverinfo="text",
        meta=dict(line=name, mode=points[0].mode),
    )


def _name_points(figure: go.Figure, timings: Sequence[Timing], mode: str, column: int) -> None:
    """The nets' names at the slowest net of that many multiply-adds; twins share one. Above on the left, or, where the
    name before is in the way, below on the right: the lines rise from the left to the right.
    """
    tops: dict[int, Timing] = {}
    for t in sorted((t for t in timings if t.mode == mode), key=lambda t: (t.multiply_adds, t.mean)):
        tops[t.multiply_adds] = t
    width, height = max(tops), max(t.mean for t in tops.values())
    above: Timing | None = None  # the last one that is named above
    for t in tops.values():
        close = above and t.multiply_adds - above.multiply_adds < width / 8 and t.mean - above.mean < height / 15
        look = dict(xanchor="left", xshift=11, yshift=-9) if close else dict(xanchor="right", xshift=-11, yshift=9)
        above = above if close else t
        at = dict(x=_x(t, "multiply_adds"), y=1000 * t.mean, row=1, col=column)
        figure.add_annotation(text=_short(t.net), showarrow=False, font=dict(size=14, color=FAINT), **look, **at)


def _short(net: str) -> str:
    """resnet50 for resnet-50 and for torchvision:resnet50."""
    return net.rpartition(":")[2].replace("-", "", 1)


def _laid_out(figure: go.Figure, timings: Sequence[Timing], x: str, spread: tuple[float, float]) -> go.Figure:
    sizes = " and ".join(f"{size}×{size}" for size in sorted({t.size for t in timings}))
    counts = sorted({t.n for t in timings})
    batches = sorted({t.batch for t in timings})
    slow = {t.precision for t in timings if not t.net.startswith(FAST)}  # several: said beside the lines
    facts = [f"images of {sizes}", *[f"batch {batches[0]}"] * (len(batches) == 1), *(slow if len(slow) == 1 else ())]
    facts += [f"mean ± standard deviation of {' or '.join(map(str, counts))} batches"]
    what = "an image" if x == "batch" else "a batch"
    figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline(f"How long {what} takes", " · ".join(facts))),
        height=560,
        margin=dict(t=140),
        legend=dict(orientation="h", x=0, xanchor="left", y=1.08, yanchor="bottom"),
    )
    ticks = sorted({getattr(t, x) for t in timings})
    figure.update_xaxes(title=TITLES[x], range=spread)
    if x == "batch":
        figure.update_xaxes(type="log")
    if x != "multiply_adds":
        figure.update_xaxes(tickvals=ticks, ticktext=[str(tick) for tick in ticks])
    figure.for_each_annotation(lambda note: note.update(font=dict(size=17, color=INK)) if "<b>" in note.text else None)
    figure.update_yaxes(rangemode="tozero")
    return figure.update_yaxes(title=f"milliseconds {what}", col=1)

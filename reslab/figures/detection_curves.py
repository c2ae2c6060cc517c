"""How a detector learns, and how its precision pays for its recall."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from ..detection.matching import Trade

if TYPE_CHECKING:  # torchmetrics takes a second to load
    from ..detection.metrics import Curve
from ..runs import Run
from .inside import Key, Look, framed, looks, subtitled
from .nets import Net, how_many, nets_of, what
from .style import FAINT, GRID, faded, message, mix

# By panel: its title, the column that is drawn solid, and the one that is dashed.
PANELS = (
    ("loss: held out solid, training dashed", "test_loss", "train_loss"),
    ("mAP (%): @.5 solid, @[.5,.95] dashed", "map50", "map"),
)
POINTS = 200  # of a curve
F_SCORES = (0.2, 0.4, 0.6, 0.8)  # the harmonic means that faint lines are drawn of


def detection_curves(runs: Iterable[Run]) -> go.Figure:
    """Loss and mean average precision of detection runs over training, as their metrics.csv has them: seeds of a net
    are a mean and a band of ± 1 standard deviation. mAP@.5 counts a box as right from an IoU of 0.5 on, mAP@[.5,.95] is
    the mean over ten such limits; both in percent. Raises ValueError for runs of other tasks.
    """
    nets = detection_nets(runs)
    if not nets:
        return message("No log point yet: the curves appear as soon as a run has written its first.")
    figure = make_subplots(1, 2, horizontal_spacing=0.1, subplot_titles=[title for title, *_ in PANELS])
    for column, (_, solid, dashed) in enumerate(PANELS, 1):
        for net in nets:
            for name, dash in ((solid, "solid"), (dashed, "dash")):
                figure.add_traces(_over_training(net, name, dash), rows=1, cols=column)
    final = [f"{net.label} {net.mean('map50')[-1]:.1f} / {net.mean('map')[-1]:.1f}" for net in nets]
    counts = how_many([len(net.counted) for net in nets])
    title = f"Learning to detect: {what(nets)}, {counts}"
    framed(figure, title, "mAP@.5 / mAP@[.5,.95]", final, [net.label for net in nets], 480)
    last = max(net.config.iterations for net in nets)
    figure.update_xaxes(title="iteration", range=[0, last * 1.02]).update_yaxes(rangemode="tozero")
    return subtitled(figure.update_yaxes(range=[0, 102], row=1, col=2))


def detection_nets(runs: Iterable[Run]) -> list[Net]:
    """The nets of `runs`, all of them of detection. Raises ValueError, naming the net, for others."""
    nets = nets_of(runs)
    for net in nets:
        if net.config.task != "detection":
            raise ValueError(f"{net.label} was trained for {net.config.task}; give runs of detection")
    return nets


def _over_training(net: Net, name: str, dash: str) -> list[go.Scatter]:
    across, mean, std = net.mean("iteration"), net.mean(name), net.std(name)
    same, meta = dict(legendgroup=net.label), dict(net=net.label, what=name)
    band = []
    if std is not None:
        around = np.concatenate([across, across[::-1]]), np.concatenate([mean + std, (mean - std)[::-1]])
        outline = dict(fill="toself", fillcolor=faded(net.colour, 0.16), mode="lines", line_width=0, hoverinfo="skip")
        band.append(
            go.Scatter(x=around[0], y=around[1], showlegend=False, **outline, **same, meta=meta | dict(kind="band"))
        )
    line = go.Scatter(
        x=across,
        y=mean,
        mode="lines+markers",
        line=dict(color=net.colour, width=3 if dash == "solid" else 2, dash=dash),
        marker=dict(size=6 if dash == "solid" else 4),
        name=net.label,
        showlegend=name == "map50",
        hovertemplate=f"{net.label}, {name.replace('_', ' ')}: %{{y:.3g}}<extra></extra>",
        meta=meta | dict(kind="mean"),
        **same,
    )
    return [*band, line]


def trade_curves(nets: Mapping[Key, Trade], threshold: float = 0.5) -> go.Figure:
    """Precision against recall, all classes together, and on each net's curve what a score `threshold` chooses: raise
    it, and the point goes left along its curve, lower it, and it goes right. Faint lines join points of one F score,
    the harmonic mean of the two.
    """
    if not nets:
        return message("No detections yet: look for some, with reslab.detection.looking.detect.")
    figure, told = go.Figure(), []
    for score in F_SCORES:
        recall = np.linspace(score / (2 - score), 1, 60)
        line = dict(mode="lines", line=dict(color=GRID, width=2), hoverinfo="skip", showlegend=False)
        figure.add_scatter(x=recall, y=score * recall / (2 * recall - score), **line, meta=dict(kind="F"))
        note = dict(text=f"F = {score:g}", showarrow=False, xanchor="right", yanchor="bottom", xshift=-2)
        figure.add_annotation(x=1, y=score / (2 - score), font=dict(size=13, color=FAINT), **note)
    for look, trade in zip(looks(list(nets)), nets.values(), strict=True):
        right, wrong, missed = trade.at(threshold)
        recall = right / max(right + missed, 1)
        same = dict(legendgroup=look.label, name=look.label)
        across, up, scores = _thinned(trade)
        figure.add_scatter(
            x=across,
            y=up,
            customdata=scores,
            mode="lines",
            line=dict(color=look.colour, width=3, dash=look.dash),
            hovertemplate=f"{look.label}, %{{customdata:.2f}}: precision %{{y:.0%}}, recall %{{x:.0%}}<extra></extra>",
            meta=dict(net=look.label, kind="curve"),
            **same,
        )
        if right + wrong:
            figure.add_scatter(
                x=[recall],
                y=[right / (right + wrong)],
                mode="markers",
                marker=dict(size=17, color=look.colour, line=dict(color="white", width=3)),
                showlegend=False,
                hovertemplate=f"{look.label}: {right:,} right, {wrong:,} wrong, {missed:,} missed<extra></extra>",
                meta=dict(net=look.label, kind="chosen"),
                **same,
            )
            told.append(f"{look.label} {right / (right + wrong):.0%} and {recall:.0%}")
        else:
            told.append(f"{look.label} finds nothing")
    labels = [look.label for look in looks(list(nets))]
    framed(figure, f"The trade at a score of {threshold:.2f}", "precision and recall", told, labels, 470)
    ticks = dict(range=[0, 1.02], tickformat=".0%", dtick=0.2)
    figure.update_xaxes(title="recall: objects that are found", **ticks)
    return figure.update_yaxes(title="precision: boxes that are right", **ticks)


def precision_recall_curves(nets: "Mapping[Key, Mapping[str, Curve]]", columns: int = 5) -> go.Figure:
    """Precision over recall, a panel a class, a line a net: `nets` has, by config and class, what
    reslab.detection.metrics.precision_recall found. A panel tells each net's average precision in percent.
    """
    classes = list(dict.fromkeys(name for each in nets.values() for name in each))
    if not classes:
        return message("No detections yet: measure some, with reslab.detection.metrics.precision_recall.")
    columns = min(columns, len(classes))
    rows = -(-len(classes) // columns)
    figure = make_subplots(
        rows,
        columns,
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.02,
        vertical_spacing=0.28 / (rows + 1),
        subplot_titles=classes,
    )
    shown = looks(list(nets))
    for look, each in zip(shown, nets.values(), strict=True):
        for i, name in enumerate(classes):
            if name in each:
                figure.add_trace(
                    _class_curve(look, name, each[name], name == next(iter(each))),
                    row=i // columns + 1,
                    col=i % columns + 1,
                )
    _averages(figure, classes, list(zip(shown, nets.values(), strict=True)))
    means = [f"{look.label} {_mean_average(each):.1f}" for look, each in zip(shown, nets.values(), strict=True)]
    labels = [look.label for look in shown]
    framed(figure, "Precision over recall, class by class", "mAP@.5 in percent", means, labels, 190 + 200 * rows)
    ticks = dict(range=[-0.02, 1.04], tickvals=[0, 0.5, 1], ticktext=["0", "50 %", "100 %"])
    figure.update_xaxes(**ticks | dict(ticktext=["0", "50 %", ""])).update_yaxes(**ticks)
    figure.update_xaxes(title="recall", row=rows, col=1).update_yaxes(title="precision", row=rows, col=1)
    return subtitled(figure)


def _thinned(trade: Trade) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Recall, precision and score where an object is found, at most POINTS of them: else a curve of thousands of
    detections is as large as the notebook.
    """
    found = trade.right.nonzero().flatten()
    if len(found) > POINTS:
        found = found[torch.linspace(0, len(found) - 1, POINTS).round().long()]
    return tuple(values[found].float().numpy() for values in (trade.recall, trade.precision, trade.scores))


def _class_curve(look: Look, name: str, curve: "Curve", first: bool) -> go.Scatter:
    reached = curve.precision > 0  # it is 0 where no threshold is low enough
    return go.Scatter(
        x=curve.recall[reached].float().numpy(),
        y=curve.precision[reached].float().numpy(),
        mode="lines",
        line=dict(color=look.colour, width=2.5, dash=look.dash),
        name=look.label,
        legendgroup=look.label,
        showlegend=first,
        hovertemplate=f"{look.label}, {name}: precision %{{y:.0%}}, recall %{{x:.0%}}<extra></extra>",
        meta=dict(net=look.label, name=name),
    )


def _averages(figure: go.Figure, classes: Sequence[str], nets: "Sequence[tuple[Look, Mapping[str, Curve]]]") -> None:
    """Each net's average precision, at the lower left of each panel: where a curve of any use is not."""
    for i, name in enumerate(classes):
        axis = str(i + 1) * (i > 0)
        for line, (look, each) in enumerate(reversed(nets)):
            if name in each:
                colour = mix(look.colour, "#000000", 0.25)
                note = dict(text=f"{each[name].average:.1f}", font=dict(size=15, color=colour))
                at = dict(x=0.03, y=0.02, xref=f"x{axis}", yref=f"y{axis}", xanchor="left", yanchor="bottom")
                figure.add_annotation(showarrow=False, yshift=18 * line, **note, **at)


def _mean_average(curves: "Mapping[str, Curve]") -> float:
    return sum(each.average for each in curves.values()) / max(len(curves), 1)

"""A slider for the score that a box must have, over pictures and over the trade that it makes."""

from collections.abc import Mapping, Sequence

import ipywidgets as ipw
import plotly.graph_objects as go
import torch

from ..detection.matching import Boxes, Target, trade
from ..figures.detection import COLUMNS, detected_boxes
from ..figures.detection_curves import trade_curves
from ..figures.inside import Key
from .panel import Panel, html
from .plot import Plot

LOW, HIGH, STEP = 0.05, 0.95, 0.05  # of the slider; detectors keep no box with a score of less
STILL = (0.2, 0.8)  # scores that are shown where no front end is
HINT = "In JupyterLab, a slider for the score stands here, and one for the pictures."


class Detections(Panel):
    """What nets found on `pictures`, uint8 [3, H, W], from a score on that a slider sets; below, where that score is on
    each net's curve of precision over recall, measured on all the pictures.

    `found` has each net's detections by its config, picture by picture, `targets` what is there, and `classes` are the
    names, without the background. `controls["score"].value = 0.8` is what moving the slider does; `controls["first"]`
    is the first of the pictures that are drawn, a row of them. `boxes` and `trade` are the figures that are shown.
    Where no front end is, they are drawn for a low score and for a high one. Raises ValueError for no pictures.
    """

    name = "detections"

    def __init__(
        self,
        pictures: Sequence[torch.Tensor],
        found: Mapping[Key, Sequence[Boxes]],
        targets: Sequence[Target],
        classes: Sequence[str],
        score: float = 0.5,
        live: bool | None = None,
    ):
        super().__init__(live)
        self.pictures, self.found, self.targets, self.classes = pictures, found, targets, classes
        self.trades = {net: trade(its, targets) for net, its in found.items()}
        if self.live:
            self._build(score)

    @property
    def boxes(self) -> go.Figure:
        return self.drawn(self.controls["score"].value, self.controls["first"].value)

    @property
    def trade(self) -> go.Figure:
        return trade_curves(self.trades, self.controls["score"].value)

    def drawn(self, score: float, first: int = 1) -> go.Figure:
        """A row of pictures, the one of number `first` (from 1) at the left, with what has at least this score."""
        few = slice(first - 1, first - 1 + COLUMNS)
        found = {net: its[few] for net, its in self.found.items()}
        figure = detected_boxes(self.pictures[few], found, self.targets[few], self.classes, score)
        return figure.update_layout(uirevision=first)

    def still(self):
        return [*map(self.drawn, STILL), trade_curves(self.trades), html(f'<p class="reslab-hint">{HINT}</p>')]

    def _build(self, score: float) -> None:
        # Every picture is drawn again: when the slider rests.
        look = dict(layout=dict(width="380px"), style=dict(description_width="120px"), continuous_update=False)
        span = dict(min=LOW, max=HIGH, step=STEP, readout_format=".2f")
        last = max(1, len(self.pictures) - COLUMNS + 1)
        self.controls = dict(
            score=ipw.FloatSlider(value=score, description="score at least", **span, **look),
            first=ipw.IntSlider(value=1, min=1, max=last, description="from picture", **look),
        )
        self.plots = dict(boxes=Plot(), trade=Plot())
        for control in self.controls.values():
            control.observe(self.guarded(self._show), "value")
        bar = ipw.HBox(list(self.controls.values()))
        bar.add_class("reslab-bar")
        self.widget = self.wrapped(bar, *self.plots.values())
        self._show()

    def _show(self, change: dict | None = None) -> None:
        self.plots["boxes"].show(self.boxes)
        if change is None or change["owner"] is self.controls["score"]:
            self.plots["trade"].show(self.trade)

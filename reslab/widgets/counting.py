"""Counting a net's layers, for a depth of one's choice."""

from collections.abc import Mapping
from html import escape

import ipywidgets as ipw

from ..figures.counting import count_drawing
from ..figures.style import net_colour
from ..nets.counting import count_layers
from ..nets.imagenet import ImageNetNet
from ..training.config import RunConfig
from .panel import Panel, html


class Counting(Panel):
    """The count of one of the `nets` (by depth), chosen with `controls["depth"]`; of all where no front end is."""

    name = "counting"

    def __init__(self, nets: Mapping[int, ImageNetNet], depth: int = 50, live: bool | None = None):
        super().__init__(live)
        self.nets = nets
        if self.live:
            control = ipw.ToggleButtons(
                options=list(nets), value=depth, description="layers", style=dict(button_width="auto")
            )
            self.controls = dict(depth=control)
            self._view = ipw.HTML()
            control.observe(self.guarded(self._show), "value")
            bar = ipw.HBox([control])
            bar.add_class("reslab-bar")
            self.widget = self.wrapped(bar, self._view)
            self._show()

    def still(self):
        return [html("".join(self._counted(depth) for depth in self.nets))]

    def _show(self, _change: object = None) -> None:
        self._view.value = self._counted(self.controls["depth"].value)

    def _counted(self, depth: int) -> str:
        count = count_layers(self.nets[depth])
        colour = net_colour(RunConfig(depth, "B", family="imagenet"))
        return (
            f"<h3>{escape(count.formula)}</h3><div>{count_drawing(count, colour)}</div>"
            f'<p style="max-width:60em">{escape(count.words)}</p>'
        )

"""A picture on its way through a net, for a depth and a picture of one's choice."""

from collections.abc import Callable, Mapping

import ipywidgets as ipw
import plotly.graph_objects as go
from PIL import Image

from ..data.examples import EXAMPLES
from ..figures.stage_maps import stage_maps
from ..nets.imagenet import DEPTHS
from ..nets.viewer import viewer
from ..probes.stages import stage_outputs
from .panel import Panel
from .plot import Plot

STAGES = ("conv1", "conv2_x", "conv3_x", "conv4_x", "conv5_x")


class Passage(Panel):
    """What the net of `depth` layers makes of the `pictures` stage by stage: one, chosen with `controls["picture"]` and
    `controls["depth"]`, or, where no front end is, all of them. `weights` are those of `depth`, see reslab.nets.viewer;
    nets of other depths have trained weights if these are on this machine. Raises what `viewer` raises.
    """

    name = "passage"

    def __init__(
        self,
        depth: int = 50,
        weights: str = "auto",
        pictures: Mapping[str, Callable[[], Image.Image]] = EXAMPLES,
        live: bool | None = None,
    ):
        super().__init__(live)
        self.depth, self.weights, self.pictures = depth, weights, pictures
        if self.live:
            options = dict(depth=("layers", list(DEPTHS), depth), picture=("picture", list(pictures), None))
            self.controls = {
                name: ipw.ToggleButtons(
                    options=values, value=value or values[0], description=label, style=dict(button_width="auto")
                )
                for name, (label, values, value) in options.items()
            }
            self.plot = Plot()
            for control in self.controls.values():
                control.observe(self.guarded(self._show), "value")
            bar = ipw.HBox(list(self.controls.values()))
            bar.add_class("reslab-bar")
            self.widget = self.wrapped(bar, self.plot)
            self._show()

    def still(self):
        return [self.figure(self.depth, picture) for picture in self.pictures]

    def figure(self, depth: int, picture: str) -> go.Figure:
        """The maps of one of the pictures in the net of this depth."""
        eye, image = viewer(depth, self.weights if depth == self.depth else "auto"), self.pictures[picture]()
        outputs = stage_outputs(eye.net, eye.prepare(image))
        return stage_maps(eye.seen(image), {name: outputs[name] for name in STAGES}, f"<b>{eye.label}</b>")

    def _show(self, _change: object = None) -> None:
        self.plot.show(self.figure(self.controls["depth"].value, self.controls["picture"].value))

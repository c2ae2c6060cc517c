"""What a net takes a picture of one's own for."""

import ipywidgets as ipw
from PIL import Image

from ..data.examples import cat
from ..data.upload import read_picture
from ..figures.guesses import guesses_view
from ..figures.style import net_colour
from ..nets.viewer import missing, viewer
from ..training.config import RunConfig
from .panel import Panel, html


class Naming(Panel):
    """The most probable classes of a picture that a reader chooses with `upload`; of the bundled cat until then, and
    where no front end is. With a fresh net, a sentence says how to get trained weights. Raises what `viewer` raises.
    """

    name = "naming"

    def __init__(self, depth: int = 50, weights: str = "auto", live: bool | None = None):
        super().__init__(live)
        self.viewer = viewer(depth, weights)
        if self.live:
            self.upload = ipw.FileUpload(accept="image/*", description="a picture of yours")
            self._view = ipw.HTML(self.view(cat()))
            self.upload.observe(self.guarded(self._read), "value")
            bar = ipw.HBox([self.upload])
            bar.add_class("reslab-bar")
            self.widget = self.wrapped(bar, self._view)

    def still(self):
        return [html(self.view(cat()))]

    def view(self, picture: Image.Image) -> str:
        """HTML: the picture as the net sees it, and what the net takes it for."""
        eye, depth = self.viewer, self.viewer.net.depth
        guesses = eye.top_classes(picture) if eye.weights else ()
        told = f"{eye.label}. Percent are what the net gives itself, not how often it is right."
        colour = net_colour(RunConfig(depth, "B", family="imagenet"))
        return guesses_view(eye.seen(picture), guesses, colour, told if guesses else missing(depth))

    def _read(self, _change: object = None) -> None:
        for file in self.upload.value:
            self._view.value = self.view(read_picture(bytes(file["content"]), file["name"]))

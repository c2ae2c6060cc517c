"""Noise of any strength on a picture of one's own, and what nets make of it."""

from collections.abc import Callable, Iterable, Mapping

import ipywidgets as ipw
import plotly.graph_objects as go
from PIL import Image
from torch import nn

from ..data.examples import EXAMPLES
from ..data.upload import read_picture
from ..figures.denoised import ROWS, denoised_pictures
from ..lessons.denoising import SIDE, Method, Told, fitted, trial
from .panel import Panel, html
from .plot import Plot

MOST = 75  # of the slider, of 255
SIDE_STILL = 80  # pixels of a picture in a saved notebook: noise is what no format makes smaller
SHARES_STILL = (0.4, 2.0)  # of sigma, that are shown there too
YOURS = "your picture"
STILL = "In JupyterLab, a slider for σ stands here, and a picture of your own can be chosen."
HINT = "Drag a box in one picture to zoom into all; double-click to see all of them again."


class Denoising(Panel):
    """What `methods` (nets by their configs, others by name) make of a picture with noise on it: what comes out, what
    was taken away, what is wrong. `controls["sigma"]` is the noise's strength, of 255, `controls["picture"]` the name
    of one of `pictures`, and `upload` takes a picture of the reader's own, which is made no larger than SIDE pixels.

    `seed` is the pattern of the noise, which stays while σ changes. Where no front end is, the first picture is shown,
    small: all at `sigma`, and what comes out at weaker and stronger noise.
    """

    name = "denoising"

    def __init__(
        self,
        methods: Mapping[Method, nn.Module | Told],
        pictures: Mapping[str, Callable[[], Image.Image]] = EXAMPLES,
        sigma: int = 25,
        seed: int = 0,
        live: bool | None = None,
    ):
        super().__init__(live)
        self.methods, self.pictures, self.sigma, self.seed = methods, dict(pictures), sigma, seed
        if self.live:
            self._build()
            self._show()

    def still(self):
        first = next(iter(self.pictures))
        figures = [self.figure(first, self.sigma, SIDE_STILL)]
        figures += [
            self.figure(first, min(MOST, share * self.sigma), SIDE_STILL, ["picture"]) for share in SHARES_STILL
        ]
        return [*figures, html(f'<p class="reslab-hint">{STILL}</p>')]

    def figure(self, picture: str, sigma: float, side: int = SIDE, rows: Iterable[str] = ROWS) -> go.Figure:
        """One of the pictures, no larger than `side` pixels, with noise of this strength: see `denoised_pictures`."""
        found = trial(self.methods, fitted(self.pictures[picture](), side), sigma, self.seed)
        return denoised_pictures(found, rows, picture[:1].upper() + picture[1:])

    def _build(self) -> None:
        # A net takes a good part of a second: it is asked when the slider rests.
        sigma = ipw.IntSlider(value=self.sigma, min=0, max=max(MOST, self.sigma), description="σ")
        sigma.continuous_update, sigma.style.description_width = False, "1em"
        style = dict(button_width="auto")
        picture = ipw.ToggleButtons(options=list(self.pictures), description="picture", style=style)
        self.controls, self.plot = dict(sigma=sigma, picture=picture), Plot()
        self.upload = ipw.FileUpload(accept="image/*", description="a picture of yours")
        for control in self.controls.values():
            control.observe(self.guarded(self._show), "value")
        self.upload.observe(self.guarded(self._read), "value")
        bar = ipw.HBox([*self.controls.values(), self.upload])
        bar.add_class("reslab-bar")
        self.widget = self.wrapped(bar, self.plot, ipw.HTML(f'<p class="reslab-hint">{HINT}</p>'))

    def _show(self, _change: object = None) -> None:
        self.plot.show(self.figure(self.controls["picture"].value, self.controls["sigma"].value))

    def _read(self, _change: object = None) -> None:
        for file in self.upload.value:
            image = read_picture(bytes(file["content"]), file["name"])
            self.pictures[YOURS] = image.copy
            control = self.controls["picture"]
            if YOURS not in control.options:
                control.options = list(self.pictures)  # which chooses the first again
            if control.value == YOURS:
                self._show()
            control.value = YOURS

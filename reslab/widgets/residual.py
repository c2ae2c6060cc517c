"""Sliders of the residual block: what a small change is to H and to F, and what the two blocks weigh."""

import ipywidgets as ipw
import plotly.graph_objects as go

from ..figures.drawing import block_drawing
from ..figures.sensitivity import relative_change
from ..figures.svg import beside
from ..figures.weights import BASIC, BOTTLENECK, block_weights
from ..nets.pair import BlockPair, block_pair
from .panel import Panel, html
from .plot import Plot

STILL = "In JupyterLab, sliders for {} stand here."
LOOK = dict(layout=dict(width="340px"), style=dict(description_width="100px"))
CHANNELS = (16, 32, 64, 128, 256, 512, 1024, 2048)


class _Sliders(Panel):
    """Sliders over a figure: `controls[name].value = 5` is what moving one does, `figure` is what is shown."""

    wording = ""  # what the sliders are for, in the sentence that stands where there are none

    def __init__(self, live: bool | None):
        super().__init__(live)
        if self.live:
            self.plot, self.controls = Plot(), self._sliders()
            bar = ipw.HBox(list(self.controls.values()))
            bar.add_class("reslab-bar")
            for slider in self.controls.values():
                slider.observe(self.guarded(self._moved), "value")
            self.widget = self.wrapped(bar, self.plot, *self._below())
            self.plot.show(self.figure)

    def still(self):
        return [self.figure, html(f'{self._pictures()}<p class="reslab-hint">{STILL.format(self.wording)}</p>')]

    @property
    def figure(self) -> go.Figure:
        raise NotImplementedError

    def _sliders(self) -> dict[str, ipw.Widget]:
        raise NotImplementedError

    def _below(self) -> list[ipw.Widget]:
        """What stands under the figure."""
        return []

    def _pictures(self) -> str:
        """The same as HTML, for where no front end is."""
        return ""

    def _moved(self, change: dict) -> None:
        raise NotImplementedError


class RelativeChange(_Sliders):
    """Sliders for x and for H(x) before and after a step, over `reslab.figures.relative_change`."""

    name = "change"
    wording = "x and for both values of H"

    def __init__(self, x: float = 5.0, before: float = 5.1, after: float = 5.2, live: bool | None = None):
        self.values = dict(x=x, before=before, after=after)
        super().__init__(live)

    @property
    def figure(self) -> go.Figure:
        return relative_change(**self.values)

    def _sliders(self) -> dict[str, ipw.Widget]:
        names = dict(x="x", before="H before", after="H after")
        span = LOOK | dict(min=0, max=max(10.0, *self.values.values()), step=0.1, readout_format=".1f")
        return {
            field: ipw.FloatSlider(value=value, description=names[field], **span)
            for field, value in self.values.items()
        }

    def _moved(self, _change: dict) -> None:
        self.values = {field: round(slider.value, 6) for field, slider in self.controls.items()}
        self.plot.show(self.figure)


class TwoBlocks(_Sliders):
    """Sliders for the channels of x and those inside the bottleneck, over both blocks' weights and their drawings.

    The channels inside follow those of x, so that their share stays, until they are moved themselves. Raises ValueError
    where `outer` is no multiple of `inner`.
    """

    name = "pair"
    wording = "the channels of x and those inside the bottleneck"

    def __init__(self, outer: int = 256, inner: int = 64, live: bool | None = None):
        self.pair = block_pair(outer, inner)
        self._following = False
        super().__init__(live)

    @property
    def figure(self) -> go.Figure:
        return block_weights(self.pair.outer, self.pair.inner)

    def _sliders(self) -> dict[str, ipw.Widget]:
        outer, inner = self.pair.outer, self.pair.inner
        every = sorted({*CHANNELS, outer})
        return dict(
            outer=ipw.SelectionSlider(options=every, value=outer, description="channels of x", **LOOK),
            inner=ipw.SelectionSlider(options=_inside(outer, inner), value=inner, description="inside", **LOOK),
        )

    def _below(self) -> list[ipw.Widget]:
        self._drawing = ipw.HTML(drawn(self.pair))
        return [self._drawing]

    def _pictures(self) -> str:
        return drawn(self.pair)

    def _moved(self, change: dict) -> None:
        if self._following:
            return
        outer, inner = (self.controls[name].value for name in ("outer", "inner"))
        if change["owner"] is self.controls["outer"]:
            inner = max(1, outer * self.pair.inner // self.pair.outer)
            self._following = True
            try:
                self.controls["inner"].options = _inside(outer, inner)
                self.controls["inner"].value = inner
            finally:
                self._following = False
        self.pair = block_pair(outer, inner)
        self._drawing.value = drawn(self.pair)
        self.plot.show(self.figure)


def _inside(outer: int, inner: int) -> list[int]:
    """Channels that a bottleneck of `outer` may have inside, `inner` among them."""
    return sorted({inner, *(count for count in (1, 2, 4, 8, *CHANNELS) if outer % count == 0)})


def drawn(pair: BlockPair) -> str:
    """The two blocks side by side, as HTML, read off the modules."""
    basic, bottleneck = pair.weights
    return beside(
        block_drawing(pair.basic, BASIC, f"basic block: {basic:,} weights"),
        block_drawing(pair.bottleneck, BOTTLENECK, f"bottleneck: {bottleneck:,} weights"),
    )._repr_html_()

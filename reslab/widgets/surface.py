"""The loss around nets side by side, as it is computed, in space or as contours."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as ipw
import plotly.graph_objects as go

from ..figures.axes import SCALES
from ..figures.heights import WHATS
from ..figures.nets import dataset_title
from ..figures.style import message, net_label
from ..figures.surface import loss_contours, loss_surfaces
from ..probes.surface import Plan, Surface, read_surface
from ..runs import Run
from .following import REMOTE_EVERY
from .panel import Panel, html
from .plot import Plot
from .ticker import Ticker

VIEWS = {"3-D": loss_surfaces, "contours": loss_contours}
EVERY = 1.0  # seconds between two looks: a point takes a good part of one
FLAT = "This browser draws nothing in three dimensions, for WebGL is off in it: these are contours."


class LossSurface(Panel):
    """Surfaces of runs that belong together, from the store: `pairs` maps a name to two runs, or to as many as are to
    stand side by side. `plan`, or a Plan of `fields`, says which of the grids that `reslab surface` computes.

    `controls` are the widgets to choose with, `figure` is what is shown. `refresh` looks at the store; where a front
    end is, a ticker calls it once a second: a grid that another process computes fills before one's eyes. Nothing is
    computed here. Raises ValueError for no runs, and for a plan that is not possible or is a line.
    """

    name = "surface"

    def __init__(
        self, pairs: Mapping[str, Sequence[Run]], plan: Plan | None = None, live: bool | None = None, **fields: Any
    ):
        super().__init__(live)
        self.pairs = {name: list(runs) for name, runs in pairs.items()}
        if not self.pairs or not all(self.pairs.values()):
            raise ValueError("there is nothing to show; give pairs such as {'56 layers': [plain, residual]}")
        self.plan = plan or Plan(**fields)
        if self.plan.dimensions == 1:
            raise ValueError("dimensions=1 is a line; draw it with reslab.figures.loss_profile")
        self._whole: dict[str, Surface] = {}  # by run: complete, and never read again
        if self.live:
            self._build()
            self.refresh()

    def start(self) -> Ticker:
        """Looks at the store from now on, once a second; every few where it is a URL."""
        near = isinstance(self.pairs[next(iter(self.pairs))][0].path, Path)
        return Ticker(self.guarded(self._follow), EVERY if near else REMOTE_EVERY, of_its_cell=True)

    def _ipython_display_(self) -> None:
        super()._ipython_display_()
        if self.live:
            self.start()

    def _follow(self) -> None:
        if self.told(self.controls["pair"].value):
            self.refresh()

    def still(self) -> list[Any]:
        """The first pair in space, and contours of all."""
        names = list(self.pairs)
        shown = [self.drawn(names[0], "3-D"), *(self.drawn(name, "contours") for name in names)]
        hints = [self.told(name) for name in names]
        hints += ["In JupyterLab, the surfaces are chosen and turned here, and fill in while they are computed."]
        return [*shown, html(f'<p class="reslab-hint">{"<br>".join(filter(None, hints))}</p>')]

    def drawn(self, pair: str, view: str, what: str = "loss", scale: str = "log") -> go.Figure:
        """What there is of a pair's surfaces; a sentence if there is nothing."""
        runs = self.pairs[pair]
        found = [surface for surface in map(self._read, runs) if surface is not None]
        if not found:
            return message("Nothing of these surfaces is computed yet.")
        return VIEWS[view](found, what, scale, data=dataset_title(runs[0].config))

    def command(self, pair: str) -> str:
        """The command line that computes a pair's surfaces; several may run at once."""
        runs, plan, usual = self.pairs[pair], self.plan.to_dict(), Plan().to_dict()
        chosen = [
            f"--{name} {value:g}" if isinstance(value, float) else f"--{name} {value}"
            for name, value in plan.items()
            if value != usual[name]
        ]
        return " ".join(["reslab surface", *(run.id for run in runs), *chosen, f"--store {runs[0].path.parent}"])

    def refresh(self) -> None:
        """Looks at the store, and shows what has come."""
        values = {name: control.value for name, control in self.controls.items()}
        if not self.plot.webgl:
            values["view"] = "contours"
        self.figure = self.drawn(**values)
        self.plot.show(self.figure)
        said = " ".join(filter(None, (FLAT if not self.plot.webgl else "", self.told(values["pair"]))))
        self._said.value = f'<p class="reslab-hint">{said}</p>' if said else ""

    def told(self, pair: str) -> str:
        """What a pair lacks, and the command that computes it, as HTML; "" if it is complete."""
        missing = [net_label(run.config) for run in self.pairs[pair] if run.id not in self._whole]
        command = f"<code>{escape(self.command(pair))}</code>"
        return f"Not complete: {', '.join(missing)}. In a terminal, this computes it: {command}" if missing else ""

    def _read(self, run: Run) -> Surface | None:
        if run.id not in self._whole:
            found = read_surface(run, self.plan)
            if found is None or found.done < found.total:
                return found
            self._whole[run.id] = found
        return self._whole[run.id]

    def _build(self) -> None:
        self.plot, self._said = Plot(), ipw.HTML()
        style = dict(button_width="auto")
        self.controls = dict(
            pair=ipw.Dropdown(options=list(self.pairs), description="nets"),
            view=ipw.ToggleButtons(options=list(VIEWS), description="view", style=style),
            what=ipw.ToggleButtons(options=WHATS, description="height", style=style),
            scale=ipw.ToggleButtons(options=SCALES, value="log", description="scale", style=style),
        )
        again = self.guarded(lambda _change: self.refresh())
        for control in self.controls.values():
            control.observe(again, "value")
        self.plot.observe(again, "webgl")
        shown = [control for name, control in self.controls.items() if name != "pair" or len(self.pairs) > 1]
        bar = ipw.HBox(shown)
        bar.add_class("reslab-bar")
        self.widget = self.wrapped(bar, self.plot, self._said)

"""A live plotly figure that leaves no plotly.js behind in the saved notebook."""

import json
from pathlib import Path
from typing import Any

import anywidget
import plotly.graph_objects as go
import traitlets
from plotly.offline import get_plotlyjs

PICTURES = ("png", "svg")  # what the browser makes out of the figure it shows

# White like the figures' own background, in a dark JupyterLab too: see TEMPLATE in figures/style.py.
CSS = """
.reslab-plot {
  box-sizing: border-box; width: 100%; min-width: 0; margin: 4px 0; padding: 8px 4px 4px; overflow: hidden;
  background: white; border: 1px solid var(--jp-border-color2, #e0e0e0); border-radius: 8px;
}
.reslab-plot-note {
  margin: 0; padding: 2.5em 1.5em; text-align: center; color: #5b6472;
  font: 15px/1.5 var(--jp-ui-font-family, system-ui, sans-serif);
}
"""


class Plot(anywidget.AnyWidget):
    """A plotly figure in a card. `show` changes it in place; a zoom survives while layout.uirevision stays the same.

    The scenes that layout.meta["linked"] names, such as ["scene", "scene2"], turn as one, and stay turned in whatever
    is shown next. `webgl` is False where a browser that shows the figure can draw no scenes.

    The width follows the container, the height is layout.height (pixels; 450 where the figure has none). plotly.js
    (5 MB) is no part of the widget's state: the first view in a page asks the kernel for it by a message, and all
    others share it. Without a kernel a sentence stands in the figure's place.
    """

    _esm = Path(__file__).with_name("plot.js")
    _css = CSS

    figure = traitlets.Dict(help='{"data": [...], "layout": {...}}, plain JSON; empty: nothing is shown').tag(sync=True)
    webgl = traitlets.Bool(True, help="False as soon as a browser without WebGL shows it").tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_msg(self._answer)

    def show(self, figure: go.Figure) -> None:
        """Shows this figure from now on: one message to the browser, none if it is the figure already shown."""
        self.figure = json.loads(figure.to_json(validate=False))

    def download(self, kind: str, name: str, content: str | None = None) -> None:
        """Has the browser save a file NAME.KIND, in the reader's folder for downloads.

        Without `content`: the figure as it is on the screen, zoom included, as "png" (twice the pixels) or "svg". With
        `content`: that text, and any kind, such as "csv". Nothing happens where no browser shows the widget. Raises
        ValueError for a kind that the browser cannot make, and for a name or kind that is empty or holds a slash.
        """
        for field, value in dict(kind=kind, name=name).items():
            if not value.strip() or set(value) & set("/\\"):
                raise ValueError(f"{field}={value!r} is not possible; allowed: part of a file's name, without slashes")
        if content is None and kind not in PICTURES:
            raise ValueError(f"kind={kind!r} is not possible without content; allowed: {', '.join(PICTURES)}")
        self.send({"kind": "download", "format": kind, "name": name, "content": content})

    def _answer(self, widget: "Plot", content: Any, buffers: list[memoryview]) -> None:
        if content == {"need": "plotly"}:
            self.send({"kind": "plotly"}, buffers=[get_plotlyjs().encode()])

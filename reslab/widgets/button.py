"""A button whose press is a change of state, like that of any other control."""

from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets


class Button(anywidget.AnyWidget):
    """A button with `description` on it; `on_click` callbacks are called with the button.

    ipywidgets' own sends its presses as messages, which JupyterLab gives to another thread than changes of state: they
    overtake the choice that was made before, and wait while a cell runs. This one counts its `presses`; and `views`,
    because the first change of any widget goes to the main thread too, and had better not be a press.
    """

    _esm = Path(__file__).with_name("button.js")

    description = traitlets.Unicode().tag(sync=True)
    primary = traitlets.Bool(help="whether it is the one that matters").tag(sync=True)
    presses = traitlets.Int().tag(sync=True)
    views = traitlets.Int().tag(sync=True)

    def on_click(self, callback: Callable[["Button"], object]) -> None:
        self.observe(lambda _change: callback(self), "presses")

    def click(self) -> None:
        """Does what pressing it does."""
        self.presses += 1

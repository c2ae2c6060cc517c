"""Text to take away: a cell of code or a command, with a button that copies it."""

from pathlib import Path

import anywidget
import traitlets


class Snippet(anywidget.AnyWidget):
    """`text` in a fixed-width font as it is, with `language` as a label above it and a button that copies the text."""

    _esm = Path(__file__).with_name("snippet.js")
    _css = Path(__file__).with_name("snippet.css")

    text = traitlets.Unicode(help="what is shown and copied").tag(sync=True)
    language = traitlets.Unicode(help='what the text is, such as "Python"; may be empty').tag(sync=True)

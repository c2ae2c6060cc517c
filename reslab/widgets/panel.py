"""What the panels have in common: with a front end they are widgets, without one pictures; errors are seen in both."""

import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterable
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as ipw
import psutil
from IPython.display import HTML, display

from ..data import DataError

LOG = logging.getLogger("reslab.widgets")
LOG.addHandler(logging.NullHandler())  # the panel says it; in a notebook stderr would end up under some cell
CSS = f"<style>{Path(__file__).with_name('panel.css').read_text()}</style>"
# What a user can cause, and what its sentence says is enough to put right.
SENTENCES = (ValueError, OSError, RuntimeError, DataError)


def attached() -> bool:
    """Whether a front end that shows widgets has started this kernel: a Jupyter server or Voila; papermill has not.

    papermill in a notebook's cell inherits what the server told the notebook's kernel, and has that kernel above it.
    """
    told = "JPY_SESSION_NAME" in os.environ or os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
    return told and not any("ipykernel" in " ".join(_command(process)) for process in psutil.Process().parents())


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # another user's
        return []


class Panel:
    """A part of the explorer: `widget` where a front end is, else what `still` gives.

    Callbacks go through `guarded`: one at a time, whichever thread they come in, and what one of them raises is shown
    in the panel, and logged, instead of vanishing.
    """

    name = ""  # of its CSS class, reslab-NAME

    def __init__(self, live: bool | None = None):
        self.live = attached() if live is None else live
        self.lock = threading.RLock()
        self._problems: dict[str, str] = {}
        self._trouble = ipw.HTML() if self.live else None

    def still(self) -> Iterable[Any]:
        """What is displayed where no front end is."""
        return ()

    def wrapped(self, *children: ipw.Widget) -> ipw.Widget:
        """The panel's widget from its parts."""
        box = ipw.VBox([ipw.HTML(CSS, layout=dict(display="none")), *children, self._trouble])
        for each in ("reslab-panel", f"reslab-{self.name}"):
            box.add_class(each)
        return box

    def guarded(self, callback: Callable[..., Any]) -> Callable[..., None]:
        """`callback` for an event: never two at a time, and never an exception that nobody sees."""

        @wraps(callback)
        def call(*arguments: Any) -> None:
            with self.lock:
                self.attempt(callback, *arguments)

        return call

    def attempt(self, action: Callable[..., Any], *arguments: Any) -> None:
        """Does it; what it raises is shown until the same action goes well."""
        try:
            action(*arguments)
        except Exception as error:
            self.tell(action.__name__, error)
        else:
            self.tell(action.__name__, None)

    def tell(self, source: str, error: Exception | None) -> None:
        """Shows what went wrong in `source`, or, with None, no longer."""
        with self.lock:
            self._tell(source, error)

    def _tell(self, source: str, error: Exception | None) -> None:
        before = dict(self._problems)
        self._problems.pop(source, None)
        if error is not None:
            self._problems[source] = _explained(error)
        if self._problems == before:  # told already: a look at the store comes every second
            return
        if error is not None:
            LOG.error("%s: %s", source, error, exc_info=error)
        if self._trouble is not None:
            told = "".join(f'<div role="alert">{text}</div>' for text in self._problems.values())
            self._trouble.value = f'<div class="reslab-trouble">{told}</div>' if told else ""

    def _ipython_display_(self) -> None:
        if self.live:
            display(self.widget)
        else:
            for part in self.still():
                display(part)


def _explained(error: Exception) -> str:
    """The error as HTML: a sentence for what a user can put right, all there is to know for what is our fault."""
    if isinstance(error, SENTENCES):
        return escape(str(error))
    story = escape("".join(traceback.format_exception(error)))
    what = escape(f"{type(error).__name__}: {error}")
    return f"This is a mistake in reslab: {what}<details><summary>where</summary><pre>{story}</pre></details>"


def html(text: str) -> HTML:
    """HTML with the panels' style, for a notebook that is looked at later."""
    return HTML(f'{CSS}<div class="reslab-panel">{text}</div>')

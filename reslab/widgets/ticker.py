"""Something done again and again while a kernel lives, without keeping it from its cells."""

import threading
from collections.abc import Callable
from weakref import WeakSet

from IPython import get_ipython

_tickers: "WeakSet[Ticker]" = WeakSet()


class Ticker(threading.Thread):
    """Calls `tick` every `seconds` until `stop`. A thread, since a kernel's own loop stands still while a cell runs.

    With `of_its_cell`, it ends when its cell is run again: what it served is no longer on the screen.
    """

    def __init__(self, tick: Callable[[], object], seconds: float, of_its_cell: bool = False):
        super().__init__(name="reslab ticker", daemon=True)
        self._tick, self._seconds, self._stopped = tick, seconds, threading.Event()
        self._cell, self._execution = _where() if of_its_cell else (None, None)
        for other in list(_tickers):
            if self._cell and other._cell == self._cell and other._execution != self._execution:
                other.stop()
        _tickers.add(self)
        self.start()

    def run(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._tick()

    def stop(self) -> None:
        self._stopped.set()


def _where() -> tuple[str | None, str | None]:
    """The id of the notebook cell that is running, where the front end tells it, and of this execution of it."""
    shell = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")

"""Ctrl-C, SIGTERM and "interrupt kernel" as a request that the loop honours between two iterations."""

import signal
import threading
from types import FrameType


class StopRequest:
    """Context manager: the first SIGINT or SIGTERM sets `signal`; a second one acts as if nobody had listened.

    Only the main thread can listen to signals; elsewhere nothing is ever requested, except by setting `signal`, as
    another process does that was stopped. `raise_again()` ends as the signal would have ended: KeyboardInterrupt for
    SIGINT, SystemExit(143) for SIGTERM.
    """

    def __init__(self):
        self.signal: int | None = None
        self._before = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_exception) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
        signal.signal(number, self._before[number])

    def raise_again(self) -> None:
        if self.signal == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt

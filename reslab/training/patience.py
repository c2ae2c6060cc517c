"""What passes by itself (a full disk, a store out of reach) is waited for, with a word to who watches."""

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from ..remote import StoreUnreachable
from .stop import StopRequest

_NAMES = """
ENOSPC EDQUOT EIO ESTALE EAGAIN EBUSY EREMOTEIO EPIPE
ENETDOWN ENETUNREACH EHOSTDOWN EHOSTUNREACH ETIMEDOUT ECONNREFUSED ECONNRESET ECONNABORTED
"""
PASSING = {getattr(errno, name) for name in _NAMES.split() if hasattr(errno, name)}  # macOS has no EREMOTEIO, say
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds; each is twice the one before
LOOK = 0.1  # seconds between looks at a stop request
T = TypeVar("T")


def can_pass(error: OSError) -> bool:
    """Whether trying again later may help, without anybody doing anything here; permission denied does not pass."""
    return isinstance(error, StoreUnreachable) or error.errno in PASSING


class Patience:
    """patience(action) does what reads or writes `place`, again and again while it fails for a reason that can pass.

    Every failure is told by `tell`; `note` is what was told last, "" while all is well. A stop request that comes
    meanwhile ends the wait: nothing is then written that is newer than what is there. `action` must be one that may be
    done again after it was done in part.
    """

    def __init__(self, place: str, tell: Callable[[str], None] | None = None, stop: StopRequest | None = None):
        self.place, self.tell, self.stop = place, tell or (lambda _note: None), stop or StopRequest()
        self.note = ""

    def __call__(self, action: Callable[[], T], doing: str = "written") -> T:
        wait = FIRST_WAIT
        while True:
            try:
                result = action()
                self.note = ""
                return result
            except OSError as error:
                if not can_pass(error):
                    raise
                reason = error.reason if isinstance(error, StoreUnreachable) else error.strerror
            self._stop_if_asked()
            self.note = f"{self.place} cannot be {doing}: {reason}; training goes on by itself when it can"
            self.tell(f"paused: {self.note}")
            self._sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(LOOK)
            self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self.stop.signal is not None:
            self.stop.raise_again()

"""How a batch is going, for people: a live table in a terminal, log lines elsewhere. It reads run folders only."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ..runs import Run
from ..training.estimate import together

LINES_EVERY = 30.0  # seconds between two log lines of one run
LOOK_EVERY = 0.5  # seconds between two looks at the run folders


@dataclass(frozen=True)
class Seen:
    """One job as it stands; None is not known yet.

    `state`: waiting, starting, running, finishing or stopping, and in the end done, failed or interrupted.
    """

    label: str
    state: str
    iteration: int | None = None
    iterations: int | None = None
    train_error: float | None = None  # percent
    images_per_second: float | None = None
    left: float | None = None  # seconds

    def cells(self) -> tuple[str, ...]:
        at = "" if self.iteration is None else f"{self.iteration:,} of {self.iterations:,}"
        error = "" if self.train_error is None else f"{self.train_error:.1f} %"
        speed = "" if self.images_per_second is None else f"{self.images_per_second:,.0f}"
        left = duration(self.left) if self.left and self.state == "running" else ""
        return self.label, self.state, at, error, speed, left

    def line(self) -> str:
        label, state, at, error, speed, left = self.cells()
        parts = [at and f"iteration {at}", error and f"training error {error}", speed and f"{speed} images/s"]
        return f"{label}: " + ", ".join([state, *filter(None, [*parts, left and f"{left} left"])])


def look(label: str, state: str, run: Run | None, seconds: float | None, since: float | None = None) -> Seen:
    """A job in `state`, with what its run folder tells of a process that was started at `since` (Unix seconds).

    `seconds` is what it should take, until the folder tells.
    """
    status: dict[str, Any] = run.status if run else {}
    if state == "starting" and status.get("heartbeat", 0) >= since:
        # A run that is done has a notebook that still draws its curves.
        state = {"running": "running", "done": "finishing"}.get(status["state"], "stopping")
    if state in ("waiting", "starting") or "iteration" not in status:
        return Seen(label, state, left=seconds if state in ("waiting", "starting") else None)
    last = (run.metrics or [{}])[-1]
    at, end = max(status["iteration"], last.get("iteration", 0)), status["iterations"]
    left = None
    if state == "running":
        left = (end - at) * last["seconds"] / last["iteration"] if last else seconds
    return Seen(label, state, at, end, last.get("train_error"), last.get("images_per_second"), left)


class Watch(Protocol):
    """What an engine tells while it works. It calls `show` as often as it likes, `last` when it will not again."""

    def __enter__(self) -> "Watch": ...

    def __exit__(self, *exception) -> None: ...

    def show(self, look_at_all: Callable[[], Sequence[Seen]], last: bool = False) -> None: ...


def watch(console: Console, at_once: int) -> Watch:
    """A live table where there is a terminal, log lines where there is none."""
    return LiveTable(console, at_once) if console.is_terminal else LogLines(console)


class LiveTable:
    def __init__(self, console: Console, at_once: int):
        self.at_once, self._next = at_once, 0.0
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> "LiveTable":
        self._live.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        self._live.__exit__(*exception)

    def show(self, look_at_all: Callable[[], Sequence[Seen]], last: bool = False) -> None:
        if time.monotonic() >= self._next or last:
            self._live.update(self._table(look_at_all()), refresh=True)
            self._next = time.monotonic() + LOOK_EVERY

    def _table(self, rows: Sequence[Seen]) -> Table:
        table = Table("run", "state", box=None, pad_edge=False)
        for name in ("iteration", "training error", "images/s", "time left"):
            table.add_column(name, justify="right")
        for row in sorted(rows, key=lambda row: row.state == "waiting"):
            table.add_row(*row.cells())
        running = [row.left for row in rows if row.left and row.state != "waiting"]
        waiting = [row.left for row in rows if row.left and row.state == "waiting"]
        if running or waiting:
            total = together(running + waiting, self.at_once)
            table.caption = f"about {duration(total)} left in all"
        return table


class LogLines:
    def __init__(self, console: Console):
        self._console, self._next = console, 0.0
        self._told: dict[str, tuple[str, float]] = {}  # label -> state and time of its last line

    def __enter__(self) -> "LogLines":
        return self

    def __exit__(self, *_exception) -> None:
        pass

    def show(self, look_at_all: Callable[[], Sequence[Seen]], last: bool = False) -> None:
        now = time.monotonic()
        if now < self._next and not last:
            return
        self._next = now + LOOK_EVERY
        for row in look_at_all():
            state, told = self._told.get(row.label, ("waiting", now))
            if row.state != state or (row.state == "running" and now - told > LINES_EVERY):
                self._console.print(row.line(), markup=False, highlight=False, soft_wrap=True)
                self._told[row.label] = row.state, now


def duration(seconds: float) -> str:
    """Seconds in words that do not promise more than they know."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"

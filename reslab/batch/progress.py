"""How a batch is going, for people: a live table in a terminal, log lines elsewhere. It reads run folders only."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..runs import Run
from ..training.estimate import together

LINES_EVERY = 30.0  # seconds between two log lines of one run
LOOK_EVERY = 0.5  # seconds between two looks at the run folders
# In the order in which a table that is too small for all shows them.
STATES = ("paused", "running", "elsewhere", "finishing", "stopping", "starting", "queued", "failed", "interrupted")
COUNTED = {
    "paused": "running",
    "finishing": "running",
    "stopping": "running",
    "starting": "running",
    "interrupted": "failed",
}


@dataclass(frozen=True)
class Seen:
    """One job as it stands; None is not known yet.

    `state`: waiting, starting, running, paused while its store cannot be used, finishing or stopping (on a cluster also
    queued), elsewhere where another batch trains it, and in the end done, failed or interrupted.
    """

    label: str
    state: str
    iteration: int | None = None
    iterations: int | None = None
    train_error: float | None = None  # percent
    images_per_second: float | None = None
    left: float | None = None  # seconds
    note: str = ""  # why it waits again, or is paused

    def cells(self) -> tuple[str, ...]:
        at = "" if self.iteration is None else f"{self.iteration:,} of {self.iterations:,}"
        error = "" if self.train_error is None else f"{self.train_error:.1f} %"
        speed = "" if self.images_per_second is None else f"{self.images_per_second:,.0f}"
        left = duration(self.left) if self.left and self.state in ("running", "elsewhere") else ""
        return self.label, self.state, at, error, speed, left

    def line(self) -> str:
        label, state, at, error, speed, left = self.cells()
        parts = [at and f"iteration {at}", error and f"training error {error}", speed and f"{speed} images/s"]
        again = self.note and (self.note if state == "paused" else f"to be tried again: {self.note}")
        return f"{label}: " + ", ".join([state, *filter(None, [*parts, left and f"{left} left", again])])


def look(label: str, state: str, run: Run | None, seconds: float | None, since: float | None = None) -> Seen:
    """A job in `state`, with what its run folder tells of a process that was started at `since` (Unix seconds).

    `seconds` is what it should take, until the folder tells.
    """
    status: dict[str, Any] = run.status if run else {}
    if since and state in ("starting", "queued") and status.get("heartbeat", 0) >= since:
        # A run that is done has a notebook that still draws its curves.
        state = {"running": "running", "done": "finishing"}.get(status["state"], "stopping")
    begins = state in ("waiting", "starting", "queued")
    if begins or "iteration" not in status:
        return Seen(label, state, left=seconds if begins else None)
    last = (run.metrics or [{}])[-1]
    at, end = max(status["iteration"], last.get("iteration", 0)), status["iterations"]
    left, note = None, status.get("paused", "") if state == "running" else ""
    state = "paused" if note else state
    if state in ("running", "elsewhere"):
        left = (end - at) * last["seconds"] / last["iteration"] if last else seconds
    return Seen(label, state, at, end, last.get("train_error"), last.get("images_per_second"), left, note)


class Watch(Protocol):
    """What an engine's loop tells while it works. It calls `show` as often as it likes, `last` when it will not again;
    `say` is for what concerns all runs.
    """

    def __enter__(self) -> "Watch": ...

    def __exit__(self, *exception) -> None: ...

    def show(self, look_at_all: Callable[[], Sequence[Seen]], last: bool = False) -> None: ...

    def say(self, text: str) -> None: ...


def watch(console: Console, at_once: int) -> Watch:
    """A live table where there is a terminal, log lines where there is none."""
    return LiveTable(console, at_once) if console.is_terminal else LogLines(console, at_once)


class LiveTable:
    """As many rows as the terminal has room for, those first in which something happens; the rest are counted."""

    def __init__(self, console: Console, at_once: int):
        self._console, self._at_once, self._next = console, at_once, 0.0
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

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _table(self, rows: Sequence[Seen]) -> Group:
        table = Table("run", "state", box=None, pad_edge=False)
        for name in ("iteration", "training error", "images/s", "time left"):
            table.add_column(name, justify="right")
        notes = list(dict.fromkeys(f"Paused: {row.note}" for row in rows if row.state == "paused"))
        shown = visible(rows, self._console.height - 4 - 2 * len(notes))  # head, summary, and a line of the shell's
        for row in shown:
            table.add_row(*row.cells())
        hidden = f" ({len(rows) - len(shown)} not shown)" if len(shown) < len(rows) else ""
        return Group(table, *map(Text, [summary(rows, self._at_once) + hidden, *notes]))


class LogLines:
    def __init__(self, console: Console, at_once: int = 1):
        self._console, self._at_once, self._next = console, at_once, 0.0
        self._told: dict[str, tuple[str, float]] = {}  # label -> state and time of its last line
        self._ended = 0

    def __enter__(self) -> "LogLines":
        return self

    def __exit__(self, *_exception) -> None:
        pass

    def show(self, look_at_all: Callable[[], Sequence[Seen]], last: bool = False) -> None:
        now = time.monotonic()
        if now < self._next and not last:
            return
        self._next = now + LOOK_EVERY
        rows = look_at_all()
        for row in rows:
            state, told = self._told.get(row.label, ("waiting", now))
            going_on = row.state in ("running", "elsewhere") and now - told > LINES_EVERY
            if row.state != state or going_on:
                self.say(row.line())
                self._told[row.label] = row.state, now
        ended = sum(row.state in ("done", "failed", "interrupted") for row in rows)
        if ended > self._ended and len(rows) > 1:
            self.say(summary(rows, self._at_once))
        self._ended = ended

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def visible(rows: Sequence[Seen], most: int) -> list[Seen]:
    """At most so many of the rows, those that tell most: what runs, what failed, then what was done last and what comes
    next. In the order of `rows`, but what waits comes last.
    """
    waiting = [row for row in rows if row.state == "waiting"]
    done = [row for row in rows if row.state == "done"]
    telling = sorted((r for r in rows if r.state in STATES), key=lambda row: STATES.index(row.state))[: max(most, 1)]
    free = max(most - len(telling), 0)
    next_ones = waiting[: max(free - len(done), free // 2)]
    kept = {id(row) for row in [*telling, *done[len(done) - min(len(done), free - len(next_ones)) :]]}
    return [row for row in rows if id(row) in kept] + next_ones


def summary(rows: Sequence[Seen], at_once: int) -> str:
    """How many wait, run, are done and failed, and how long the rest will take."""
    counts = Counter(COUNTED.get(row.state, row.state) for row in rows)
    words = ("waiting", "queued", "running", "elsewhere", "done", "failed")
    text = ", ".join(f"{counts[word]} {word}" for word in words if counts[word])
    running = [row.left for row in rows if row.left and row.state != "waiting"]
    waiting = [row.left for row in rows if row.left and row.state == "waiting"]
    if running or waiting:
        text += f"; about {duration(together(running + waiting, at_once))} left in all"
    return text


def duration(seconds: float) -> str:
    """Seconds in words that do not promise more than they know."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"

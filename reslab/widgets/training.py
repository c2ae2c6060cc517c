"""Panel 2: buttons that put runs into the store's queue, and how far each has come. Processes of their own train."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path

import ipywidgets as ipw

from ..batch.progress import duration
from ..batch.queue import Entry, Queue
from ..figures.style import net_colour, net_label
from ..runs import Run, RunStore
from ..training.config import RunConfig
from .button import Button
from .panel import Panel

FINISHED = 3  # of the latest finished runs that stay in sight
GOES_ON = ("waiting", "starting", "training")
# What can be done with a run in a state: the button's text and the queue's method.
ACTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "waiting": (("Pause", "pause"), ("Stop", "stop")),
    "starting": (("Pause", "pause"), ("Stop", "stop")),
    "training": (("Pause", "pause"), ("Stop", "stop")),
    "paused": (("Resume", "resume"), ("Stop", "stop")),
    "interrupted": (("Resume", "resume"), ("Stop", "stop")),
    "failed": (("Try again", "resume"), ("Dismiss", "stop")),
    "pausing": (),
    "stopping": (),
}


class Train(Panel):
    """Trains what `design` returns, in the store's queue: see reslab.batch.queue. `refresh` shows how it stands.

    `buttons["train"].click()` adds the design; `rows[run_id].buttons["Pause"]` and so on are there while they apply.
    What a button asks for is done by `hands`, a thread: it may have to wait for a worker to start.
    """

    name = "train"

    def __init__(
        self,
        store: RunStore,
        design: Callable[[], RunConfig],
        *,
        data: str | Path | None = None,
        live: bool | None = None,
    ):
        super().__init__(live)
        self.queue, self.design, self.data = Queue(store), design, data
        self.hands = ThreadPoolExecutor(1, "reslab buttons")
        self.rows: dict[str, Row] = {}
        self.added: list[Callable[[str], None]] = []  # called with the id of a run that was asked for
        self._entries: list[Entry] = []
        self._finished: list[Run] = []
        if self.live:
            self.buttons = {"train": Button(description="Train", primary=True)}
            self.buttons["train"].on_click(self.guarded(self._train))
            self._what, self._list, self._done = ipw.HTML(), ipw.VBox(), ipw.HTML()
            bar = ipw.HBox([self.buttons["train"], self._what])
            bar.add_class("reslab-bar")
            self.widget = self.wrapped(bar, self._list, self._done)
            self.announce()
            self.guarded(self.refresh)()

    def announce(self) -> None:
        """Shows what the button would train."""
        if self.live:
            config = self.design()
            self._what.value = (
                f'<span class="reslab-dot" style="background:{net_colour(config)}"></span>'
                f"<b>{escape(net_label(config))}</b> {config.profile} · {config.dataset} · seed {config.seed}"
                f" · {config.iterations:,} iterations"
            )

    def _train(self, _button: object = None) -> None:
        self.hands.submit(self.attempt, self._add, self.design())  # as it is now

    def _add(self, config: RunConfig) -> None:
        run = self.queue.add(config, data=self.data)
        with self.lock:
            if run.state == "done":
                self._finish(run)
            self.refresh()
        for tell in self.added:
            tell(run.id)

    def refresh(self) -> None:
        """Looks at the queue, and shows what has changed."""
        if not self.live:
            return
        entries = self.queue.entries()
        here = {entry.run.id for entry in entries}
        for before in self._entries:
            if before.run.id not in here and before.run.state != "new":
                self._finish(before.run)
        self._entries = entries
        rows = {}
        for entry in entries:
            row = self.rows.get(entry.run.id) or Row(entry, self._asked)
            row.show(entry)
            rows[entry.run.id] = row
        self.rows = rows
        children = tuple(row.widget for row in rows.values())
        if children != self._list.children:
            self._list.children = children

    def _asked(self, method: str, run_id: str) -> None:
        self.hands.submit(self.attempt, self._act, method, run_id)

    def _act(self, method: str, run_id: str) -> None:
        getattr(self.queue, method)(run_id)
        with self.lock:
            self.refresh()

    def _finish(self, run: Run) -> None:
        self._finished = [run, *(other for other in self._finished if other.id != run.id)][:FINISHED]
        self._done.value = "".join(map(_finished, self._finished))


class Row:
    """One run of the queue: name, state, progress, and the buttons that apply."""

    def __init__(self, entry: Entry, act: Callable[[str, str], None]):
        self._id, self._act, self._state = entry.run.id, act, ""
        self.buttons: dict[str, Button] = {}
        self._text, self._controls = ipw.HTML(), ipw.HBox()
        self._text.add_class("reslab-progress")
        self.widget = ipw.HBox([self._text, self._controls])
        self.widget.add_class("reslab-row")

    def show(self, entry: Entry) -> None:
        self._text.value = _progress(entry)
        if entry.state != self._state:
            self._state = entry.state
            self.buttons = {label: self._button(label, method) for label, method in ACTIONS[entry.state]}
            self._controls.children = tuple(self.buttons.values())

    def _button(self, label: str, method: str) -> Button:
        button = Button(description=label)
        button.on_click(lambda _: self._act(method, self._id))
        return button


def _name(run: Run) -> str:
    try:
        config = run.config
    except (OSError, ValueError):  # its folder was deleted, or its plugin does not work here: it can still be stopped
        return f"<b>{escape(run.id)}</b>"
    dot = f'<span class="reslab-dot" style="background:{net_colour(config)}"></span>'
    return f"{dot}<b>{escape(net_label(config))}</b> {config.profile} · {config.dataset} · seed {config.seed}"


def _colour(run: Run) -> str:
    try:
        return net_colour(run.config)
    except (OSError, ValueError):
        return "currentcolor"


def _progress(entry: Entry) -> str:
    share = entry.iteration / entry.iterations if entry.iterations else 0
    facts = [entry.state]
    if entry.iteration:
        facts.append(f"{entry.iteration:,} of {entry.iterations:,} iterations")
    if entry.train_error is not None:
        facts.append(f"training error {entry.train_error:.1f} %")
    if entry.left and entry.state == "training":
        facts.append(f"{duration(entry.left)} left")
    colour = _colour(entry.run)
    bar = f'<div class="reslab-track"><div style="width:{100 * share:.1f}%;background:{colour}"></div></div>'
    reason = f'<div class="reslab-reason" role="alert">{escape(entry.reason)}</div>' if entry.reason else ""
    quiet = "" if entry.state in GOES_ON else " reslab-quiet"
    return f'<div class="reslab-entry{quiet}">{_name(entry.run)}<span>{" · ".join(facts)}</span>{bar}{reason}</div>'


def _finished(run: Run) -> str:
    if run.state != "done":
        at = f"{run.status.get('iteration', 0):,} of {run.status.get('iterations', 0):,}"
        told = f"{run.state} at iteration {at}; Train goes on from there"
        return f'<div class="reslab-entry">{_name(run)}<span>{told}</span></div>'
    last = run.final
    errors = f"training error {last['train_error']:.2f} %, test error {last['test_error']:.2f} %"
    return f'<div class="reslab-entry">{_name(run)}<span>done in {duration(last["seconds"])}: {errors}</span></div>'

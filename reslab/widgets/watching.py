"""Panel 3: live curves of any runs, whoever started them, a table to choose them from, and the difference of two."""

import html as escaping
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import ipywidgets as ipw
import plotly.graph_objects as go

from ..batch.results import as_csv
from ..figures import error_curves, net_colour, summary_table
from ..figures.axes import SCALES
from ..figures.curves import AXES
from ..figures.nets import nets_of
from ..runs import Run, RunStore
from ..training.config import RunConfig
from .button import Button
from .following import Following
from .panel import Panel, html
from .plot import Plot
from .table import RunTable
from .ticker import Ticker

MOST = 12  # runs that are drawn without having been chosen
MOST_STILL = 6  # nets in a still picture
COLUMNS = [
    dict(key="net", label="net", kind="text"),
    dict(key="train_error", label="training error", kind="number", digits=2, unit="%"),
    dict(key="test_error", label="test error", kind="number", digits=2, unit="%"),
    dict(key="state", label="state", kind="state"),
    dict(key="progress", label="progress", kind="progress"),
    dict(key="seed", label="seed", kind="number", digits=0),
    dict(key="profile", label="profile", kind="text"),
    dict(key="dataset", label="data", kind="text"),
    dict(key="seconds", label="time", kind="number", digits=0, unit="s"),
    dict(key="also", label="also", kind="text"),
]


class Watch(Panel):
    """Curves and table of the runs that `following` finds. `figure` is what is drawn, `table.shown` the ids drawn,
    `table.pair` those compared. `refresh` looks at the store; where a front end is, a ticker calls it (see `start`).
    """

    name = "watch"

    def __init__(self, following: Following, live: bool | None = None):
        super().__init__(live)
        self.following = following
        following.refresh()
        self.figure = go.Figure()
        if self.live:
            self._build()
            self._draw()

    def start(self) -> Ticker:
        """Looks at the store from now on, about once a second, or every few where it is a URL."""
        return Ticker(self.guarded(self.refresh), self.following.every, of_its_cell=True)

    def still(self) -> list[Any]:
        """Figure and table of all runs, or of those of the latest nets: a saved notebook stays small."""
        nets: dict[RunConfig, list[Run]] = {}
        for run in self.following.runs.values():  # the newest first
            nets.setdefault(run.config.for_any_seed, []).append(run)
        runs = [run for each in list(nets.values())[:MOST_STILL] for run in each]
        left = len(nets) - MOST_STILL
        hint = f"The latest {MOST_STILL} nets; {left} more are in the store: reslab.widgets.watch(depth=56) shows some."
        return [error_curves(runs), summary_table(runs)] + [html(f'<p class="reslab-hint">{hint}</p>')] * (left > 0)

    def refresh(self) -> None:
        """Looks at the store, and shows what has changed. A run that has come since is drawn too."""
        new = {row["id"] for row in self.following.rows}
        touched = self.following.refresh()
        if not self.live or not touched:
            return
        drawn = {row["id"]: row["colour"] for row in self.table.rows}
        self.table.rows = [row | dict(colour=drawn.get(row["id"], row["colour"])) for row in self.following.rows]
        came = [row for row in self.following.rows if row["id"] not in new]
        if came and len(self.table.shown) < 2 * MOST:
            others = {row["id"] for row in self.following.rows if _kind(row) != _kind(came[0])}
            self.table.shown = [*({*self.table.shown} - others), *(row["id"] for row in came)]  # which draws
        elif touched & {*self.table.shown}:
            self._draw()
        if touched & {*self.table.pair}:
            self._compare()

    def show(self, run_id: str) -> None:
        """Draws this run too."""
        if self.live:
            self.refresh()
            self.table.shown = [*self.table.shown, run_id]

    def _usual(self) -> list[str]:
        """What is drawn until somebody chooses: the latest runs, as far as they can be compared with the last one."""
        rows = self.following.rows
        return [row["id"] for row in rows if _kind(row) == _kind(rows[0])][:MOST]

    def _build(self) -> None:
        self.plot, self.table = Plot(), RunTable(columns=COLUMNS, rows=self.following.rows)
        self.table.shown = self._usual()
        style = dict(button_width="auto")
        self.controls = dict(
            x=ipw.ToggleButtons(options=list(AXES), description="x", style=style),
            y=ipw.ToggleButtons(options=SCALES, description="y", style=style),
            smoothing=ipw.FloatSlider(min=0, max=0.95, step=0.05, description="smoothing", readout_format=".2f"),
        )
        self.exports = {kind: Button(description=kind.upper()) for kind in ("html", "png", "svg", "csv")}
        self._difference = ipw.HTML()
        for control in self.controls.values():
            control.observe(self.guarded(self._draw), "value")
        self.table.observe(self.guarded(self._draw), "shown")
        self.table.observe(self.guarded(self._compare), "pair")
        for kind, button in self.exports.items():
            button.on_click(self.guarded(self._export(kind)))
        self._compare()
        bar = ipw.HBox([*self.controls.values(), ipw.HTML("<span>save as</span>"), *self.exports.values()])
        bar.add_class("reslab-bar")
        self.widget = self.wrapped(bar, self.plot, self.table, self._difference)

    def _runs(self) -> list[Run]:
        return [self.following.runs[name] for name in self.table.shown]

    def _draw(self, _change: object = None) -> None:
        values = {name: control.value for name, control in self.controls.items()}
        runs = self._runs()
        self.figure = error_curves(runs, **values)
        self.plot.show(self.figure)
        shades = {net.config: net.colour for net in nets_of(runs)}  # as drawn: curves of one net have several
        drawn = {run.id: shades.get(run.config.for_any_seed) for run in runs}
        self.table.rows = [row | dict(colour=drawn.get(row["id"]) or row["colour"]) for row in self.following.rows]

    def _compare(self, _change: object = None) -> None:
        self._difference.value = difference([self.following.runs[name] for name in self.table.pair])

    def _export(self, kind: str) -> Callable[..., None]:
        def export(_button: object = None) -> None:
            content = dict(html=lambda: self.figure.to_html(), csv=lambda: as_csv(self._runs())).get(kind)
            self.plot.download(kind, "reslab-curves", content and content())

        return export


def _kind(row: dict[str, Any]) -> tuple[str, str]:
    """Runs with another profile or data set are no comparison, and squeeze each other's axes."""
    return row["profile"], row["dataset"]


def watch(
    store: str | Path | RunStore | None = None,
    *,
    runs: Iterable[str | Run] | None = None,
    live: bool | None = None,
    **wanted: Any,
) -> Watch:
    """Follows runs in a notebook, whoever trains them: a batch, a cluster, a terminal. Returns what the cell shows.

    `runs` (ids, or Run objects) names them; RunConfig fields such as `profile="short"` choose among all of the store.
    Without a front end it shows the figure as it is now. Raises ValueError for a name that is no field.
    """
    runs = None if runs is None else list(runs)
    if store is None and runs and isinstance(runs[0], Run):
        store = runs[0].path.parent
    store = store if isinstance(store, RunStore) else RunStore(store)
    ids = None if runs is None else [run.id if isinstance(run, Run) else run for run in runs]
    panel = Watch(Following(store, ids, **wanted), live)
    if panel.live:
        panel.start()
    return panel


def difference(runs: list[Run]) -> str:
    """Two runs side by side as HTML: what was set differently, and the results at the last iteration both reached."""
    runs = [run for run in runs if run.metrics]
    if len(runs) < 2:
        return '<p class="reslab-hint">Choose two runs with “compare” to read what differs between them.</p>'
    names = [net_name(run) for run in runs]
    head = "".join(f'<th><span class="reslab-dot" style="background:{c}"></span>{n}</th>' for n, c in names)
    rows = "".join(_setting(*pair) for pair in _settings(runs)) + _results(runs)
    seeds = "same seed" if runs[0].config.seed == runs[1].config.seed else "different seeds"
    note = f"One run each, {seeds}: luck alone makes a difference too. More seeds tell how much."
    table = f"<table><thead><tr><th></th>{head}<th>difference</th></tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="reslab-difference reslab-figures">{table}<p>{note}</p></div>'


def net_name(run: Run) -> tuple[str, str]:
    return escaping.escape(run.id), net_colour(run.config)


def _settings(runs: list[Run]) -> list[tuple[str, Any, Any]]:
    first, second = (run.config for run in runs)
    return [
        (field.name, a, b)
        for field in fields(RunConfig)
        if (a := getattr(first, field.name)) != (b := getattr(second, field.name))
    ]


def _setting(name: str, first: Any, second: Any) -> str:
    cells = "".join(f"<td>{escaping.escape('–' if value is None else str(value))}</td>" for value in (first, second))
    return f"<tr><th>{name}</th>{cells}<td></td></tr>"


def _results(runs: list[Run]) -> str:
    reached = [{row["iteration"]: row for row in run.metrics} for run in runs]
    same_length = runs[0].config.iterations == runs[1].config.iterations
    common = sorted(reached[0].keys() & reached[1].keys()) if same_length else []
    rows = [r[common[-1]] for r in reached] if common else [r[max(r)] for r in reached]
    out = ""
    for name, label, unit in (
        ("iteration", "at iteration", ""),
        ("train_error", "training error", " %"),
        ("test_error", "test error", " %"),
        ("train_loss", "training loss", ""),
        ("seconds", "time", " s"),
    ):
        digits = dict(iteration=",d", seconds=",.0f", train_loss=".3f").get(name, ".2f")
        a, b = (row[name] for row in rows)
        gap = "" if a == b else f"{b - a:+{digits}}{' points' if unit == ' %' else unit}"
        out += f"<tr><th>{label}</th><td>{a:{digits}}{unit}</td><td>{b:{digits}}{unit}</td><td>{gap}</td></tr>"
    return out

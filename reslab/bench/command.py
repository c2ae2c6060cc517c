"""What `reslab bench` and `reslab time` do: measure, print, write, compare with what was recorded."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..files import write_atomically, write_json
from .overheads import measure_overheads
from .regression import read_result, slower
from .scale import measure_scale
from .speed import Plan, measure_speed
from .tables import (
    machine_sentences,
    memory_sentence,
    overheads_table,
    scale_table,
    speed_table,
    surface_sentence,
    surface_table,
    timing_sentence,
    timing_table,
)
from .times import AXES, timing_of
from .timing import TimingPlan, measure_timings

ARCHIVE = "cifar10-png.zip"  # what a baseline reads
LINES_EVERY = 15.0  # seconds between two lines of progress where there is no terminal
WIDTH = 150  # characters of a table where there is no terminal to ask


def bench(plan: Plan, json: Path | None = None, figure: Path | None = None, against: Path | None = None) -> int:
    """Measures `plan`, prints the table and writes what was asked for: the result as JSON, its figure as HTML.

    Returns the exit code: 1 if a ratio has fallen below what `against`, an earlier result, has. Raises ValueError,
    before anything is measured, if that is no result, and BaselineFailed if the baseline does not work.
    """
    recorded = read_result(against, plan.depths) if against else None
    with _progress() as report:
        result = measure_speed(plan, report)
    console = _console()
    console.print(speed_table(result))
    for sentence in machine_sentences(result):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    if json:
        _write(json, lambda: write_json(json, result), console)
    if figure:
        from ..figures import speed  # here, because plotly takes a second to load

        _write(figure, lambda: write_atomically(figure, speed(result).to_html(include_plotlyjs=True)), console)
    if recorded:
        sentences = slower(recorded, result)
        for sentence in sentences or [f"no regression against {against.name}"]:
            console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        return 1 if sentences else 0
    return 0


def overheads(data: Path | None, json: Path | None = None) -> int:
    """Measures and prints what a run costs besides its steps; what is over its limit is shown, and is no failure."""
    with _progress() as report:
        result = measure_overheads(data, lambda what: report(what, None, None))
    console = _console()
    console.print(overheads_table(result))
    if json:
        _write(json, lambda: write_json(json, result), console)
    return 0


def scale(json: Path | None = None, figure: Path | None = None) -> int:
    """Measures and prints what grows with the number of runs, and writes what was asked for."""
    with _progress() as report:
        result = measure_scale(lambda what: report(what, None, None))
    console = _console()
    console.print(scale_table(result))
    console.print(memory_sentence(result), markup=False, highlight=False, soft_wrap=True)
    if json:
        _write(json, lambda: write_json(json, result), console)
    if figure:
        from ..figures.scale import scale as draw  # here, because plotly takes a second to load

        _write(figure, lambda: write_atomically(figure, draw(result).to_html(include_plotlyjs=True)), console)
    return 0


def surface(json: Path | None = None) -> int:
    """Measures and prints how long a point of a loss surface takes, and how long in the obvious way."""
    from .surface import measure_surface  # here, with what evaluates nets

    with _progress() as report:
        result = measure_surface(report)
    console = _console()
    console.print(surface_table(result))
    console.print(surface_sentence(result), markup=False, highlight=False, soft_wrap=True)
    if json:
        _write(json, lambda: write_json(json, result), console)
    return 0


def time_batches(plan: TimingPlan, json: Path | None = None, figure: Path | None = None, x: str | None = None) -> None:
    """Times `plan`, prints the table and writes what was asked for; `x` is the figure's horizontal axis, None for the
    batch where there are several, else the depth. Raises as time_nets does, and ValueError for an unknown axis.
    """
    x = x or ("batch" if len(plan.batch) > 1 else "depth")
    if x not in AXES:
        raise ValueError(f"x={x!r} is not possible; allowed: {', '.join(AXES)}")
    with _progress() as report:
        result = measure_timings(plan, report)
    console = _console()
    console.print(timing_table(result))
    console.print(timing_sentence(result), markup=False, highlight=False, soft_wrap=True)
    if json:
        _write(json, lambda: write_json(json, result), console)
    if figure:
        from ..figures import timing as draw  # here, because plotly takes a second to load

        drawn = draw([timing_of(row) for row in result["rows"]], x)
        _write(figure, lambda: write_atomically(figure, drawn.to_html(include_plotlyjs=True)), console)


def find_archive(data: Path | None) -> Path | None:
    """The zip of CIFAR-10's PNGs at `data`, else at RESLAB_DATA if it is there, else None.

    Raises ValueError if `data` is given and has none.
    """
    for given in filter(None, (data, os.environ.get("RESLAB_DATA"))):
        path = Path(given).expanduser()
        path = path / ARCHIVE if path.is_dir() else path
        if path.is_file() and path.suffix == ".zip":
            return path
        if data:
            raise ValueError(f"--data {data}: there is no {ARCHIVE}, which the baseline reads; give it or its folder")
    return None


def _write(path: Path, write: Callable[[], None], console: Console) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write()
    console.print(f"Written: {path}", markup=False, highlight=False, soft_wrap=True)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


@contextmanager
def _progress() -> Iterator[Callable[[str, int | None, int | None], None]]:
    """A callable to tell what begins and how much is done: a bar on stderr, in a log file a line now and then."""
    console = Console(stderr=True)
    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    # No refreshing in between: that would be another thread, on the cores that are being timed.
    bar = Progress(*columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal)
    told = -float("inf")

    def report(what: str, done: int | None, total: int | None) -> None:
        nonlocal told
        if console.is_terminal:
            bar.update(task, description=what, completed=done, total=total, refresh=True)
        elif time.monotonic() - told >= LINES_EVERY:
            told = time.monotonic()
            counted = "" if done is None else f"[{done + 1} of {total}] "
            console.print(f"{counted}{what}", markup=False, highlight=False, soft_wrap=True)

    with bar:
        task = bar.add_task("", total=None)
        yield report

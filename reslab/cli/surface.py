"""`reslab surface`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..catalog import resolve
from ..files import write_atomically, write_json
from ..runs import RunStore
from .options import Data, Store
from .sentences import sentences
from .tables import show

if TYPE_CHECKING:  # it brings torch along
    from ..probes.surface import Surface

app = typer.Typer(add_completion=False)
STOPPED = "Stopped; the same command goes on with the points that are missing."
LINES_EVERY = 15.0  # seconds between two lines of progress where there is no terminal


@app.command()
def surface_command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="Ids of finished runs, parts of them, or paths.")],
    points: Annotated[int, typer.Option(help="Points along each axis.")] = 25,
    span: Annotated[float, typer.Option(help="How far a random plane goes: 1 is as far as the filters are large.")] = 1,
    images: Annotated[int, typer.Option(help="How many images the loss is the mean over.")] = 2000,
    plane: Annotated[
        str,
        typer.Option(
            help="random; path (of training, if recorded); RUN,RUN or 0,350: through these runs or iterations too."
        ),
    ] = "random",
    at: Annotated[
        str, typer.Option(help="trained; initial; or an iteration after which the run recorded its weights.")
    ] = "trained",
    dimensions: Annotated[int, typer.Option(help="2, or 1: a line.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the random directions.")] = 0,
    split: Annotated[str, typer.Option(help="train or test.")] = "train",
    precision: Annotated[
        str, typer.Option(help="bf16, losses to 1 %; or fp32, in up to half as much time again.")
    ] = "bf16",
    store: Store = None,
    data: Data = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: the best one here.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="torch threads. Default: one a core.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the surfaces to this file.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Write their figure to this HTML file.")] = None,
) -> None:
    """The loss around trained nets (Li et al. 2018): compute what is missing of a grid of weights.

    Points are kept in the run folders as they come. The same command, started again while one runs, here or on another
    machine that sees the store, shares the work.
    """
    with sentences(STOPPED):
        import torch

        from ..probes.surface import Plan, surface

        if threads:
            torch.set_num_threads(threads)
        root = RunStore(store)
        chosen = [resolve(root, given) for given in runs]
        if "," in plane:
            parts = [given.strip() for given in plane.split(",")]
            plane = ",".join(part if part.isdigit() else resolve(root, part).id for part in parts)
        place = int(at) if at.isdigit() else at
        plan = Plan(points, span, images, split, plane, dimensions, seed, precision, place)
        found = []
        for run in chosen:
            with _progress(run.id) as report:
                found.append(surface(run, plan, data, device, report))
        show(
            ["net", "points", "loss nearest the net", "least", "largest"],
            [_row(each) for each in found],
            right=(1, 2, 3, 4),
        )
        if json:
            json.parent.mkdir(parents=True, exist_ok=True)
            write_json(json, [dict(run=run.id, **asdict(each)) for run, each in zip(chosen, found, strict=True)])
            print(f"Written: {json}")
        if figure:
            _draw(found, figure)


def _draw(surfaces: "list[Surface]", file: Path) -> None:
    from .. import figures  # here, because plotly takes a second to load

    draw = figures.loss_profile if len(surfaces[0].y) == 1 else figures.loss_surfaces
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, draw(surfaces).to_html(include_plotlyjs=True))
    print(f"Written: {file}")


def _row(each: "Surface") -> list[str]:
    losses = [loss for row in each.loss for loss in row]
    # The net is at (0, 0): the middle of random directions, anywhere on another plane.
    up, along = (min(range(len(axis)), key=lambda i: abs(axis[i])) for axis in (each.y, each.x))
    return [each.name, f"{each.total:,}", f"{each.loss[up][along]:.4g}", f"{min(losses):.4g}", f"{max(losses):.4g}"]


@contextmanager
def _progress(name: str) -> Iterator:
    """A callable to tell how many points are done: a bar on stderr with the time left, in a log file a line."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console, told = Console(stderr=True), -float("inf")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

    def report(done: int, total: int, note: str) -> None:
        nonlocal told
        bar.update(task, completed=done, total=total, description=f"{name}: {note}" if note else name)
        if not console.is_terminal and done < total and time.monotonic() - told >= LINES_EVERY:
            told = time.monotonic()
            print(f"{name}: {done} of {total} points{f', {note}' * bool(note)}", file=sys.stderr)

    with bar:
        task = bar.add_task(name, total=None)
        yield report

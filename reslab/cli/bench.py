"""`reslab bench`."""

from pathlib import Path
from typing import Annotated

import typer

from ..bench import command
from ..bench.speed import Plan
from .options import whole_numbers
from .sentences import sentences

app = typer.Typer(add_completion=False)


@app.command()
def bench_command(
    baseline: Annotated[
        Path | None,
        typer.Option(help="A script to compare with: takes --depth, prints images_per_second in JSON."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="cifar10-png.zip, for the baseline, or its folder. Default: RESLAB_DATA.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this file.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Write the figure to this HTML file.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: the best one here.")] = None,
    depths: Annotated[str, typer.Option(help="Depths of the nets, such as 20,56.")] = "20,56",
    pairs: Annotated[int, typer.Option(min=1, help="Rounds in which everyone is measured once.")] = 5,
    iterations: Annotated[int | None, typer.Option(min=1, help="Steps a block. Default: a few seconds.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="What --json wrote earlier: ends with 1 if reslab has become slower since.")
    ] = None,
    overheads: Annotated[
        bool, typer.Option("--overheads", help="Measure import, papermill, evaluation, memory.")
    ] = False,
    runs: Annotated[
        bool, typer.Option("--runs", help="Measure listing, planning and orchestrating, from ten runs to ten thousand.")
    ] = False,
    surface: Annotated[bool, typer.Option("--surface", help="Measure a point of a loss surface.")] = False,
) -> None:
    """How fast training is here, or what else takes time.

    Training is measured against another trainer, reslab's own eager step and the machine's limit.
    """
    with sentences("Stopped; nothing was written."):
        speed_only = dict(baseline=baseline, against=against, device=device)
        if overheads:
            _refuse("--overheads", speed_only | dict(figure=figure, runs=runs or None, surface=surface or None))
            raise typer.Exit(command.overheads(data, json))
        if runs:
            _refuse("--runs", speed_only | dict(data=data, surface=surface or None))
            raise typer.Exit(command.scale(json, figure))
        if surface:
            _refuse("--surface", speed_only | dict(data=data, figure=figure))
            raise typer.Exit(command.surface(json))
        wanted = tuple(dict.fromkeys(whole_numbers("depths", depths, "20,56")))
        archive = command.find_archive(data) if baseline else None
        plan = Plan(wanted, pairs, device, baseline, archive, iterations)
        raise typer.Exit(command.bench(plan, json, figure, against))


def _refuse(asked: str, others: dict[str, object]) -> None:
    for name, value in others.items():
        if value is not None:
            raise ValueError(f"{asked} measures something else: leave out --{name}")

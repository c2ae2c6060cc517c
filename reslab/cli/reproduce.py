"""`reslab reproduce`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..batch.engines import EngineOptions
from ..batch.plan import make_plan
from ..batch.reproduce import Options, reproduce
from ..batch.spec import parse_parameters
from .options import Data, Store
from .sentences import sentences

app = typer.Typer(add_completion=False)


@app.command()
def reproduce_command(
    experiment: Annotated[str, typer.Argument(help="A name in experiments/, or a YAML file.")],
    profile: Annotated[str | None, typer.Option(help="demo, short, paper or smoke. Default: the experiment's.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of each net. Default: the experiment's.")] = None,
    store: Store = None,
    data: Data = None,
    engine: Annotated[str, typer.Option(help="local: processes here; ray: tasks of a Ray cluster.")] = "local",
    jobs: Annotated[
        int | None, typer.Option(help="Runs at a time, local engine. Default: one a core, or as many as the GPUs take.")
    ] = None,
    per_gpu: Annotated[int, typer.Option(help="Runs that share one GPU.")] = 1,
    address: Annotated[
        str | None, typer.Option(help="The Ray cluster's, such as auto. Default: Ray is started here.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", metavar="NAME=VALUE", help="A RunConfig field, or a parameter of the report notebook."),
    ] = None,
    opt_in: Annotated[bool, typer.Option("--opt-in", help="With the nets that it has only when asked.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write event files too, beside the report.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and the time they will take.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the executed report notebook and the HTML page.")] = Path(
        "reports"
    ),
) -> None:
    """Run a study: train what is missing, then make its report."""
    with sentences():
        parameters = parse_parameters(parameter or [])
        options = dict(profile=profile, seeds=seeds, store=store, data=data, opt_in=opt_in, parameters=parameters)
        options["engine"] = EngineOptions(engine, jobs, per_gpu, address)
        raise typer.Exit(reproduce(make_plan(experiment, **options), Console(), Options(out, dry_run, tensorboard)))

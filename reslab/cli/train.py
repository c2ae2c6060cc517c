"""`reslab train`."""

from typing import Annotated, Any

import torch
import typer

from ..runs import RunStore
from ..training.config import RunConfig
from ..training.loop import train
from ..training.processes import joined
from ..training.progress import ProgressBar
from .fields import field_options
from .options import Data, Store, whole_numbers
from .sentences import sentences

app = typer.Typer(add_completion=False)


@app.command()
@field_options
def train_command(
    store: Store = None,
    data: Data = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: the best one here.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="torch threads. Default: one a core.")] = None,
    compile: Annotated[
        str, typer.Option(help="auto (where it saves more time than it costs), always or never.")
    ] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that decode pictures. Default: by the cores; 0: none.")
    ] = None,
    record: Annotated[
        str, typer.Option(help="What the run keeps of its course, for probes: signals, weights or signals,weights.")
    ] = "",
    wait: Annotated[bool, typer.Option(help="Wait if another process trains this run, or end at once.")] = True,
    **values: Any,
) -> None:
    """Train one net; resume it, or return what is there."""
    with joined() as processes, sentences(quiet=not processes.leads):
        for name, example in (("lr_drops", "240,340"), ("scale", "256,480"), ("sigma", "25,25")):
            if values[name] is not None:
                values[name] = whole_numbers(name, values[name], example)
        config = processes.together(lambda: RunConfig(**values))
        if threads:
            torch.set_num_threads(threads)
        bar = ProgressBar(config.net_name)
        options = dict(device=device, data=data, compile=compile, workers=workers, wait=wait, record=record)
        run = train(config, RunStore(store), progress=bar, **options)
        if not processes.leads:
            return
        row = run.final
        errors = f"training error {row['train_error']:.2f} %, test error {row['test_error']:.2f} %"
        print(f"{errors} after {row['iteration']:,} iterations in {row['seconds']:.0f} s: {run.path}")

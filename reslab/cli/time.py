"""`reslab time`."""

from pathlib import Path
from typing import Annotated

import typer

from ..bench import command
from ..bench.named import with_rivals
from ..bench.timing import TimingPlan
from .options import whole_numbers
from .sentences import sentences

app = typer.Typer(add_completion=False)
DEPTHS = "18,34,50"


@app.command()
def time_command(
    nets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NET",
            help="resnet-50, resnet-34-A, plain-34, cifar-56, cifar-56-none, torchvision:vgg16 ...; fast:resnet-50 has "
            "the options of the training loop. Default: resnet-DEPTH of --depths.",
        ),
    ] = None,
    depths: Annotated[str | None, typer.Option(help=f"Of the ResNets, instead of NETs. Default: {DEPTHS}.")] = None,
    against_torchvision: Annotated[
        bool, typer.Option("--against-torchvision", help="Time torchvision's same nets in the same rounds.")
    ] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="Time our nets with the options of the training loop, too.")
    ] = False,
    batch: Annotated[
        str | None, typer.Option(help="Images a batch; several, such as 1,2,4. Default: 4, on a GPU 64.")
    ] = None,
    size: Annotated[int | None, typer.Option(min=1, help="Pixels a side. Default: 224, for CIFAR's nets 32.")] = None,
    batches: Annotated[
        int | None, typer.Option(min=2, help="Batches timed of each net. Default: 20, on a GPU 100.")
    ] = None,
    warm_up: Annotated[int | None, typer.Option(min=0, help="Batches before them. Default: 2, on a GPU 10.")] = None,
    mode: Annotated[str, typer.Option(help="forward, or both: forward, and forward plus backward.")] = "both",
    precision: Annotated[str, typer.Option(help="fp32, or bf16 by autocast.")] = "fp32",
    channels_last: Annotated[
        bool, typer.Option("--channels-last", help="Weights and images in channels-last format.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: the best one here.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="torch threads. Default: one a core.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this file.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Write the figure to this HTML file.")] = None,
    x: Annotated[
        str | None, typer.Option(help="The figure's axis: depth, multiply_adds, or batch. Default: depth.")
    ] = None,
) -> None:
    """How long nets take, ours and torchvision's: forward, and forward plus backward.

    The articles' benchmark is --batch 64 --batches 100 --warm-up 10.
    """
    with sentences("Stopped; nothing was written."):
        if nets and depths is not None:
            raise ValueError("--depths is for when no NET is given: leave out one of the two")
        wanted = nets or [
            f"resnet-{depth}" for depth in whole_numbers("depths", DEPTHS if depths is None else depths, DEPTHS)
        ]
        names = with_rivals(wanted, against_torchvision, fast)
        sizes = None if batch is None else tuple(whole_numbers("batch", batch, "1,2,4"))
        plan = TimingPlan(tuple(names), sizes, size, batches, warm_up, precision, channels_last, mode, device, threads)
        command.time_batches(plan, json, figure, x)

"""`reslab evaluate`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..catalog import resolve
from ..figures.published_imagenet import COMPARABLE, MULTI_SCALE, TEN_CROPS, Errors, paper_name, published_imagenet
from ..files import write_json
from ..runs import RunStore
from ..training.evaluation import Evaluation, evaluate, evaluate_published
from .options import Data, Store
from .sentences import sentences
from .tables import show

app = typer.Typer(add_completion=False)


@app.command()
def evaluate_command(
    run: Annotated[str | None, typer.Argument(help="Id of a finished run, a part of it, or a path.")] = None,
    views: Annotated[int, typer.Option(help="1 (the central crop) or 10 (the paper's; for pictures).")] = 1,
    weights: Annotated[
        str | None, typer.Option(help="Of torchvision instead of a run's, such as IMAGENET1K_V1, with --depth.")
    ] = None,
    depth: Annotated[int | None, typer.Option(help="With --weights: 18, 34, 50, 101 or 152.")] = None,
    dataset: Annotated[str | None, typer.Option(help="With --weights: imagenet (the default) or folder:PATH.")] = None,
    store: Store = None,
    data: Data = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: the best one here.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that decode pictures. Default: by the cores; 0: none.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this file.")] = None,
) -> None:
    """Top-1 and top-5 error of a finished run's weights, or of torchvision's, beside the paper's."""
    with sentences("Stopped; nothing was written."):
        how = dict(views=views, data=data, device=device, workers=workers)
        if weights is not None:
            if run is not None or depth is None:
                raise ValueError("--weights are torchvision's: give their --depth, and no run")
            found = evaluate_published(weights, depth, dataset or "imagenet", **how)
            name, paper, family = f"ResNet-{depth} {weights}", None, "imagenet"
        else:
            if run is None or (depth, dataset) != (None, None):
                raise ValueError("name a finished run, or with --weights torchvision's, their --depth and --dataset")
            of = resolve(RunStore(store), run)
            found = evaluate(of, **how)
            name, paper, family = of.config.net_name, published_imagenet(of.config), of.config.family
        if json:
            json.parent.mkdir(parents=True, exist_ok=True)
            write_json(json, dict(name=name) | asdict(found))
        _show(name, found, paper, family == "imagenet")
        if json:
            print(f"Written: {json}")


def _show(name: str, found: Evaluation, paper: Errors | None, table: bool) -> None:
    print(f"{found.n:,} held-out images, {found.views} view{'s' * (found.views > 1)} each, loss {found.loss:.4f}")
    rows = [[name, str(found.views), f"{found.top1:.2f}", f"{found.top5:.2f}"]]
    if table:
        for views, printed in (("10", TEN_CROPS), ("multi-scale", MULTI_SCALE)):
            for (shortcut, depth), errors in printed.items():
                top5 = "" if errors.top5 is None else f"{errors.top5:.2f}"
                rows.append([f"paper's {paper_name(shortcut, depth)}", views, f"{errors.top1:.2f}", top5])
    show(["net", "views", "top-1 error %", "top-5 error %"], rows, right=(1, 2, 3))
    if paper is not None and found.views == 10:
        print(f"The paper prints {paper.top1:.2f} for this net under this recipe: {found.top1 - paper.top1:+.2f} here.")
    elif table:
        print(f"The paper's are He et al. 2015, tables 2 to 4; {COMPARABLE}.")

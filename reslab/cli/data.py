"""`reslab data`."""

from typing import Annotated

import typer

from ..data import DATASETS, load_dataset
from .options import Data
from .sentences import sentences

app = typer.Typer(add_completion=False)


@app.command()
def data_command(
    name: Annotated[str, typer.Argument(help=" or ".join(DATASETS))] = "cifar10", data: Data = None
) -> None:
    """Find a data set, or download it; verify and cache it."""
    with sentences():
        dataset = load_dataset(name, root=data)
        for split in ("train", "test"):
            images = getattr(dataset, f"{split}_images")
            size = "x".join(map(str, images.shape[1:]))
            print(f"{split:5}  {len(images):6,} images of {size}  {dataset.fingerprint[split]}")
        print(f"{len(dataset.classes)} classes: {', '.join(dataset.classes)}")

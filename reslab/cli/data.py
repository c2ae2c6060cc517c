"""`reslab data`."""

from pathlib import Path
from typing import Annotated

import typer

from ..data import DATASETS, FOLDER, load_dataset
from ..data.export import write_folder
from ..detection.datasets import BOX_DATASETS
from .options import Data
from .sentences import sentences

app = typer.Typer(add_completion=False)


@app.command()
def data_command(
    name: Annotated[str, typer.Argument(help=f"{', '.join([*DATASETS, *BOX_DATASETS])} or {FOLDER}PATH")] = "cifar10",
    data: Data = None,
    export: Annotated[Path | None, typer.Option(help="Write it to this new folder, as PNG files by class.")] = None,
    size: Annotated[int | None, typer.Option(min=1, help="With --export: the pictures' side. Default: kept.")] = None,
    train: Annotated[int | None, typer.Option(help="With --export: so many training images. Default: all.")] = None,
    test: Annotated[int | None, typer.Option(help="With --export: so many test images. Default: all.")] = None,
    boxes: Annotated[bool, typer.Option("--boxes", help=f"{FOLDER}PATH is in VOC layout, for detection.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Of pictures: processes that check them. Default: by the cores.")
    ] = None,
) -> None:
    """Find a data set, or download it; verify and cache it; on request write it as a folder of pictures."""
    with sentences():
        if boxes and not name.startswith(FOLDER):
            raise ValueError(f"--boxes is for {FOLDER}PATH, a folder in VOC layout, not for {name}")
        if boxes or name in BOX_DATASETS:
            _describe_boxes(name, data, workers)
            if (export, size, train, test) != (None,) * 4:
                raise ValueError(f"{name} has boxes, which --export does not write: leave out what goes with it")
            return
        if name.startswith(FOLDER) or (name in DATASETS and DATASETS[name].size is None):
            _describe(name, data, workers)
            if (export, size, train, test) != (None,) * 4:
                raise ValueError(f"{name} is a folder of pictures already: leave out --export and what goes with it")
            return
        dataset = load_dataset(name, root=data)
        for split in ("train", "test"):
            images = getattr(dataset, f"{split}_images")
            shape = "x".join(map(str, images.shape[1:]))
            print(f"{split:5}  {len(images):6,} images of {shape}  {dataset.fingerprint[split]}")
        print(f"{len(dataset.classes)} classes: {', '.join(dataset.classes)}")
        if export:
            print(f"Written: {write_folder(dataset, export, size, train, test)}")
        elif (size, train, test) != (None, None, None):
            raise ValueError("--size, --train and --test say what --export writes: name its folder")


def _describe(name: str, data: Path | None, workers: int | None) -> None:
    """Finds and verifies pictures, and says what they are."""
    from ..data.pictures import listed, shown  # here, because other data sets do not need them
    from ..data.verifying import verified_pictures

    pictures = verified_pictures(name, data, workers)
    for split in (pictures.train, pictures.held_out):
        print(f"{split.names[0].split('/')[0]:5}  {len(split.names):9,} pictures, every one whole")
    print(f"{len(pictures.classes):,} classes: {listed(pictures.classes)}")
    print(f"{shown(pictures.root)}, digest of names and sizes {pictures.digest}")


def _describe_boxes(name: str, data: Path | None, workers: int | None) -> None:
    """Finds and verifies pictures with boxes, and says what they are."""
    from ..data.loading import Workers, default_workers  # here, because other data sets do not need them
    from ..data.pictures import listed, shown
    from ..data.verifying import verify
    from ..detection.source import find_boxes

    pictures = find_boxes(name, data)
    if name != "scenes":
        with Workers(default_workers() if workers is None else workers) as some:
            verify(pictures, some, True)
    for split, of in (("train", pictures.train), ("held out", pictures.held_out)):
        objects = sum(len(labelled.labels) for labelled in of.pictures)
        print(f"{split:8}  {len(of.pictures):9,} pictures, {objects:,} objects")
    print(f"{len(pictures.classes):,} classes: {listed(pictures.classes)}")
    for slip in pictures.slips:
        print(f"passed over: {slip}")
    print(f"{shown(pictures.root)}, digest {pictures.digest}" if name != "scenes" else f"digest {pictures.digest}")

"""What a run's task decides about its figures."""

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go
import torch

from ..runs import Run
from ..training.config import RunConfig
from .boxes import GAP, Pen, Sheet
from .curves import error_curves
from .denoising import denoising_curves
from .detection_curves import detection_curves
from .images import image_grid

CURVES = dict(classification=error_curves, detection=detection_curves, denoising=denoising_curves)
SIDE = 260  # pixels a picture with boxes
OBJECT, DIFFICULT = Pen("object", "#0072b2"), Pen("difficult: it counts neither way", "#5b6472", "dot")

Target = dict[str, torch.Tensor]


def run_curves(runs: Iterable[Run]) -> go.Figure:
    """What the runs' task measures, over training: error curves, mean average precision, or signal to noise. Raises
    ValueError for runs of several tasks.
    """
    runs = list(runs)
    tasks = {run.config.task for run in runs}
    if len(tasks) > 1:
        raise ValueError(f"runs of {' and '.join(sorted(tasks))} have no common measure; draw those of one task")
    return CURVES[tasks.pop() if tasks else "classification"](runs)


def training_examples(
    config: RunConfig,
    pictures: torch.Tensor | Sequence[torch.Tensor],
    truth: torch.Tensor | Sequence[Target],
    classes: Sequence[str],
) -> go.Figure:
    """A source's examples (see reslab.training.sources) as the task of `config` sees them: uint8 pictures
    [n, 3, S, S] with the names of their classes, for denoising without, or for detection pictures [3, H, W] of any
    sizes with their boxes.
    """
    if config.task == "detection":
        return _with_boxes(pictures, truth, classes)
    if config.task == "denoising":
        return image_grid(pictures)
    return image_grid(pictures, truth, classes)


def _with_boxes(pictures: Sequence[torch.Tensor], targets: Sequence[Target], classes: Sequence[str]) -> go.Figure:
    sheet = Sheet()
    for number, (picture, target) in enumerate(zip(pictures, targets, strict=True)):
        spot = sheet.place(picture, number * (SIDE + GAP), 0, SIDE)
        for pen, chosen in ((OBJECT, ~target["difficult"]), (DIFFICULT, target["difficult"])):
            if chosen.any():
                names = [classes[label - 1] for label in target["labels"][chosen].tolist()]
                sheet.draw(pen, number, spot, target["boxes"][chosen], names)
    return sheet.finished("What is there", "boxes that a perfect detector would draw")

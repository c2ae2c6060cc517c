"""What trained detectors make of held-out pictures, for a notebook to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torchvision.ops import box_iou

from ..detection.looking import Detections, Proposals, detect
from ..detection.net import Detector
from ..detection.source import Target
from ..runs import Run
from ..training.config import RunConfig
from ..training.sources import opened


@dataclass(frozen=True)
class Looked:
    """Held-out pictures, uint8 [3, H, W] as large as the nets see them, and what is there; each net by its config, and
    its detections, picture by picture. All on the CPU.
    """

    pictures: list[torch.Tensor]
    targets: list[Target]
    classes: tuple[str, ...]
    nets: dict[RunConfig, Detector]
    found: dict[RunConfig, list[Detections]]

    @property
    def fullest(self) -> int:
        """The first picture with the most objects."""
        return max(range(len(self.targets)), key=lambda number: len(self.targets[number]["labels"]))


def look(runs: Sequence[Run], most: int = 100, data: str | Path | None = None) -> Looked:
    """Has the nets of finished detection `runs` look at the first held-out pictures, at most `most`.

    Raises ValueError for no runs, for a run of another task, and for runs whose held-out pictures are not the same.
    """
    if not runs:
        raise ValueError("there is no run to look with; give at least one of detection")
    for run in runs:
        if run.config.task != "detection":
            raise ValueError(f"{run.id} is a run of {run.config.task}; give runs of detection")
    first = runs[0].config
    for run in runs:
        if _data(run.config) != _data(first):
            raise ValueError(f"{run.id} has other held-out pictures than {runs[0].id}; look at each by itself")
    with opened(first, "cpu", data, workers=0) as source:
        pairs = (pair for batch in source.held_out() for pair in zip(*batch, strict=True))
        images, targets = zip(*islice(pairs, most), strict=True)
        classes = tuple(source.classes)
    pictures = [(255 * image).round().to(torch.uint8) for image in images]
    nets = {run.config: run.net() for run in runs}
    found = {config: [detect(net, picture) for picture in pictures] for config, net in nets.items()}
    return Looked(pictures, list(targets), classes, nets, found)


def emptiest(proposed: Proposals, target: Target) -> torch.Tensor:
    """The proposal, float [4], that overlaps the objects least; of several, the one that is believed in least."""
    overlaps = box_iou(proposed.boxes, target["boxes"]).amax(1)
    return proposed.boxes[(overlaps == overlaps.min()).nonzero().max()]


def _data(config: RunConfig) -> tuple[object, ...]:
    return config.dataset, config.found, config.val_split, config.image_size

"""Detection of random boxes in random pictures, of a config's shapes: for timing, where no data need be there."""

from collections.abc import Iterator
from typing import Any

import torch
from torchvision.ops import FrozenBatchNorm2d

from ..training.config import RunConfig
from .net import Detector
from .task import Detection

BOXES = 3  # a picture
PICTURES = 8  # an evaluation batch
Batch = tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]


class RandomBoxes:
    """A BoxSource (see source.py) of squares of `config.image_size`, of which `count` are held out."""

    def __init__(self, config: RunConfig, count: int, device: torch.device):
        self.config, self.count, self.device = config, count, device
        self.classes = tuple(map(str, range(config.facts.classes)))
        self.fingerprint: dict[str, Any] = {}

    def batch(self, iteration: int) -> Batch:
        return self._pictures(self.config.batch, iteration)

    def held_out(self) -> Iterator[Batch]:
        for start in range(0, self.count, PICTURES):
            images, targets = self._pictures(min(PICTURES, self.count - start), start)
            yield images, [target | dict(difficult=torch.zeros_like(target["labels"]).bool()) for target in targets]

    def _pictures(self, count: int, seed: int) -> Batch:
        generator, side = torch.Generator().manual_seed(seed), self.config.image_size
        images, targets = [], []
        for _ in range(count):
            images.append(torch.rand(3, side, side, generator=generator).to(self.device))
            corner = torch.rand(BOXES, 2, generator=generator) * side / 2
            sides = side / 8 + torch.rand(BOXES, 2, generator=generator) * side / 4
            labels = torch.randint(1, len(self.classes) + 1, (BOXES,), generator=generator)
            boxes = torch.cat([corner, corner + sides], 1)
            targets.append(dict(boxes=boxes.to(self.device), labels=labels.to(self.device)))
        return images, targets


class RandomDetection(Detection):
    """Detection on RandomBoxes, `count` of them held out, by a net for which no weights are downloaded."""

    def __init__(self, config: RunConfig, count: int, device: torch.device):
        super().__init__(config, RandomBoxes(config, count, device), device)

    def _load_pretrained(self, net: Detector) -> None:
        """Makes fixed batch norm halve what it gets. As it is made, it changes nothing: of random weights the signal
        would grow from block to block, until no box is finite and there is no RoI to be timed.
        """
        for module in net.modules():
            if isinstance(module, FrozenBatchNorm2d):
                module.weight.fill_(0.5)

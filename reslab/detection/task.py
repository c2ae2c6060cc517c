"""Detection as a task of the loop: Faster R-CNN's four losses, trained jointly, and mean average precision."""

from collections.abc import Sequence

import torch

from ..nets.imagenet import imagenet_net
from ..precision import BF16, computed_in
from ..training.config import RunConfig
from ..training.processes import SOLO, Processes
from ..training.state import seed
from ..training.tasks import NOT_PRETRAINED
from .metrics import mean_average_precision
from .net import Detector, Target, load_classifier
from .source import BoxSource

Batch = tuple[Sequence[torch.Tensor], Sequence[Target]]


class Detection:
    """Faster R-CNN trained in one go, "approximate joint training" (Ren et al. 2015, section 3.2), by one process. The
    error of training is the percentage of sampled RoIs that are given a wrong class; that of testing is what mAP@.5
    lacks to 100 %.

    What is sampled is drawn from torch's global random numbers, which the loop seeds before each iteration. On a GPU
    RoIAlign adds its gradients in any order: there a resumed run is the same up to rounding.
    """

    def __init__(self, config: RunConfig, source: BoxSource, device: torch.device | str, processes: Processes = SOLO):
        self.config, self.source, self.device = config, source, torch.device(device)
        self.fingerprint = source.fingerprint

    def make_net(self) -> Detector:
        config = self.config
        net = config.make_net(torch.Generator().manual_seed(config.seed))
        if config.pretrained != NOT_PRETRAINED:
            self._load_pretrained(net)
        net.bf16 = computed_in(config.precision, self.device) == BF16
        return net.to(self.device, memory_format=torch.channels_last)

    def _load_pretrained(self, net: Detector) -> None:
        config, stride_on = self.config, self.config.stride_on or "3x3"
        trained = imagenet_net(config.depth, config.shortcut, stride_on=stride_on, weights=config.pretrained)
        load_classifier(net, trained.state_dict())

    def batch(self, iteration: int) -> Batch:
        return self.source.batch(iteration)

    def loss(self, net: Detector, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        losses, wrong = net.losses(*batch)
        return sum(losses.values()), wrong

    def evaluate(self, net: Detector) -> dict[str, float]:
        """`map50` and `map` in percent, besides the loss and the error of all tasks. The loss is without the difficult
        objects; what is sampled for it is the same every time.
        """
        found, wanted, total = [], [], torch.zeros((), device=self.device)
        net.eval()
        cuda = [self.device] if self.device.type == "cuda" else []
        with torch.inference_mode(), torch.random.fork_rng(devices=cuda):
            seed(0, self.device)
            for images, targets in self.source.held_out():
                found += net(images)
                wanted += targets
                losses, _ = net.losses(images, [_easy(target) for target in targets])
                total += sum(losses.values()) * len(images)
        net.train()
        scores = mean_average_precision(found, wanted)
        return dict(test_loss=float(total) / len(wanted), test_error=100 - scores["map50"], **scores)


def _easy(target: Target) -> Target:
    kept = ~target["difficult"]
    return dict(boxes=target["boxes"][kept], labels=target["labels"][kept])

"""What a task supplies to the loop: a net, batches, a loss and metrics. The loop knows nothing else about it."""

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import nn

from ..data import Dataset
from ..data.tensors import TensorSource
from ..precision import autocast
from .config import RunConfig
from .processes import SOLO, Processes
from .sources import Source


class Task(Protocol):
    """The loop's view of a task."""

    def make_net(self) -> nn.Module:
        """A freshly initialised net on the device, determined by the config's seed."""

    def batch(self, iteration: int) -> tuple[Any, ...]:
        """The training batch of an iteration (from 0): a pure function of the config and the iteration.

        On the device; tensors, of the same shapes every time, where the task can be compiled. Of several processes each
        gets its equal share.
        """

    def loss(self, net: nn.Module, batch: tuple[Any, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """(loss to minimise, error in percent) of a training batch: two scalars on the device, not synchronised."""

    def evaluate(self, net: nn.Module) -> dict[str, float]:
        """How well the net does on held-out data, with batch norm's running statistics: "test_loss", "test_error" in
        percent, and what else this task measures, by its columns in metrics.csv (see reslab.runs.TASK_COLUMNS). Each
        process evaluates its share, and gets the numbers of all.
        """


def as_source(source: Any, config: RunConfig, device: torch.device, processes: Processes) -> Any:
    """`source` as it is, or the batches of a Dataset in memory."""
    if not isinstance(source, Dataset):
        return source
    numbers = (config.image_size, config.batch, config.seed, config.val_split)
    return TensorSource(source, *numbers, device, processes.share)


def seeded_net(config: RunConfig, device: torch.device) -> nn.Module:
    """The config's net, initialised on the CPU whatever the device, so that a seed means the same weights on both."""
    net = config.make_net(torch.Generator().manual_seed(config.seed))
    return net.to(device, memory_format=torch.channels_last)


class Classification:
    """Image classification with cross-entropy and top-1 error (He et al. 2015, section 4.2)."""

    def __init__(
        self, config: RunConfig, source: Source | Dataset, device: torch.device | str, processes: Processes = SOLO
    ):
        self.config, self.device, self.processes = config, torch.device(device), processes
        self.source = source = as_source(source, config, self.device, processes)
        self.classes = source.classes
        self.fingerprint = self.source.fingerprint

    def make_net(self) -> nn.Module:
        return seeded_net(self.config, self.device)

    def batch(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.processes.together(lambda: self.source.batch(iteration))  # a picture may be damaged

    def _logits(self, net: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Float32 logits; under bf16 the layers run in autocast, weights and their updates stay float32."""
        with autocast(self.config.precision, self.device):
            return net(images).float()

    def loss(self, net: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = batch
        logits = self._logits(net, images)
        error = 100 * (logits.detach().argmax(1) != labels).float().mean()
        return F.cross_entropy(logits, labels), error

    def evaluate(self, net: nn.Module) -> dict[str, float]:
        loss, wrong, count = self.processes.total(*self.processes.together(lambda: self._totals(net)))
        return dict(test_loss=loss / count, test_error=100 * wrong / count)

    def _totals(self, net: nn.Module) -> tuple[float, float, int]:
        """Summed loss, wrong answers and number of this process's share of the held-out data."""
        net.eval()
        totals, count = torch.zeros(2, device=self.device), 0
        with torch.inference_mode():
            for images, labels in self.source.held_out():
                logits = self._logits(net, images)
                wrong = (logits.argmax(1) != labels).sum()
                totals += torch.stack([F.cross_entropy(logits, labels, reduction="sum"), wrong])
                count += len(labels)
        net.train()
        loss, wrong = totals.tolist()
        return loss, wrong, count

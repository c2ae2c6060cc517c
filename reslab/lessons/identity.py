"""One block that is to learn nothing: its target is its input (He et al. 2015, section 3.1)."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..nets.blocks import BasicBlock, initialise
from ..nets.registry import shortcut_class


@dataclass(frozen=True)
class Lesson:
    """What was measured on each step's batch before the weights moved; arrays [steps]."""

    shortcut: str
    seed: int
    distance: np.ndarray  # the norm of y - x over the norm of x
    residual: np.ndarray  # the norm of F(x) over the norm of x


def towards_identity(
    features: torch.Tensor, shortcut: str, seed: int = 0, *, steps: int = 200, lr: float = 0.1, batch: int = 32
) -> Lesson:
    """Trains a basic block that keeps the shape of x on the target y = x, by the mean squared error.

    `features` [N, C, H, W] are what x is drawn from, `batch` of them a step. SGD with momentum 0.9 and weight decay
    1e-4, He initialisation: the paper's recipe without its drops of the learning rate. `seed` makes weights and batches
    reproducible; blocks with different shortcuts start from the same weights of F and see the same batches.

    Raises ValueError for features with a negative value: the block ends in a ReLU and could not give it back.
    """
    if features.min() < 0:
        raise ValueError("features must not be negative: the block ends in a ReLU and could never return them")
    channels, generator = features.shape[1], torch.Generator().manual_seed(seed)
    block = BasicBlock(channels, channels, 1, shortcut_class(shortcut))
    initialise(block, generator)
    batches = torch.Generator().manual_seed(seed)  # of its own: a shortcut with weights would shift the other's numbers
    optimizer = torch.optim.SGD(block.parameters(), lr, momentum=0.9, weight_decay=1e-4)
    measured = []
    for _ in range(steps):
        x = features[torch.randint(len(features), (batch,), generator=batches)]
        fx = block.residual(x)
        y = F.relu(block.shortcut(x, fx))
        with torch.no_grad():
            measured.append(torch.stack([(y - x).norm(), fx.norm()]) / x.norm())
        optimizer.zero_grad()
        F.mse_loss(y, x).backward()
        optimizer.step()
    distance, residual = torch.stack(measured).double().numpy().T
    return Lesson(shortcut, seed, distance, residual)

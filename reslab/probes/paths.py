"""Which paths carry the gradient: by the number of blocks whose residual branch they go through (Veit et al. 2016)."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class PathShare:
    """The gradient that arrives at the input through paths of each length: blocks that they go through by F."""

    lengths: tuple[int, ...]  # 0 to the number of blocks
    gradient: tuple[float, ...]  # magnitude of one path of this length, mean over paths and images
    share: tuple[float, ...]  # of all magnitude, that of all paths of this length together; adds up to 1


def gradient_by_path_length(
    net: nn.Module, images: torch.Tensor, labels: torch.Tensor, samples: int = 10, seed: int = 0
) -> PathShare:
    raise NotImplementedError

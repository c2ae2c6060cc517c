"""Shattered gradients: how alike the gradients of neighbouring inputs are (Balduzzi et al. 2017, 1702.08591)."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..runs import Run
from .results import kept
from .subject import INITIAL, subject


@dataclass(frozen=True)
class Correlation:
    """How alike gradients are that lie `lags` points apart on a line: 1 the same direction, 0 unrelated."""

    lags: tuple[int, ...]  # 0, 1, 2 ... points
    values: tuple[float, ...]
    points: int  # on the line


def gradient_correlation(net: nn.Module, start: torch.Tensor, end: torch.Tensor, points: int = 256) -> Correlation:
    raise NotImplementedError

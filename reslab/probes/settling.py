"""Nets whose batch norms know some pictures, though they were never trained."""

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..runs import Run
from .subject import Subject, subject
from .when import INITIAL


@torch.no_grad()
def settled(net: nn.Module, images: torch.Tensor) -> nn.Module:
    """A copy of `net`, in evaluation mode, whose batch norms have the statistics of `images` [N, 3, H, W] as their
    running ones: those of a net before training say nothing yet, so that without this it would run without batch norm.
    """
    twin = copy.deepcopy(net).train()
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches, of which there is one
    twin(images)
    return twin.eval()


def settled_subject(run: Run, at: str | int, *how: Any, **fields: Any) -> Subject:
    """`subject`, whose batch norms have the statistics of its own pictures if it was never trained."""
    shown = subject(run, at, *how, **fields)
    return replace(shown, net=settled(shown.net, shown.images)) if at in (INITIAL, 0) else shown

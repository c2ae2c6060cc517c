"""What a picture has become after each part of a net."""

import copy

import torch
from torch import nn


def stage_outputs(net: nn.Module, image: torch.Tensor) -> dict[str, torch.Tensor]:
    """The output [C, H, W], or [classes], of each child of `net`, by name and in the order in which they run, for one
    `image`, float [3, H, W].

    A copy of the net looks, in the mode that `net` is in: its running statistics stay as they were. In training mode
    batch norm takes those of this image.
    """
    seen: dict[str, torch.Tensor] = {}
    twin = copy.deepcopy(net)
    for name, child in twin.named_children():
        child.register_forward_hook(lambda _child, _inputs, output, name=name: seen.update({name: output[0]}))
    with torch.no_grad():
        twin(image[None])
    return seen


def strongest(maps: torch.Tensor, count: int) -> list[int]:
    """The channels of `maps` [C, H, W] with the highest mean, at most `count`, the highest first."""
    return maps.mean((1, 2)).topk(min(count, len(maps))).indices.tolist()

"""What the blocks of a net get to see."""

import copy

import torch
from torch import nn

from ..nets.blocks import Block


def block_inputs(net: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """x of every block [N, C, H, W], by the block's name in the order in which they run, while `net`, in the mode that
    it is in, looks at `images` [N, 3, H, W].

    A copy of the net looks: the net stays as it was, running statistics and all.
    """
    seen: dict[str, torch.Tensor] = {}
    twin = copy.deepcopy(net)
    for name, module in twin.named_modules():
        if isinstance(module, Block):
            module.register_forward_pre_hook(lambda _block, inputs, name=name: seen.update({name: inputs[0]}))
    with torch.no_grad():
        twin(images)
    return seen

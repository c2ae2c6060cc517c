"""The paper's two blocks at the same number of channels, to count and to draw (He et al. 2015, figure 5)."""

from dataclasses import dataclass

import torch
from torch import nn

from .blocks import BasicBlock, Block, Bottleneck
from .shortcuts import IdentityPadded


@dataclass(frozen=True)
class BlockPair:
    """A basic block of `outer` channels, and a bottleneck from `outer` to `inner` channels and back.

    Both keep the shape of x, and have the identity as shortcut.
    """

    outer: int
    inner: int
    basic: BasicBlock
    bottleneck: Bottleneck

    @property
    def weights(self) -> tuple[int, int]:
        """Weights of the convolutions: of the basic block, of the bottleneck."""
        return conv_weights(self.basic), conv_weights(self.bottleneck)

    @property
    def factor(self) -> float:
        """How many times more weights the basic block has."""
        basic, bottleneck = self.weights
        return basic / bottleneck


def block_pair(outer: int = 256, inner: int = 64) -> BlockPair:
    """The two blocks, as modules on the meta device: they have shapes, and take no memory.

    Raises ValueError for channels below 1, and where `outer` is no multiple of `inner`, as a bottleneck's is.
    """
    for name, channels in (("outer", outer), ("inner", inner)):
        if channels < 1:
            raise ValueError(f"{name}={channels} must be at least 1")
    if outer % inner:
        raise ValueError(f"outer={outer} must be a multiple of inner={inner}, such as {inner * (outer // inner + 1)}")
    # The paper's bottleneck widens to four times its inner channels; this one to as many as are asked for.
    widening = type("Bottleneck", (Bottleneck,), dict(expansion=outer // inner))
    with torch.device("meta"):
        return BlockPair(
            outer, inner, BasicBlock(outer, outer, 1, IdentityPadded), widening(outer, inner, 1, IdentityPadded)
        )


def conv_weights(block: Block) -> int:
    """Weights of all convolutions of a block, those of its shortcut included; batch norm's are left out."""
    return sum(layer.weight.numel() for layer in block.modules() if isinstance(layer, nn.Conv2d))

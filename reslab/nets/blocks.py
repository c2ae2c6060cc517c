"""The two building blocks: a residual function F, the shortcut that merges x into it, and what comes after (He et al.
2015, figure 5).
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from .convolution import Conv2d
from .orders import ORDERS
from .registry import Shortcut, is_a_users
from .shortcuts import Plain

MakeShortcut = Callable[[int, int, int], Shortcut]  # (in_channels, out_channels, stride) -> its shortcut


class Block(nn.Module):
    """y = after(merge(x, F(x))): [N, in_channels, H, W] -> [N, expansion * channels, H/stride, W/stride].

    `order` says where BN and ReLU stand: see reslab.nets.orders. The first block of a pre-activation net is `activated`
    already, by the stem, for both of its branches (He et al. 2016, appendix): it leaves out its leading activation.
    `stride_on` is the kernel of the convolution that has the stride: "1x1" is the first one, as in the paper, "3x3" the
    first 3x3, as in torchvision. A basic block has it on its first 3x3 either way.

    A ReLU right after a batch norm, or after a shortcut's sum, works in place, as torchvision's do: it saves 2 % of the
    time (docs/benchmarks.md). A forward hook on that batch norm sees the norm's output, and has to copy what it keeps.
    """

    expansion = 1
    kernels: tuple[int, ...] = ()  # of the convolutions on the main path

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        shortcut: MakeShortcut,
        order: str = "original",
        activated: bool = False,
        stride_on: str = "1x1",
    ):
        super().__init__()
        layers, out_channels = len(self.kernels), self.expansion * channels
        steps, last = ORDERS[order].arrangement(layers)
        self.steps = steps[len(ORDERS[order].leading) :] if activated else steps
        self.last = last
        widths = [in_channels, *[channels] * (layers - 1), out_channels]
        strided = self.kernels.index(3) if stride_on == "3x3" else 0
        for i, kernel in enumerate(self.kernels):
            inside, outside = widths[i : i + 2]
            conv = Conv2d(inside, outside, kernel, stride if i == strided else 1, kernel // 2, bias=False)
            norm = nn.BatchNorm2d(inside if "bn" in ORDERS[order].leading else outside)
            for name, layer in ((f"conv{i + 1}", conv), (f"bn{i + 1}", norm), (f"relu{i + 1}", nn.ReLU())):
                if name in (*self.steps, *last):
                    self.add_module(name, layer)
        self.shortcut = shortcut(in_channels, out_channels, stride)
        # A user's merge may return what it was given, or keep it; Plain's does return F(x).
        merge = "own" if isinstance(self.shortcut, Plain) or is_a_users(self.shortcut) else "sum"
        for before, name in (*pairwise(self.steps), *pairwise([merge, *last])):
            if name.startswith("relu"):
                getattr(self, name).inplace = before == "sum" or before.startswith("bn")

    def residual(self, x: torch.Tensor) -> torch.Tensor:
        for name in self.steps:
            x = getattr(self, name)(x)
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.shortcut(x, self.residual(x))
        for name in self.last:
            y = getattr(self, name)(y)
        return y


class BasicBlock(Block):
    """F has two 3x3 convolutions."""

    kernels = (3, 3)


class Bottleneck(Block):
    """F has a 1x1, a 3x3 and a 1x1 convolution; the last one has four times the channels."""

    expansion = 4
    kernels = (1, 3, 1)


BLOCKS: dict[str, type[Block]] = {"basic": BasicBlock, "bottleneck": Bottleneck}
STRIDES = ("3x3", "1x1")  # where a bottleneck may have its stride


def initialise(net: nn.Module, generator: torch.Generator | None = None) -> None:
    """He initialisation in place: zero-mean normal weights with std sqrt(2 / fan_in) for convolutions (He et al. 2015b,
    1502.01852, eq. 10).

    The rule is made for layers followed by a ReLU. The classifier is not: it gets std 0.01 and no bias, so that
    training starts from the uniform guess, loss ln(classes), at any depth. `generator` is a CPU generator; None uses
    torch's global one.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01, generator=generator)
            nn.init.zeros_(module.bias)

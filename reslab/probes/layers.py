"""The weighted layers of a net in the order in which they run, each with the batch norm that follows it."""

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from ..nets.blocks import Block


@dataclass(frozen=True)
class Layer:
    """A convolution of the main path, by its name, such as stage1.block1.conv1 or stem.conv.

    `norm` is the batch norm right after it, None where there is none: before a shortcut's sum in orders that put it
    elsewhere. What comes out of `response` is the layer's response: after BN, before ReLU and addition (He et al. 2015,
    figure 7).
    """

    name: str
    conv: nn.Conv2d
    norm: nn.BatchNorm2d | None
    block: str | None  # the name of its block; None for the stem

    @property
    def response(self) -> nn.Module:
        """The module whose output is the layer's response. A ReLU may work in place on it: copy what is kept."""
        return self.norm if self.norm is not None else self.conv


def weighted_layers(net: nn.Module) -> list[Layer]:
    """The convolutions of the main path of a net of either family, first to last: shortcuts' own are no part of it."""
    layers = []
    for name, module in net.named_modules():
        if isinstance(module, Block):
            steps = [*module.steps, "", *module.last]
            for step, after in pairwise(steps):
                if step.startswith("conv"):
                    norm = _norm(getattr(module, after)) if after else None
                    layers.append(Layer(f"{name}.{step}", getattr(module, step), norm, name))
        elif name in ("stem", "conv1"):
            layers.append(Layer(f"{name}.conv", module.conv, _norm(module.bn), None))
    return layers


def _norm(module: nn.Module) -> nn.BatchNorm2d | None:
    return module if isinstance(module, nn.BatchNorm2d) else None

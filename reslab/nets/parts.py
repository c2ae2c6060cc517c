"""A net's parts, their blocks and the layers that count, read off its modules."""

from collections import Counter
from dataclasses import dataclass

from torch import nn

from .blocks import Block
from .registry import Shortcut

Weighted = nn.Conv2d | nn.Linear


@dataclass(frozen=True)
class Part:
    """A child of the net with layers on the main path, such as conv4_x, block by block; a part without blocks, such as
    the first convolution, is one. `aside` is what the depth does not count, by the modules' classes; convolutions are
    there for those on shortcuts.
    """

    name: str
    blocks: tuple[tuple[Weighted, ...], ...]
    staged: bool  # whether it is made of residual blocks
    aside: Counter[str]

    @property
    def layers(self) -> int:
        return sum(map(len, self.blocks))


def parts(net: nn.Module) -> tuple[Part, ...]:
    """The parts of one of our nets, on any device, in the order in which they run. Nothing is computed."""
    shortcuts = {module for each in net.modules() if isinstance(each, Shortcut) for module in each.modules()}
    found = []
    for name, child in net.named_children():
        staged = [module for module in child.modules() if isinstance(module, Block)]
        blocks = tuple(_weighted(block, shortcuts) for block in staged or [child])
        counted = {layer for block in blocks for layer in block}
        aside = Counter(
            type(module).__name__
            for module in child.modules()
            if module not in counted and isinstance(module, nn.Conv2d | nn.BatchNorm2d)
        )
        if counted:
            found.append(Part(name, blocks, bool(staged), aside))
    return tuple(found)


def _weighted(block: nn.Module, shortcuts: set[nn.Module]) -> tuple[Weighted, ...]:
    return tuple(m for m in block.modules() if isinstance(m, Weighted) and m not in shortcuts)

"""The CIFAR-10 nets of He et al. 2015, section 4.2: 6n+2 weighted layers (9n+2 with bottleneck blocks)."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from .blocks import BLOCKS, initialise
from .plugins import Plugin
from .stages import ShortcutAt, last_activation, make_stages, shortcut_maker


class CifarNet(nn.Module):
    """stem -> stage1 -> stage2 -> stage3 -> average pool -> fc. Images [N, 3, H, W] (float) -> logits [N, num_classes].

    Stage s has n blocks of width * 2**(s-1) channels; stages 2 and 3 halve height and width at their entry. Blocks are
    named `stage1.block1` and so on. `shortcut_at` gives the shortcut class for a block's position in the net, 0..1.
    Pre-activation nets have a `final` activation after the last block (He et al. 2016, appendix).
    """

    def __init__(
        self,
        blocks_per_stage: int,
        shortcut_at: ShortcutAt,
        width: int,
        block: str,
        num_classes: int,
        order: str = "original",
    ):
        super().__init__()
        self.stem = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(3, width, 3, 1, 1, bias=False), bn=nn.BatchNorm2d(width), relu=nn.ReLU(inplace=True)
            )
        )
        stages = make_stages([blocks_per_stage] * 3, width, block, shortcut_at, order)
        for number, stage in enumerate(stages, 1):
            self.add_module(f"stage{number}", stage)
        channels = 4 * width * BLOCKS[block].expansion
        self.final = last_activation(channels, order)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.stage3(self.stage2(self.stage1(self.stem(images))))
        if self.final is not None:
            x = self.final(x)
        return self.fc(self.pool(x).flatten(1))


def check_depth(depth: int, block: str = "basic") -> int:
    """Blocks a stage for a net of `depth` weighted layers. Raises ValueError, saying what is allowed, if none."""
    if block not in BLOCKS:
        raise ValueError(f"block={block!r} is unknown; allowed: {', '.join(BLOCKS)}")
    step = 3 * len(BLOCKS[block].kernels)
    n, rest = divmod(depth - 2, step)
    if n < 1 or rest:
        examples = ", ".join(str(step * k + 2) for k in (1, 2, 3, 5, 7, 9, 18, 200))
        raise ValueError(f"depth={depth} is not {step}n+2, which {block} blocks need; allowed: {examples} and so on")
    return n


def cifar_net(
    depth: int = 56,
    shortcut: str = "A",
    width: int = 16,
    block: str = "basic",
    num_classes: int = 10,
    generator: torch.Generator | None = None,
    *,
    activation_order: str = "original",
    gate_bias: float | None = None,
    plugins: Sequence[str | Path | Plugin] = (),
) -> CifarNet:
    """The net of `depth` weighted layers with He initialisation (He et al. 2015, section 4.2). `shortcut="none"` is the
    plain net.

    Takes float images [N, 3, H, W] and returns logits [N, num_classes]. `generator` makes the initialisation
    reproducible. `gate_bias` is what the biases of a gating shortcut start from; `plugins` are files with shortcuts of
    your own. Raises ValueError for a depth that is not 6n+2 (bottleneck: 9n+2), an unknown shortcut, block or order, a
    width or class count below 1, and a gate_bias for a shortcut without a gate.
    """
    n = check_depth(depth, block)
    shortcut_at = shortcut_maker(shortcut, activation_order, gate_bias, plugins)
    for name, value in (("width", width), ("num_classes", num_classes)):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
    net = CifarNet(n, shortcut_at, width, block, num_classes, activation_order)
    initialise(net, generator)
    return net

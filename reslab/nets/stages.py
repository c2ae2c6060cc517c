"""What the CIFAR and the ImageNet family have in common: stages of blocks, and the shortcuts in them."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from torch import nn

from .blocks import BLOCKS, MakeShortcut
from .orders import ORDERS, check_order
from .plugins import Plugin, load_plugin
from .registry import shortcut_class

ShortcutAt = Callable[[float], MakeShortcut]  # the shortcut of the block at this position in the net, 0..1


def make_stages(
    blocks: Sequence[int], width: int, block: str, shortcut_at: ShortcutAt, order: str, stride_on: str = "1x1"
) -> list[nn.Sequential]:
    """One stage for each number of `blocks`, named block1, block2 and so on inside it; its input has `width` channels.

    Channels double from stage to stage, beginning with `width` (times the block's expansion); every stage but the first
    halves height and width at its entry (He et al. 2015, sections 3.3 and 4.2).
    """
    make, leading = BLOCKS[block], ORDERS[order].leading
    channels, count, stages = width, 0, []
    for stage, number in enumerate(blocks):
        made = OrderedDict()
        for index in range(number):
            count += 1
            stride = 2 if stage and not index else 1
            activated = count == 1 and bool(leading)
            shortcut = shortcut_at(count / sum(blocks))
            made[f"block{index + 1}"] = make(
                channels, width * 2**stage, stride, shortcut, order, activated, stride_on=stride_on
            )
            channels = width * 2**stage * make.expansion
        stages.append(nn.Sequential(made))
    return stages


def last_activation(channels: int, order: str) -> nn.Sequential | None:
    """What comes after the last block of a pre-activation net (He et al. 2016, appendix); None in other orders."""
    leading = ORDERS[order].leading
    if not leading:
        return None
    norm = OrderedDict(bn=nn.BatchNorm2d(channels)) if "bn" in leading else OrderedDict()
    return nn.Sequential(norm | OrderedDict(relu=nn.ReLU(inplace=bool(norm))))


def shortcut_maker(
    shortcut: str, order: str, gate_bias: float | None, plugins: Sequence[str | Path | Plugin]
) -> ShortcutAt:
    """The shortcuts of a whole net. Raises ValueError for an unknown shortcut or order, and for a `gate_bias` where
    there is no gate.
    """
    check_order(order)
    cls = shortcut_class(shortcut, [load_plugin(plugin) for plugin in plugins])
    if gate_bias is not None and cls.gate_bias is None:
        raise ValueError(f"gate_bias={gate_bias} is not possible; shortcut={shortcut!r} has no gate: leave it out")
    gated = {} if gate_bias is None else dict(gate_bias=gate_bias)
    return lambda at: partial(cls, position=at, **gated)

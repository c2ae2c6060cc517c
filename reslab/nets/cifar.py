"""The CIFAR-10 nets of He et al. 2015, section 4.2: 6n+2 weighted layers (9n+2 with bottleneck blocks), and published
weights in and out.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .blocks import BLOCKS, initialise
from .layouts import Shapes, load_renamed, renamed, shapes_of
from .norm import check_norm, remove_norms
from .plugins import Plugin
from .registry import Shortcut
from .shortcuts import IdentityPadded, Plain, ProjectionWhereNeeded
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
        self.block, self.order = block, order
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
    norm: str = "batch",
) -> CifarNet:
    """The net of `depth` weighted layers with He initialisation (He et al. 2015, section 4.2). `shortcut="none"` is the
    plain net.

    Takes float images [N, 3, H, W] and returns logits [N, num_classes]. `generator` makes the initialisation
    reproducible. `gate_bias` is what the biases of a gating shortcut start from; `plugins` are files with shortcuts of
    your own. With norm="none" nothing stands in the place of batch norms, and the other weights are the same. Raises
    ValueError for a depth that is not 6n+2 (bottleneck: 9n+2), an unknown shortcut, block, order or norm, a width or
    class count below 1, and a gate_bias for a shortcut without a gate.
    """
    n = check_depth(depth, block)
    check_norm(norm)
    shortcut_at = shortcut_maker(shortcut, activation_order, gate_bias, plugins)
    for name, value in (("width", width), ("num_classes", num_classes)):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
    net = CifarNet(n, shortcut_at, width, block, num_classes, activation_order)
    if norm == "none":
        remove_norms(net)
    initialise(net, generator)
    return net


def load_state(net: CifarNet, state: Mapping[str, Any]) -> CifarNet:
    """Puts the weights of a published CIFAR net into `net`, and returns it.

    The layout is that of akamaster/pytorch_resnet_cifar10 and many after it: `conv1`, `bn1`, `layer1.0.conv1`,
    `layer1.0.bn1` and so on to `layer3.8.bn2`, `linear`; option B has `layer2.0.shortcut.0` (the convolution) and
    `layer2.0.shortcut.1` (its batch norm). `state` is such a state dict, or a checkpoint that holds it as "state_dict".
    `module.` and `_orig_mod.` in front of the names are dropped, and BN's counts of batches may be missing.

    No tensor is changed: both nets pad option A's channels half in front and half behind. Weights do not tell option A
    from the plain net, neither of which has any in its shortcuts; whoever loads them has to know.

    Such a net wants images as it was trained on, not as our batches are, which have the mean picture subtracted:
    (images / 255 - mean) / std, with three numbers each, one a channel, that its training script names. Those of
    akamaster's are ImageNet's: 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225.

    Raises ValueError for weights of another net, saying of which, or where they differ; for a `state` that holds no
    weights; and for a `net` that the layout has no names for: bottlenecks, another order, no batch norm or other
    shortcuts.
    """
    names = _published_names(net)
    weights = {re.sub(r"^((module|_orig_mod)\.)+", "", name): x for name, x in state.get("state_dict", state).items()}
    for name, tensor in weights.items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"these are no weights: {name!r} is no tensor; give the state dict that the file holds")
    theirs, ours = _net_of(shapes_of(weights)), _net_of(shapes_of(renamed(net, names)))
    if theirs and theirs != ours:
        raise ValueError(f"these weights are of cifar_net({theirs}), and this net is cifar_net({ours})")
    return load_renamed(net, names, weights)


def to_state(net: CifarNet) -> dict[str, torch.Tensor]:
    """The net's weights in the layout that load_state() reads, without a prefix.

    Raises ValueError for a net that the layout has no names for: bottlenecks, another order, no batch norm or other
    shortcuts than none, A and B.
    """
    return renamed(net, _published_names(net))


def _published_names(net: CifarNet) -> dict[str, str]:
    """The published layout's name for each of the net's tensors."""
    kinds = {type(module) for module in net.modules() if isinstance(module, Shortcut)}
    known = kinds <= {Plain, IdentityPadded, ProjectionWhereNeeded} and isinstance(net.stem.bn, nn.BatchNorm2d)
    if not known or (net.block, net.order) != ("basic", "original"):
        raise ValueError(
            "the published layout is that of shortcut='none', 'A' or 'B', block='basic', activation_order='original', "
            "norm='batch'; build the net with these"
        )
    return {name: _published_name(name) for name in net.state_dict()}


def _published_name(name: str) -> str:
    """stage2.block1.shortcut.conv.weight -> layer2.0.shortcut.0.weight, and so on."""
    name = re.sub(r"^stem\.(conv|bn)\.", r"\g<1>1.", name)
    name = re.sub(r"^stage(\d)\.block(\d+)\.", lambda found: f"layer{found[1]}.{int(found[2]) - 1}.", name)
    name = name.replace("shortcut.conv.", "shortcut.0.").replace("shortcut.bn.", "shortcut.1.")
    return re.sub(r"^fc\.", "linear.", name)


def _net_of(published: Shapes) -> str:
    """The arguments of cifar_net for weights of these names and shapes, as far as a look at them tells; "" if they are
    of no such net.
    """
    blocks = {name.split(".")[1] for name in published if name.startswith("layer1.")}
    conv, linear = published.get("conv1.weight"), published.get("linear.weight")
    if not (blocks and conv and linear):
        return ""
    shortcut = "'B'" if any(".shortcut." in name for name in published) else "'A' or 'none'"
    return f"depth={6 * len(blocks) + 2}, shortcut={shortcut}, width={conv[0]}, num_classes={linear[0]}"

"""The ImageNet nets of He et al. 2015, table 1: 18, 34, 50, 101 and 152 weighted layers, and torchvision's weights in
and out.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from .blocks import BLOCKS, STRIDES, initialise
from .layouts import load_renamed, renamed
from .plugins import Plugin
from .registry import Shortcut
from .shortcuts import ProjectionWhereNeeded
from .stages import ShortcutAt, last_activation, make_stages, shortcut_maker

# Blocks in conv2_x, conv3_x, conv4_x and conv5_x.
DEPTHS = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
STEMS = ("imagenet", "cifar")


class ImageNetNet(nn.Module):
    """conv1 -> maxpool -> conv2_x -> conv3_x -> conv4_x -> conv5_x -> average pool -> fc. Images [N, 3, H, W] (float)
    -> logits [N, num_classes].

    conv1 is a 7x7 convolution of stride 2, with a 3x3 max pool of stride 2 behind it; with `stem="cifar"` it is a 3x3
    one of stride 1 and the pool is none, for small images. conv3_x to conv5_x halve height and width at their entry:
    a 224x224 image is 112, 56, 56, 28, 14 and 7 wide after each part. Blocks are named `conv2_x.block1` and so on.
    Pre-activation nets have a `final` activation after the last block (He et al. 2016, appendix).
    """

    def __init__(
        self,
        depth: int,
        shortcut_at: ShortcutAt,
        width: int,
        num_classes: int,
        stem: str = "imagenet",
        stride_on: str = "3x3",
        order: str = "original",
    ):
        super().__init__()
        block, blocks = DEPTHS[depth]
        self.depth, self.stem, self.order = depth, stem, order
        self.stride_on = stride_on if block == "bottleneck" else "3x3"  # all that a basic block has
        large = stem == "imagenet"
        conv = nn.Conv2d(3, width, 7, 2, 3, bias=False) if large else nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.conv1 = nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(width), relu=nn.ReLU(inplace=True)))
        self.maxpool = nn.MaxPool2d(3, 2, 1) if large else nn.Identity()
        stages = make_stages(blocks, width, block, shortcut_at, order, stride_on)
        for number, stage in enumerate(stages, 2):
            self.add_module(f"conv{number}_x", stage)
        channels = 8 * width * BLOCKS[block].expansion
        self.final = last_activation(channels, order)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.conv2_x(self.maxpool(self.conv1(images)))
        x = self.conv5_x(self.conv4_x(self.conv3_x(x)))
        if self.final is not None:
            x = self.final(x)
        return self.fc(self.pool(x).flatten(1))


def check_imagenet_depth(depth: int, shortcut: str = "B") -> str:
    """The block of the net of `depth` layers. Raises ValueError, saying what is allowed, if there is none: the paper
    has plain nets of 18 and 34 layers only.
    """
    if depth not in DEPTHS:
        allowed = ", ".join(map(str, DEPTHS))
        raise ValueError(f"depth={depth} is none of the ImageNet family's; allowed: {allowed}")
    block = DEPTHS[depth][0]
    if shortcut == "none" and block == "bottleneck":
        raise ValueError(
            f"depth={depth} has no plain twin (He et al. 2015, table 1); allowed without shortcuts: 18, 34"
        )
    return block


def imagenet_net(
    depth: int = 50,
    shortcut: str = "B",
    num_classes: int = 1000,
    stem: str = "imagenet",
    stride_on: str = "3x3",
    width: int = 64,
    generator: torch.Generator | None = None,
    *,
    activation_order: str = "original",
    gate_bias: float | None = None,
    plugins: Sequence[str | Path | Plugin] = (),
    weights: str | None = None,
) -> ImageNetNet:
    """The net of 18, 34, 50, 101 or 152 weighted layers (He et al. 2015, table 1), with He initialisation or with
    torchvision's `weights`, such as "IMAGENET1K_V1". `shortcut="none"` is the plain net of 18 or 34 layers.

    Takes float images [N, 3, H, W], 224x224 in the paper, and returns logits [N, num_classes]. `stem="cifar"` leaves
    small images their size: a 3x3 convolution of stride 1 and no pooling. `stride_on` is where a bottleneck has its
    stride: on the first "1x1", as in the paper, or on the "3x3", as in torchvision ("v1.5"); basic blocks know only the
    latter. `width` is that of conv2_x. The rest is as in reslab.cifar_net. Raises ValueError for what is not possible,
    ConnectionError if weights cannot be downloaded.
    """
    check_imagenet_depth(depth, shortcut)
    for name, value, allowed in (("stem", stem, STEMS), ("stride_on", stride_on, STRIDES)):
        if value not in allowed:
            raise ValueError(f"{name}={value!r} is unknown; allowed: {', '.join(allowed)}")
    for name, value in (("width", width), ("num_classes", num_classes)):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
    shortcut_at = shortcut_maker(shortcut, activation_order, gate_bias, plugins)
    net = ImageNetNet(depth, shortcut_at, width, num_classes, stem, stride_on, activation_order)
    if weights is None:
        initialise(net, generator)
    else:
        load_torchvision(net, weights)
    return net


def load_torchvision(net: ImageNetNet, weights: str | Mapping[str, torch.Tensor]) -> ImageNetNet:
    """Puts torchvision's weights into `net`, and returns it: a state dict with torchvision's names, or the name of
    weights that torchvision publishes, such as "IMAGENET1K_V1", which are downloaded once.

    Published weights want the net as torchvision has it: shortcut B, the stride on the 3x3, 1000 classes. Raises
    ValueError, saying where they differ, for weights that do not fit, ConnectionError if they cannot be downloaded.
    """
    names = _torchvision_names(net)
    return load_renamed(net, names, _published(net, weights) if isinstance(weights, str) else weights)


def to_torchvision(net: ImageNetNet) -> dict[str, torch.Tensor]:
    """The net's weights with torchvision's names: torchvision.models.resnet50().load_state_dict takes them.

    Raises ValueError for a net that torchvision has no layers for: another shortcut than B, another order or stem.
    """
    return renamed(net, _torchvision_names(net))


def _torchvision_names(net: ImageNetNet) -> dict[str, str]:
    """torchvision's name for each of the net's tensors."""
    kinds = {type(module) for module in net.modules() if isinstance(module, Shortcut)}
    like = net.stem == "imagenet" and net.order == "original" and net.stride_on == "3x3"
    if kinds != {ProjectionWhereNeeded} or not like:
        raise ValueError(
            "torchvision's layers are those of shortcut='B', stem='imagenet', stride_on='3x3', "
            "activation_order='original'; build the net with these"
        )
    return {name: _torchvision_name(name) for name in net.state_dict()}


def _torchvision_name(name: str) -> str:
    """conv2_x.block1.shortcut.conv.weight -> layer1.0.downsample.0.weight, and so on."""
    name = re.sub(r"^conv1\.(conv|bn)\.", r"\g<1>1.", name)
    name = re.sub(r"^conv(\d)_x\.block(\d+)\.", lambda found: f"layer{int(found[1]) - 1}.{int(found[2]) - 1}.", name)
    return name.replace("shortcut.conv.", "downsample.0.").replace("shortcut.bn.", "downsample.1.")


def _published(net: ImageNetNet, name: str) -> Mapping[str, torch.Tensor]:
    """Downloads torchvision's weights, or takes them from torch.hub's cache."""
    depth = net.depth
    from torchvision.models import get_model_weights  # here: it takes a second

    known = get_model_weights(f"resnet{depth}")
    if name not in known.__members__:
        raise ValueError(f"weights={name!r} are unknown for {depth} layers; allowed: {', '.join(known.__members__)}")
    classes = len(known[name].meta["categories"])
    if net.fc.out_features != classes:
        raise ValueError(f"weights={name!r} are for {classes} classes, and num_classes={net.fc.out_features}")
    try:
        return known[name].get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: what came has another hash
        file = known[name].url.rpartition("/")[2]
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise ConnectionError(
            f"the weights {name} of ResNet-{depth} could not be downloaded ({error}); try again with network, or put "
            f"{file}, from {known[name].url}, into {folder}"
        ) from error

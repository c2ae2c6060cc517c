"""The whole ImageNet family at once, and what its nets weigh and cost beside others."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from .anatomy import anatomy
from .imagenet import DEPTHS, ImageNetNet, imagenet_net

SIZE = 224  # pixels a side, as in the paper
# Multiply-adds in 1e9 as the paper prints them: table 1, of nets with the stride on the 1x1; VGG in section 3.3 and
# figure 3.
PRINTED = {"18": 1.8, "34": 3.6, "50": 3.8, "101": 7.6, "152": 11.3, "VGG-16": 15.3, "VGG-19": 19.6}


@dataclass(frozen=True)
class NetCost:
    """What a net weighs, and what one image costs it forward."""

    name: str
    kind: str  # residual, plain or vgg
    layers: int  # convolutions and fully connected layers on the main path
    parameters: int
    multiply_adds: int  # of convolutions and fully connected layers
    printed: float | None = None  # the paper's multiply-adds in 1e9
    torchvision: int | None = None  # the parameters of torchvision's net of this name


def weightless(make: Callable[[], nn.Module]) -> nn.Module:
    """The net without numbers in it, on torch's meta device: shapes and counts are there, in no time and no memory."""
    with torch.device("meta"):
        return make()


def imagenet_family(**options: object) -> dict[int, ImageNetNet]:
    """The nets of all five depths, without numbers; `options` are those of reslab.imagenet_net."""
    return {depth: weightless(lambda depth=depth: imagenet_net(depth, **options)) for depth in DEPTHS}


def net_cost(
    name: str, net: nn.Module, kind: str = "residual", size: int = SIZE, **known: float | int | None
) -> NetCost:
    """What `net` weighs and costs, measured layer by layer with one image of `size` pixels a side."""
    table = anatomy(net, (3, size, size))
    return NetCost(name, kind, table.weighted_layers, table.parameters, table.multiply_adds, **known)


def family_costs() -> list[NetCost]:
    """ResNet-18 to 152 with the stride on the 3x3 and plain-18 and 34, from the shallowest, then VGG-16 and 19."""
    from torchvision import models  # here: it takes a second

    costs = []
    for depth, net in imagenet_family().items():
        printed = PRINTED[str(depth)]
        if depth in (18, 34):
            plain = weightless(lambda depth=depth: imagenet_net(depth, "none"))
            costs.append(net_cost(f"plain-{depth}", plain, "plain", printed=printed))
        theirs = weightless(getattr(models, f"resnet{depth}"))
        weights = sum(parameter.numel() for parameter in theirs.parameters())
        costs.append(net_cost(f"ResNet-{depth}", net, printed=printed, torchvision=weights))
    for layers in (16, 19):
        vgg = weightless(getattr(models, f"vgg{layers}"))
        costs.append(net_cost(f"VGG-{layers}", vgg, "vgg", printed=PRINTED[f"VGG-{layers}"]))
    return costs


def stride_costs() -> list[tuple[NetCost, NetCost]]:
    """The nets of bottlenecks with the stride on the first 1x1, as in the paper, and on the 3x3, as in torchvision."""
    families = [imagenet_family(stride_on=kernel) for kernel in ("1x1", "3x3")]
    return [
        tuple(net_cost(f"ResNet-{depth}", nets[depth], printed=PRINTED[str(depth)]) for nets in families)
        for depth, (block, _) in DEPTHS.items()
        if block == "bottleneck"
    ]

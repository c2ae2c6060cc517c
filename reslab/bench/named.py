"""Nets by name, for who wants to time them: ours, those of torchvision, and ours in the form in which they train."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, partial
from typing import Any

from torch import nn

from ..nets.cifar import check_depth, cifar_net
from ..nets.imagenet import DEPTHS, check_imagenet_depth, imagenet_net
from ..nets.registry import shortcut_class

GRAMMAR = (
    "resnet-DEPTH[-SHORTCUT] and plain-DEPTH (ImageNet's), cifar-DEPTH[-SHORTCUT], torchvision:NAME, and fast: before "
    "one of ours"
)
TORCHVISION, FAST = "torchvision:", "fast:"
IMAGENET, CIFAR = 224, 32  # pixels a side
# Heads for training alone, which would be run and not counted; what the weights start from is no matter.
WITHOUT_HEADS = {name: dict(aux_logits=False, init_weights=False) for name in ("googlenet", "inception_v3")}


@dataclass(frozen=True)
class Named:
    """A net that can be made, for images of `size` pixels a side; `fast` with the options of the training loop.

    `twin` is the name of torchvision's net of the same layers and strides, None where it has none.
    """

    name: str
    make: Callable[[], nn.Module]
    size: int
    twin: str | None = None
    fast: bool = False


def named_net(name: str) -> Named:
    """The net called `name`:

        resnet-50, resnet-34-A   ours of ImageNet's family, with shortcut B or another one; plain-34 is resnet-34-none
        cifar-56, cifar-56-none  ours of CIFAR-10's family, with option A or another shortcut
        torchvision:vgg16        any classifier of torchvision.models
        fast:resnet-50           one of ours as it trains: channels last, bf16 if the device has it, accelerated

    Raises ValueError, with the closest names, if there is none, or for a depth or shortcut that does not exist.
    """
    if name.startswith(FAST):
        net = named_net(name.removeprefix(FAST))
        if net.name.startswith(TORCHVISION) or net.fast:
            raise ValueError(f"{name!r} is not possible: fast: goes before one of ours, such as fast:resnet-50")
        return replace(net, name=name, fast=True)
    if name.startswith(TORCHVISION):
        return _torchvision(name)
    found = re.fullmatch(r"(resnet|plain|cifar)-(\d+)(?:-(.+))?", name)
    if not found or (found[1] == "plain" and found[3]):
        raise ValueError(_unknown(name))
    family, depth, shortcut = found[1], int(found[2]), found[3]
    shortcut_class(shortcut or "none")
    if family == "cifar":
        check_depth(depth)
        return Named(name, partial(cifar_net, depth, shortcut or "A"), CIFAR)
    shortcut = "none" if family == "plain" else shortcut or "B"
    check_imagenet_depth(depth, shortcut)
    twin = f"{TORCHVISION}resnet{depth}" if shortcut == "B" else None
    return Named(name, partial(imagenet_net, depth, shortcut), IMAGENET, twin)


def with_rivals(names: Sequence[str], torchvision: bool = False, fast: bool = False) -> list[str]:
    """The names, each followed by torchvision's same net, where there is one, and by one of ours as it trains, if
    these are asked for. Raises ValueError as named_net does.
    """
    found = []
    for net in map(named_net, names):
        ours = not net.fast and not net.name.startswith(TORCHVISION)
        found += [net.name, *[net.twin] * bool(torchvision and net.twin), *[FAST + net.name] * (fast and ours)]
    return list(dict.fromkeys(found))


def _torchvision(name: str) -> Named:
    from torchvision.models import get_model  # here: with it come all of torchvision's nets, in 1.4 s

    theirs = name.removeprefix(TORCHVISION)
    if theirs not in _classifiers():
        raise ValueError(_unknown(name))
    options: dict[str, Any] = WITHOUT_HEADS.get(theirs, {})
    return Named(name, partial(get_model, theirs, weights=None, **options), IMAGENET)


@cache
def _classifiers() -> list[str]:
    from torchvision import models

    return models.list_models(module=models)


def _unknown(name: str) -> str:
    ours = [f"{family}-{depth}" for family, depths in _depths().items() for depth in depths]
    theirs = [TORCHVISION + other for other in _classifiers()]
    same = [TORCHVISION + name] * (name in _classifiers())
    close = dict.fromkeys([*same, *get_close_matches(name, [*ours, *theirs], n=3, cutoff=0.5)])
    meant = f"; did you mean {' or '.join(list(close)[:3])}?" if close else "."
    return f"there is no net {name!r}{meant} Names are {GRAMMAR}"


def _depths() -> dict[str, tuple[int, ...]]:
    return dict(resnet=tuple(DEPTHS), plain=(18, 34), cifar=(20, 32, 44, 56, 110))

"""Every shortcut: what a block does with its input x besides feeding it to the residual branch F.

A shortcut is a module that merges x and F(x) into the block's output before the last activation. To add one, write a
class and register it; it can then be named wherever a config names a shortcut:

    @register("half")
    class Half(IdentityPadded):
        def merge(self, x, fx):
            return super().merge(0.5 * x, fx)
"""

import hashlib
import inspect
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

SHORTCUTS: dict[str, type["Shortcut"]] = {}


def register(name: str) -> Callable[[type["Shortcut"]], type["Shortcut"]]:
    """Class decorator: makes a Shortcut known under `name`. Raises ValueError if another class has that name."""

    def add(cls: type["Shortcut"]) -> type["Shortcut"]:
        known = SHORTCUTS.get(name)
        if known and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"shortcut {name!r} is already registered by {known.__qualname__}: choose another name")
        SHORTCUTS[name] = cls
        return cls

    return add


def shortcut_class(name: str) -> type["Shortcut"]:
    """The registered class. Raises ValueError, listing what is allowed, for an unknown name."""
    if name not in SHORTCUTS:
        raise ValueError(f"shortcut={name!r} is unknown; allowed: {', '.join(SHORTCUTS)}")
    return SHORTCUTS[name]


def source_digest(name: str) -> str:
    """SHA-256 of the methods' source of a shortcut that is not reslab's own, "" for one that is: part of a run's id.

    Method by method, because Python does not find the source of a class that was written in a notebook.
    """
    digest, own = hashlib.sha256(), False
    for cls in shortcut_class(name).__mro__:
        if cls.__module__.partition(".")[0] in ("reslab", "torch", "builtins"):
            continue
        for method in filter(inspect.isfunction, vars(cls).values()):
            own = True
            digest.update(inspect.getsource(method).encode())
    return digest.hexdigest() if own else ""


def is_a_users(module: nn.Module) -> bool:
    """True for a shortcut that is not reslab's own, which may hold any Python."""
    return isinstance(module, Shortcut) and not type(module).__module__.startswith("reslab.")


class Shortcut(nn.Module):
    """Merges a block's input x [N, in_channels, H, W] and F(x) [N, out_channels, H/stride, W/stride] into one."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride

    @property
    def changes_shape(self) -> bool:
        """True where the paper draws the shortcut dashed: F(x) has another shape than x."""
        return self.stride != 1 or self.in_channels != self.out_channels

    def merge(self, x: torch.Tensor, fx: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define merge(x, fx)")

    def forward(self, x: torch.Tensor, fx: torch.Tensor) -> torch.Tensor:
        return self.merge(x, fx)


@register("none")
class Plain(Shortcut):
    """y = F(x): the plain net (He et al. 2015, section 3.3)."""

    def merge(self, x, fx):
        return fx


@register("A")
class IdentityPadded(Shortcut):
    """y = F(x) + x, subsampled and zero-padded where the shape changes; no parameters (He et al. 2015, section 3.3,
    option A).

    The zero channels go half in front and half behind, as in the widely used CIFAR checkpoints; the paper does not say.
    """

    def merge(self, x, fx):
        if self.changes_shape:
            extra = self.out_channels - self.in_channels
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, extra // 2, extra - extra // 2))
        return fx + x


class Projection(Shortcut):
    """y = F(x) + Wx with W a 1x1 convolution and batch norm, wherever `projects` says so; y = F(x) + x elsewhere."""

    def __init__(self, in_channels, out_channels, stride):
        super().__init__(in_channels, out_channels, stride)
        if self.projects:
            self.conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.bn = nn.BatchNorm2d(out_channels)

    @property
    def projects(self) -> bool:
        raise NotImplementedError

    def merge(self, x, fx):
        return fx + (self.bn(self.conv(x)) if self.projects else x)


@register("B")
class ProjectionWhereNeeded(Projection):
    """Projection where the shape changes, identity elsewhere (He et al. 2015, section 3.3, option B)."""

    @property
    def projects(self):
        return self.changes_shape


@register("C")
class ProjectionEverywhere(Projection):
    """Projections in all blocks (He et al. 2015, section 4.1, option C)."""

    @property
    def projects(self):
        return True

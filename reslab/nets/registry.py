"""What a shortcut is, and the names under which shortcuts are known."""

import hashlib
import inspect
import re
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from .plugins import Plugin

SHORTCUTS: dict[str, type["Shortcut"]] = {}

# Where `register` puts a class: while a plugin file is loaded, into a dictionary of that file's own.
registering_into: ContextVar[dict[str, type["Shortcut"]] | None] = ContextVar("registering_into", default=None)


class Shortcut(nn.Module):
    """Merges a block's input x [N, in_channels, H, W] and F(x) [N, out_channels, H/stride, W/stride] into one of the
    shape of F(x).

    A subclass defines `merge`, and `build` if it has layers of its own. `title` is a few words for menus, `formula` is
    LaTeX, `sentence` says what it does and why anyone would, `source` where it comes from: the explorer shows all four.
    """

    title = ""
    formula = ""
    sentence = ""
    source = ""
    gate_bias: float | None = None  # what the gates' biases start from; None: there is no gate

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, position: float = 1.0, gate_bias: float | None = None
    ):
        super().__init__()
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.position = position  # of the block in the net, 1/L for the first to 1 for the last of L
        self.gate_bias = type(self).gate_bias if gate_bias is None else gate_bias
        self.build()

    def build(self) -> None:
        """Makes the layers, if there are any."""

    @property
    def changes_shape(self) -> bool:
        """True where the paper draws the shortcut dashed: F(x) has another shape than x."""
        return self.stride != 1 or self.in_channels != self.out_channels

    def subsampled(self, x: torch.Tensor) -> torch.Tensor:
        """x at the height and width of F(x): every stride-th pixel."""
        return x[:, :, :: self.stride, :: self.stride] if self.stride != 1 else x

    def identity(self, x: torch.Tensor) -> torch.Tensor:
        """x; where the shape changes, subsampled and zero-padded (He et al. 2015, section 3.3, option A).

        The zero channels go half in front and half behind, as in the widely used CIFAR checkpoints; the paper does not
        say.
        """
        if not self.changes_shape:
            return x
        extra = self.out_channels - self.in_channels
        return F.pad(self.subsampled(x), (0, 0, 0, 0, extra // 2, extra - extra // 2))

    def merge(self, x: torch.Tensor, fx: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define merge(x, fx)")

    def forward(self, x: torch.Tensor, fx: torch.Tensor) -> torch.Tensor:
        y = self.merge(x, fx)
        if y is None or (isinstance(y, torch.Tensor) and isinstance(fx, torch.Tensor) and y.shape != fx.shape):
            raise ValueError(self._wrong(y, fx))
        return y

    def _wrong(self, y: torch.Tensor | None, fx: torch.Tensor) -> str:
        code = type(self).merge.__code__
        where = f"{code.co_filename.rpartition('/')[2]}, line {code.co_firstlineno}: merge of {type(self).__name__}"
        if y is None:
            return f"{where} returns nothing; end it with `return ...`"
        return f"{where} returns {list(y.shape)} where F(x) is {list(fx.shape)}; self.identity(x) has its shape"


def register(name: str) -> Callable[[type[Shortcut]], type[Shortcut]]:
    """Class decorator: makes a Shortcut known under `name`.

    Raises ValueError if another class has that name, or if it could not be part of a run folder's name.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise ValueError(f"a shortcut cannot be called {name!r}; use letters, digits, '-', '_' and '.'")

    def add(cls: type[Shortcut]) -> type[Shortcut]:
        registry = registering_into.get()
        registry = SHORTCUTS if registry is None else registry
        known = SHORTCUTS.get(name) or registry.get(name)
        if known and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"shortcut {name!r} is already registered by {known.__qualname__}: choose another name")
        registry[name] = cls
        return cls

    return add


def shortcuts(plugins: Sequence["Plugin"] = ()) -> dict[str, type[Shortcut]]:
    """Every shortcut by name, in the order of the explorer's menu: ours, registered ones, then those of `plugins`.

    Raises ValueError if two of them have one name.
    """
    known = dict(SHORTCUTS)
    for plugin in plugins:
        for name, cls in plugin.shortcuts.items():
            if known.setdefault(name, cls) is not cls:
                raise ValueError(f"shortcut {name!r} of {plugin.path} is registered elsewhere too: choose another name")
    return known


def shortcut_class(name: str, plugins: Sequence["Plugin"] = ()) -> type[Shortcut]:
    """The class of this name. Raises ValueError, listing what is allowed, for an unknown one."""
    known = shortcuts(plugins)
    if name not in known:
        hint = "" if plugins else "; one of your own comes with plugins=['its_file.py']"
        raise ValueError(f"shortcut={name!r} is unknown; allowed: {', '.join(known)}{hint}")
    return known[name]


def source_digest(cls: type[Shortcut]) -> str:
    """SHA-256 of the methods' source of a class that was registered in a notebook or script, "" for one of reslab's.

    Method by method, because Python does not find the source of a class that was written in a notebook.
    """
    digest, own = hashlib.sha256(), False
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] in ("reslab", "torch", "builtins"):
            continue
        for method in filter(inspect.isfunction, vars(base).values()):
            own = True
            digest.update(inspect.getsource(method).encode())
    return digest.hexdigest() if own else ""


def is_a_users(module: nn.Module) -> bool:
    """True for a shortcut that is not reslab's own, which may hold any Python."""
    return isinstance(module, Shortcut) and not type(module).__module__.startswith("reslab.")

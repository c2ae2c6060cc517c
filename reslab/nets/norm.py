"""Nets without batch norm."""

from torch import nn

NORMS = ("batch", "none")


def check_norm(name: str) -> None:
    """Raises ValueError, listing what is allowed, for an unknown norm."""
    if name not in NORMS:
        raise ValueError(f"norm={name!r} is unknown; allowed: {', '.join(NORMS)}")


def remove_norms(net: nn.Module) -> None:
    """Puts nothing (nn.Identity) in the place of every batch norm of `net`; convolutions still have no bias."""
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
        if isinstance(module, nn.ReLU):  # what it would write into may now be the input of a whole block
            module.inplace = False

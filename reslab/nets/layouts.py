"""Weights under the names of somebody else's net: into one of ours, and out again. Which name is whose, say the rooms
of the nets.
"""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)
Shapes = Mapping[str, tuple[int, ...]]


def load_renamed(net: Net, names: Mapping[str, str], weights: Mapping[str, torch.Tensor]) -> Net:
    """Puts `weights` into `net`, and returns it; `names` has their name for each of the net's tensors.

    BN's counts of batches may be missing: files from before torch 0.4.1 have none, and the net then keeps its own.
    Raises ValueError, with the first tensor that differs, for weights that are not exactly those of this net.
    """
    held = net.state_dict()
    uncounted = {names[name]: tensor for name, tensor in held.items() if name.endswith("num_batches_tracked")}
    weights = uncounted | dict(weights)
    theirs = shapes_of(weights)
    ours = shapes_of({names[name]: tensor for name, tensor in held.items()})
    if theirs != ours:
        raise ValueError(f"these weights are not of this net: {_difference(theirs, ours)}")
    net.load_state_dict({name: weights[theirs] for name, theirs in names.items()})
    return net


def renamed(net: nn.Module, names: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """The net's weights under their names."""
    return {names[name]: tensor for name, tensor in net.state_dict().items()}


def shapes_of(weights: Mapping[str, torch.Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in weights.items()}


def _difference(theirs: Shapes, ours: Shapes) -> str:
    name = next(name for name in [*ours, *theirs] if theirs.get(name) != ours.get(name))
    shape, wanted = (
        "nothing" if shapes.get(name) is None else "x".join(map(str, shapes[name])) or "a number"
        for shapes in (theirs, ours)
    )
    return f"{name} is {shape} in the weights and {wanted} in the net"

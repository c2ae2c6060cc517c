"""A net's weights and statistics as one long vector, which is what a direction is added to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn

State = Mapping[str, torch.Tensor]  # what state_dict() gives


@dataclass(frozen=True)
class Entry:
    """Where an entry of the net's state lies in the vector; `weight` tells those that training changes by gradients."""

    name: str
    shape: torch.Size
    start: int
    weight: bool

    @property
    def where(self) -> slice:
        return slice(self.start, self.start + self.shape.numel())


def entries(net: nn.Module) -> Iterator[Entry]:
    """The entries of the net's state that are real numbers, in its order: weights, biases, running statistics."""
    start, weights = 0, dict(net.named_parameters())
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point():
            yield Entry(name, tensor.shape, start, name in weights)
            start += tensor.numel()


def vector(net: nn.Module, state: State | None = None) -> torch.Tensor:
    """`state`, or that of `net` itself, as a float32 vector [D] on the CPU, in the order of `net`.

    Raises ValueError if `state` is not that of such a net.
    """
    state = net.state_dict() if state is None else state
    for entry in entries(net):
        if entry.name not in state or state[entry.name].shape != entry.shape:
            raise ValueError(f"these nets are not alike: {entry.name} differs; give runs of the same net")
    return torch.cat([state[entry.name].detach().flatten().float().cpu() for entry in entries(net)])


def are_weights(net: nn.Module) -> torch.Tensor:
    """bool [D]: True where the vector has weights and biases, False where it has running statistics."""
    return torch.cat([torch.full(entry.shape, entry.weight).flatten() for entry in entries(net)])


def put_on(net: nn.Module) -> torch.Tensor:
    """Moves all entries of `net` into one vector [D] on the net's device: writing to it changes the net from now on."""
    flat = vector(net).to(next(net.parameters()).device)
    of = dict(net.named_parameters()) | dict(net.named_buffers())
    for entry in entries(net):
        of[entry.name].data = flat[entry.where].view(entry.shape)
    return flat

"""What flows through a net: the variance of each layer's response forward, the size of its gradient backward."""

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..nets.norm import remove_norms
from ..runs import Run
from ..training.state import seed
from .layers import weighted_layers
from .results import kept
from .subject import subject
from .when import INITIAL

STANDARD: dict[str, Any] = dict(images=128, split="test")  # and `at`; a batch of the paper's size


@dataclass(frozen=True)
class Signal:
    """What a layer passes on forward, and what comes back to it.

    `variance` is that of its response, after BN and before ReLU and addition; `gradient` the L2 norm of the loss's
    gradient with respect to the layer's weights.
    """

    name: str  # of the layer, such as stage1.block1.conv1
    variance: float
    gradient: float


def signals(net: nn.Module, images: torch.Tensor, labels: torch.Tensor, training: bool = True) -> list[Signal]:
    """The signal of each layer of the main path of `net`, in order, for `images` [N, 3, H, W] and `labels` [N].

    The loss is the cross-entropy, mean over the images, in the net's own precision. With `training` batch norm takes
    the statistics of these images, as in training; otherwise its running statistics. The variance is over images and
    positions about each channel's mean, then the mean over channels: what batch norm sets. A copy looks: the net
    and torch's random numbers stay as they were; what a net draws at random, such as dropout, is the same every time.
    """
    return signals_of_copy(copy.deepcopy(net).train(training), images, labels)


def signals_of_copy(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> list[Signal]:
    """What `signals` gives, in the mode that `net` is in: its running statistics are changed."""
    layers, variances = weighted_layers(net), {}
    hooks = [
        layer.response.register_forward_hook(
            lambda _module, _inputs, output, name=layer.name: variances.update({name: _variance(output.detach())})
        )
        for layer in layers
    ]
    cuda = [images.device] if images.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.enable_grad():
        seed(0, images.device)
        loss = F.cross_entropy(net(images), labels)
        weights = [layer.conv.weight for layer in layers]
        gradients = torch.autograd.grad(loss, weights, materialize_grads=True)  # a user's shortcut may leave F out
    for hook in hooks:
        hook.remove()
    return [
        Signal(layer.name, variances[layer.name].item(), gradient.double().norm().item())
        for layer, gradient in zip(layers, gradients, strict=True)
    ]


def _variance(output: torch.Tensor) -> torch.Tensor:
    return output.var((0, 2, 3), correction=0).mean()


@torch.no_grad()
def without_norm(net: nn.Module, gain: float = 1.0) -> nn.Module:
    """A copy of `net` without its batch norms: nothing stands in their place, and the weights are the same.

    `gain` multiplies the weights of all convolutions. At initialisation 1 is He's rule, which keeps the variance from
    layer to layer through ReLUs; sqrt(1/2) is the rule before it (Glorot and Bengio 2010), which halves it in each.
    """
    twin = copy.deepcopy(net)
    remove_norms(twin)
    for module in twin.modules():
        if isinstance(module, nn.Conv2d):
            module.weight *= gain
    return twin


def gradient_reach(signals: Sequence[Signal]) -> float:
    """How much gradient reaches the layer that gets least: log10 of the smallest gradient of any layer, in decades of
    nats a unit of weight; -inf if a layer gets nothing.

    Not relative to another layer, because that says little of vanishing: without batch norm a plain net is homogeneous
    in the weights of each of its layers, which makes the product of weights and gradient the same in all of them, so
    that their gradients vanish together. See `gradient_spread` for how they differ.
    """
    smallest = min(signal.gradient for signal in signals)
    return math.log10(smallest) if smallest > 0 else -math.inf


def gradient_spread(signals: Sequence[Signal]) -> float:
    """By how many decades the largest gradient of any layer exceeds the smallest; inf if that is 0."""
    smallest, largest = (choose(signal.gradient for signal in signals) for choose in (min, max))
    return math.log10(largest / smallest) if smallest > 0 else math.inf


def settings(at: str | int = INITIAL) -> dict[str, Any]:
    """Under which a result is kept."""
    return STANDARD | dict(at=at)


def measured(
    run: Run, at: str | int = INITIAL, data: str | Path | None = None, device: str | torch.device | None = None
) -> list[Signal]:
    """The signals of a run that is done, before its first iteration or `at` another time, with the STANDARD settings;
    from its folder if they were measured before.
    """

    def measure() -> list[dict[str, Any]]:
        shown = subject(run, at, **STANDARD, data=data, device=device)
        return [asdict(each) for each in signals(shown.net, shown.images, shown.labels)]

    return [Signal(**each) for each in kept(run, "signals", settings(at), measure)]

"""How strongly each layer responds: figure 7 of He et al. 2015."""

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..runs import Run
from .layers import weighted_layers
from .results import kept
from .settling import settled_subject
from .when import TRAINED

STANDARD: dict[str, Any] = dict(images=1000, split="test")
BATCH = 250  # images at a time: larger ones leave the caches


@dataclass(frozen=True)
class Response:
    """The standard deviation of what a layer puts out, after BN and before ReLU and addition."""

    name: str  # of the layer, such as stage1.block1.conv1
    std: float


@torch.no_grad()
def responses(net: nn.Module, images: torch.Tensor) -> list[Response]:
    """The response of each layer of the main path of `net`, in the order of the net, to `images` [N, 3, H, W].

    The standard deviation is over everything that a layer puts out: all images, positions and channels together, about
    their common mean, divided by their number. Evaluation mode, that is with batch norm's running statistics; a copy
    looks, so that the net stays as it was. He et al. 2015, section 4.2, "Analysis of Layer Responses", and figure 7.
    """
    twin = copy.deepcopy(net).eval()
    moments: dict[str, list[float]] = {layer.name: [0.0, 0.0, 0.0] for layer in weighted_layers(twin)}
    for layer in weighted_layers(twin):
        layer.response.register_forward_hook(
            lambda _module, _inputs, output, name=layer.name: _add(moments[name], output)
        )
    for some in images.split(BATCH):
        twin(some)
    return [
        Response(name, math.sqrt(max(0.0, squares / count - (total / count) ** 2)))
        for name, (count, total, squares) in moments.items()
    ]


def _add(moments: list[float], output: torch.Tensor) -> None:
    values = output.double()  # squares of many values: float32 would lose the small ones
    moments[0] += values.numel()
    moments[1] += values.sum().item()
    moments[2] += values.square().sum().item()


def settings(at: str | int = TRAINED) -> dict[str, Any]:
    """Under which a result is kept."""
    return STANDARD if at == TRAINED else STANDARD | dict(at=at)


def measured(
    run: Run, at: str | int = TRAINED, data: str | Path | None = None, device: str | torch.device | None = None
) -> list[Response]:
    """The responses of a run that is done, as trained or `at` another time (before the first iteration with settled
    statistics), with the STANDARD settings; from its folder if they were measured before.
    """

    def measure() -> list[dict[str, Any]]:
        shown = settled_subject(run, at, **STANDARD, data=data, device=device)
        return [asdict(each) for each in responses(shown.net, shown.images)]

    return [Response(**each) for each in kept(run, "responses", settings(at), measure)]

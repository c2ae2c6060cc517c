"""The error of trained weights on held-out images: top-1 and top-5, of the single central view or of the paper's ten.

Of ten views the net's softmax outputs are averaged: "standard 10-crop testing" (He et al. 2015, section 3.4) is that of
Krizhevsky et al. 2012, section 4.1, who average "the predictions made by the network's softmax layer".
"""

import math
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ..data import FOLDER
from ..nets.imagenet import imagenet_net
from ..precision import FP32, autocast
from ..runs import Run
from .loop import pick_device, repeatable
from .sources import opened
from .tasks import refuse_others

if TYPE_CHECKING:
    from ..data.source import Normalise

VIEWS = (1, 10)


@dataclass(frozen=True)
class Evaluation:
    """Errors in percent and loss in nats of `n` held-out images, of which the net saw `views` views each."""

    top1: float
    top5: float
    loss: float
    n: int
    views: int


def evaluate(
    run: Run,
    views: int = 1,
    data: str | Path | None = None,
    device: str | torch.device | None = None,
    workers: int | None = None,
) -> Evaluation:
    """Evaluates a finished run's weights on what was held out from its training: the test or val pictures, or those of
    its `val_split`. With one view, top1 is the run's final test error.

    `data` is where the data set is: the data root, or for a run on a folder of pictures that has moved, the folder.
    `workers` is the number of processes that decode pictures. Raises ValueError for a run that is not done or of
    another task, or for views that its data do not have, DataError if the data cannot be had or have changed.
    """
    config = run.config
    refuse_others(config, "evaluating top-1 and top-5 error")
    _check(views)
    if views == 10 and config.facts.size is not None:
        raise ValueError(
            f"views=10 are crops of pictures that are larger than what the net sees; images of {config.dataset} are "
            f"tested with their single view, as the paper tests them (section 4.2): views=1"
        )
    if config.found and data is not None:
        config, data = replace(config, dataset=f"{FOLDER}{Path(data).expanduser().absolute()}"), None
    device, net = pick_device(device), run.net()
    with repeatable(torch.get_num_threads(), device), opened(config, device, data, workers) as source:
        batches = source.held_out() if views == 1 else source.held_out(views=views)
        return score(net, batches, views, device, config.precision)


def evaluate_published(
    weights: str,
    depth: int,
    dataset: str = "imagenet",
    views: int = 1,
    data: str | Path | None = None,
    device: str | torch.device | None = None,
    workers: int | None = None,
) -> Evaluation:
    """Evaluates torchvision's published weights of a ResNet, such as "IMAGENET1K_V1", on ImageNet's val pictures, or on
    a folder with the same classes. Sizes and normalisation are those that the weights were published with.

    Raises ValueError for unknown weights or a depth that has none, or if the pictures are of more or
    fewer classes, DataError
    if they cannot be had, ConnectionError if the weights cannot be downloaded.
    """
    from torchvision.models import get_model_weights  # here, with what brings torchvision along

    from ..data.known_pictures import find_pictures
    from ..data.source import PictureSource

    _check(views)
    device, pictures = pick_device(device), find_pictures(dataset, data)
    try:
        net = imagenet_net(depth, num_classes=len(pictures.classes), weights=weights)
    except ValueError as error:
        raise ValueError(f"{weights} of ResNet-{depth} cannot be evaluated on {dataset}: {error}") from None
    view = get_model_weights(f"resnet{depth}")[weights].transforms()
    (size,), (side,) = view.crop_size, view.resize_size
    source = PictureSource(pictures, batch=1, size=size, scale=(side, side), device=device, workers=workers)
    with repeatable(torch.get_num_threads(), device), closing(source):
        normalise = _by_channels(view.mean, view.std, device)
        return score(net, source.held_out(views, normalise), views, device)


def score(
    net: nn.Module,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    views: int,
    device: torch.device,
    precision: str = FP32,
) -> Evaluation:
    """The error of `net` over batches of images, float [n, 3, H, W], or [n, views, 3, H, W] with several, and labels
    [n].
    """
    net = net.eval().to(device, memory_format=torch.channels_last)
    totals, count = torch.zeros(3, dtype=torch.float64, device=device), 0
    with torch.inference_mode():
        for images, labels in batches:
            images = images if views == 1 else images.flatten(0, 1)
            with autocast(precision, device):
                logits = net(images.contiguous(memory_format=torch.channels_last)).float()
            if views > 1:  # the logarithm of the mean softmax: logits again, in the same order
                logits = logits.view(len(labels), views, -1).log_softmax(-1).logsumexp(1) - math.log(views)
            best = logits.topk(min(5, logits.shape[1])).indices
            loss = F.cross_entropy(logits, labels, reduction="sum")
            missed = (best != labels[:, None]).all(1)
            totals += torch.stack([loss, (logits.argmax(1) != labels).sum(), missed.sum()])
            count += len(labels)
    loss, wrong, missed = totals.tolist()
    return Evaluation(100 * wrong / count, 100 * missed / count, loss / count, count, views)


def _by_channels(mean: list[float], std: list[float], device: torch.device) -> "Normalise":
    """uint8 [..., 3] -> float, as torchvision normalises: in units of 255, less `mean`, in units of `std`."""
    shift, scale = torch.tensor(mean, device=device), torch.tensor(std, device=device)
    return lambda images: (images.float() / 255 - shift) / scale


def _check(views: int) -> None:
    if views not in VIEWS:
        raise ValueError(f"views={views} is not possible; allowed: 1 (the central crop) or 10 (the paper's)")

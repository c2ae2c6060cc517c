"""The tasks that a run can have: what each may be trained on, with which nets, and who supplies it to the loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..data import DATASETS, Facts
from ..denoising.profiles import PROFILES as DENOISING
from ..detection.datasets import BOX_DATASETS
from ..detection.profiles import PROFILES as DETECTION
from ..nets.cifar import cifar_net
from ..nets.imagenet import imagenet_net
from .profiles import PROFILES as CLASSIFICATION

if TYPE_CHECKING:
    from .config import RunConfig
    from .processes import Processes
    from .task import Task

CLASSIFY = "classification"
NOT_PRETRAINED = "none"  # what RunConfig.pretrained says of a net that begins at random weights


@dataclass(frozen=True)
class Kind:
    """What a RunConfig may say if its task is this one."""

    families: tuple[str, ...]
    datasets: dict[str, Facts]
    folders: bool  # whether "folder:PATH" is a data set
    profiles: dict[str, dict[str, Any]]


IN_MEMORY = {name: facts for name, facts in DATASETS.items() if facts.size is not None}
TASKS = {
    CLASSIFY: Kind(("cifar", "imagenet"), DATASETS, True, CLASSIFICATION),
    "detection": Kind(("imagenet",), BOX_DATASETS, True, DETECTION),
    "denoising": Kind(("dncnn",), IN_MEMORY, False, DENOISING),
}


def net_maker(config: "RunConfig") -> tuple[Callable[..., nn.Module], dict[str, Any]]:
    """The function that makes the net of a config, and the arguments that it has of its own."""
    if config.task == "denoising":
        from ..denoising.net import dncnn

        return dncnn, dict(target=config.target)
    if config.family == "cifar":
        return cifar_net, dict(block=config.block, num_classes=config.facts.classes, norm=config.norm)
    own: dict[str, Any] = dict(stem=config.stem)
    own |= dict(stride_on=config.stride_on) if config.stride_on is not None else {}
    if config.task == "detection":
        from ..detection.net import faster_rcnn  # here, because it brings torchvision along

        own |= dict(image_size=config.image_size, fixed_norm=config.pretrained != NOT_PRETRAINED)
        return faster_rcnn, own | dict(classes=config.facts.classes)
    return imagenet_net, own | dict(num_classes=config.facts.classes)


def make_task(config: "RunConfig", source: Any, device: torch.device, processes: "Processes") -> "Task":
    """The Task of a run: see reslab.training.task."""
    if config.task == "detection":
        from ..detection.task import Detection as Own  # here, because it brings torchvision along
    elif config.task == "denoising":
        from ..denoising.task import Denoising as Own
    else:
        from .task import Classification as Own
    return Own(config, source, device, processes)


def refuse_others(config: "RunConfig", what: str) -> None:
    """Raises ValueError, saying that `what` is for classification, for a run of another task."""
    if config.task != CLASSIFY:
        raise ValueError(f"{what} is for runs of classification; {config.id} is one of {config.task}")

"""A net of the ImageNet family together with what it takes to show it a picture, and to name what it sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import nn

from .imagenet import ImageNetNet, imagenet_net

PUBLISHED = "IMAGENET1K_V1"  # torchvision's first weights, of this recipe
CHOICES = ("auto", "none")


class Guess(NamedTuple):
    name: str
    percent: float


def top_classes(net: nn.Module, image: torch.Tensor, names: Sequence[str], k: int = 5) -> list[Guess]:
    """The `k` classes that `net`, in evaluation, finds the most probable in `image`, float [3, H, W] as the net wants
    it, the most probable first. `names` are those of the net's outputs. The net stays in the mode that it was in.

    Raises ValueError if there are not as many names as outputs.
    """
    training = net.training
    with torch.no_grad():
        logits = net.eval()(image[None])[0]
    net.train(training)
    if len(names) != len(logits):
        raise ValueError(f"there are {len(names)} names for {len(logits)} classes; each class needs one")
    best = logits.double().softmax(0).topk(min(k, len(names)))
    return [Guess(names[i], 100 * p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]


@dataclass(frozen=True)
class Viewer:
    """A net that can be shown pictures. `weights` are their name, "" for a net fresh from initialisation, in training
    mode: its batch norm takes the statistics of the picture at hand, as it would in the first iteration.
    """

    net: ImageNetNet
    weights: str
    transforms: Any  # torchvision's, of these weights: resize, crop, normalise
    names: tuple[str, ...]  # of the 1000 classes

    @property
    def label(self) -> str:
        return f"ResNet-{self.net.depth}, {self.weights or 'fresh: random weights'}"

    def prepare(self, picture: Image.Image) -> torch.Tensor:
        """The picture as the net wants it, float [3, 224, 224]."""
        return self.transforms(picture)

    def seen(self, picture: Image.Image) -> torch.Tensor:
        """What is left of the picture after resizing and cropping, uint8 [3, 224, 224], to look at."""
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.transforms.mean, self.transforms.std))
        return ((self.prepare(picture) * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)

    def top_classes(self, picture: Image.Image, k: int = 5) -> list[Guess]:
        """As the function of this name. Raises ValueError, with what to do, for a fresh net."""
        if not self.weights:
            raise ValueError(missing(self.net.depth))
        return top_classes(self.net, self.prepare(picture), self.names, k)


@lru_cache(maxsize=2)
def viewer(depth: int = 50, weights: str = "auto") -> Viewer:
    """The net of `depth` layers with torchvision's `weights`, such as "IMAGENET1K_V1", which are downloaded once;
    "auto": with IMAGENET1K_V1 if they have been downloaded already, else fresh; "none": fresh, always from seed 0.

    Raises ValueError for unknown weights or depth, ConnectionError if they cannot be downloaded.
    """
    if weights == "auto":
        weights = PUBLISHED if _file(depth).exists() else "none"
    if weights == "none":
        net = imagenet_net(depth, generator=torch.Generator().manual_seed(0)).train()
        return _viewer(net, "", _published(depth, PUBLISHED))
    return _viewer(imagenet_net(depth, weights=weights).eval(), weights, _published(depth, weights))


def missing(depth: int) -> str:
    """What to do for trained weights, in a sentence."""
    published, file = _published(depth, PUBLISHED), _file(depth)
    return (
        f"A fresh ResNet-{depth} knows no classes. With network, weights={PUBLISHED!r} downloads trained weights "
        f"({published.meta['_file_size']:.0f} MB, once); without, put {file.name}, from {published.url}, into "
        f"{file.parent}."
    )


def _viewer(net: ImageNetNet, name: str, published: Any) -> Viewer:
    return Viewer(net, name, published.transforms(), tuple(published.meta["categories"]))


def _published(depth: int, name: str) -> Any:
    """torchvision's description of the weights."""
    from torchvision.models import get_model_weights  # here: it takes a second

    return get_model_weights(f"resnet{depth}")[name]


def _file(depth: int) -> Path:
    """Where torchvision keeps the weights once they are downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints" / _published(depth, PUBLISHED).url.rpartition("/")[2]

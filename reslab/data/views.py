"""What a net sees of a picture: the paper's random crops in training, its single and ten crops in testing (He et al.
2015, section 3.4).

Which view it is, is a function of the seed, the iteration and the picture's position in the global batch, never of
process state: any worker of any process makes the same one.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torchvision.transforms.v2.functional as TF

from .decoding import decode
from .draws import draws

VIEW, COLOUR = 4, 5  # streams of random numbers, apart from those in batches.py

# Principal components of the colours of ImageNet's pixels in units of 255 (Krizhevsky et al. 2012, section 4.1; values
# of fb.resnet.torch): standard deviations along them, which AlexNet's text calls eigenvalues, and the components as
# columns, red, green and blue.
DEVIATIONS = (0.2175, 0.0188, 0.0045)
COMPONENTS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


@dataclass(frozen=True)
class Views:
    """Makes views of the pictures in a folder: `size` is the crop's side and `scale` the range of the picture's shorter
    side before, both in pixels; the whole range in training, its least in testing.
    """

    root: str
    size: int
    scale: tuple[int, int]
    seed: int = 0

    def training(
        self, names: Sequence[str], labels: torch.Tensor, iteration: int, first: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Random views, uint8 [n, size, size, 3], of pictures at the positions `first`, `first` + 1 ... of the global
        batch of `iteration`; and their labels. Raises DataError for a picture that cannot be read.
        """
        images = [
            self._random(self._decode(name), self.seed, VIEW, iteration, position)
            for position, name in enumerate(names, first)
        ]
        return _stack(images), labels

    def centre(self, names: Sequence[str], labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The single central crop of each picture, uint8 [n, size, size, 3], and the labels."""
        images = [TF.center_crop(shorter_side(self._decode(name), self.scale[0]), [self.size]) for name in names]
        return _stack(images), labels

    def ten(self, names: Sequence[str], labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The corners and the centre of each picture, then their mirror images, uint8 [n, 10, size, size, 3], and the
        labels.
        """
        crops = [TF.ten_crop(shorter_side(self._decode(name), self.scale[0]), [self.size]) for name in names]
        return torch.stack([_stack(ten) for ten in crops]), labels

    def _decode(self, name: str) -> torch.Tensor:
        return decode(os.path.join(self.root, name))

    def _random(self, image: torch.Tensor, *key: int) -> torch.Tensor:
        side, down, right, mirror = draws(4, *key).tolist()
        least, most = self.scale
        image = shorter_side(image, least + side % (most - least + 1))
        height, width = image.shape[1:]
        image = TF.crop(image, down % (height - self.size + 1), right % (width - self.size + 1), self.size, self.size)
        return image.flip(-1) if mirror % 2 else image


def shorter_side(image: torch.Tensor, side: int) -> torch.Tensor:
    """A picture uint8 [3, H, W] resized so that its shorter side has `side` pixels."""
    return TF.resize(image, [side], antialias=True)


def lighting(batch: int, std: float, *key: int, device: torch.device | str | None = None) -> torch.Tensor:
    """AlexNet's colour augmentation: what is added to red, green and blue of each picture, float32 [batch, 3], in units
    of 255. Along each principal component of ImageNet's colours that is a normal number times `std` (there 0.1) times
    the component's own deviation; the numbers are a function of the integers in `key`.
    """
    uniform = (draws(4 * batch, *key, device=device).double().view(batch, 4) + 0.5) / 2**62
    radius, angle = (-2 * uniform[:, :2].log()).sqrt(), 2 * math.pi * uniform[:, 2:]
    # Box and Muller's normal numbers come in pairs; the fourth is not needed.
    normal = torch.cat([radius * angle.cos(), radius * angle.sin()], 1)[:, :3]
    along = normal * std * torch.tensor(DEVIATIONS, dtype=torch.float64, device=device)
    return (along @ torch.tensor(COMPONENTS, dtype=torch.float64, device=device).T).float()


def _stack(images: Sequence[torch.Tensor]) -> torch.Tensor:
    """[n, H, W, 3] of n pictures [3, H, W]: channels last is the layout that the net works in."""
    return torch.stack([image.permute(1, 2, 0) for image in images])

"""A picture with noise on it, and what several methods make of that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from PIL import Image
from torch import nn

from ..training.config import RunConfig

Method = RunConfig | str  # a net, by its config, or the name of a method that is none
Classical = Callable[[torch.Tensor, float], torch.Tensor]  # noisy float [3, H, W], sigma of 255 -> its estimate

SIDE = 192  # pixels: a picture of one's own is shown with no longer side than this


@dataclass(frozen=True)
class Trial:
    """Pictures are float32 [3, H, W] on the CPU, from 0 to 1 where clean; neither noise nor estimates are cut off."""

    sigma: float  # standard deviation of the noise, of 255
    clean: torch.Tensor
    noisy: torch.Tensor
    estimates: dict[Method, torch.Tensor]

    def psnr(self, picture: torch.Tensor) -> float:
        """Of a picture of this shape against the clean one, in dB, with a range of 1; infinite if they are equal."""
        error = (picture.double() - self.clean.double()).square().mean()
        return float(-10 * error.log10())


def trial(methods: Mapping[Method, nn.Module | Classical], clean: torch.Tensor, sigma: float, seed: int = 0) -> Trial:
    """Puts noise of this standard deviation (of 255) on `clean`, float [3, H, W], and has it taken away again.

    One seed is one pattern of noise, whatever its strength. Nets are in evaluation mode, on the CPU; they are not told
    the sigma, other methods are.
    """
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    noisy = clean + sigma / 255 * noise
    with torch.inference_mode():
        estimates = {
            name: method(noisy[None])[0] if isinstance(method, nn.Module) else method(noisy, sigma)
            for name, method in methods.items()
        }
    return Trial(sigma, clean, noisy, estimates)


def fitted(image: Image.Image, side: int = SIDE) -> torch.Tensor:
    """A picture in RGB as float [3, H, W] from 0 to 1, made smaller until no side is longer than `side` pixels."""
    image = image.convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return torch.tensor(bytearray(image.tobytes())).view(image.height, image.width, 3).permute(2, 0, 1) / 255


def mosaic(images: torch.Tensor, columns: int = 4) -> Image.Image:
    """Pictures uint8 [N, 3, H, W], as many as fill whole rows, side by side as one."""
    rows = len(images) // columns
    count, channels, height, width = images[: rows * columns].shape
    sheet = images[:count].view(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    return Image.fromarray(sheet.reshape(rows * height, columns * width, channels).cpu().numpy())

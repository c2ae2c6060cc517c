"""Denoising as a task of the training loop: noise on a data set's pictures, squared error, PSNR and SSIM."""

import torch
import torch.nn.functional as F
from torch import nn

from ..data import Dataset
from ..data.batches import crop_and_mirror
from ..data.draws import draws
from ..data.tensors import TensorSource
from ..precision import autocast
from ..training.config import RunConfig
from ..training.processes import SOLO, Processes
from ..training.task import as_source, seeded_net
from . import noise
from .metrics import psnr, ssim

# Held-out pictures that a log point looks at, of those that there are the first: about 5 % of the time of the 75
# iterations of 64 patches between two log points. Their noise is the same for every run of a sigma.
HELD_OUT = 128
# The loss is the mean squared error in units of (UNIT / 255) squared: 1 is what noise of this std, left alone, costs.
# The error itself would be a thirtieth of that, and its gradients as much smaller.
UNIT = 50


class Denoising:
    """Gaussian noise of std `config.sigma` is taken away from pictures in memory (Zhang et al. 2017, section III).

    A training picture is a square of side `config.patch` cut out of a picture of the data set, or its mirror image, in
    a range of 0 to 1. With a range of sigma each has a strength of its own. Noise is never cut off, so a noisy picture
    may leave the range. Held-out pictures are whole and have their own noise, whatever the seed; with a range of sigma
    its strength grows evenly through it, from picture to picture.
    """

    def __init__(
        self, config: RunConfig, source: TensorSource | Dataset, device: torch.device | str, processes: Processes = SOLO
    ):
        self.config, self.device, self.processes = config, torch.device(device), processes
        self.source = source = as_source(source, config, self.device, processes)
        self.fingerprint = source.fingerprint
        rank, count = processes.share
        self.clean, self.noisy = (pictures[rank::count] for pictures in held_out(source, config.sigma))

    def make_net(self) -> nn.Module:
        return seeded_net(self.config, self.device)

    def batch(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(noisy, clean): this process's share of an iteration's pictures, float [n, 3, S, S] in channels_last layout,
        0 to 1 where clean.

        Not the source's own batches: they have the mean picture subtracted and zeros at their borders, which are
        nothing that a camera has seen.
        """
        batches, seed = self.source.batches, self.config.seed
        pixels = batches.images[batches.indices(iteration)[batches.mine]].float() / 255
        mirror = draws(batches.batch, seed, noise.MIRROR, iteration, device=self.device)[batches.mine] % 2 == 1
        side = self.config.patch
        places = draws(2 * batches.batch, seed, noise.PATCH, iteration, device=self.device).view(2, -1)
        top, left = places[:, batches.mine] % (pixels.shape[1] - side + 1)
        clean = crop_and_mirror(pixels, top, left, mirror, side=side).permute(0, 3, 1, 2)
        whole = (batches.batch, *clean.shape[1:])
        drawn = noise.gaussian_pictures(whole, seed, noise.TRAINING, iteration, device=self.device)[batches.mine]
        key = (seed, noise.STRENGTH, iteration)
        strength = noise.strengths(batches.batch, self.config.sigma, *key, device=self.device)[batches.mine]
        return clean + strength * drawn, clean

    def _estimate(self, net: nn.Module, noisy: torch.Tensor) -> torch.Tensor:
        """Under bf16 the layers but the last run in autocast; weights, their updates and the result are float32."""
        with autocast(self.config.precision, self.device):
            return net(noisy)

    def loss(self, net: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        noisy, clean = batch
        squared = F.mse_loss(self._estimate(net, noisy), clean)
        return squared * (255 / UNIT) ** 2, 100 * squared.detach().sqrt()

    def evaluate(self, net: nn.Module) -> dict[str, float]:
        net.eval()
        with torch.inference_mode():
            estimates = self._estimate(net, self.noisy)
        net.train()
        squared = (estimates - self.clean).square().mean((1, 2, 3))
        sums = torch.stack([squared.sum(), psnr(estimates, self.clean).sum(), ssim(estimates, self.clean).sum()])
        *sums, count = self.processes.total(*sums.tolist(), len(self.clean))
        squared, decibels, similarity = (value / count for value in sums)
        return dict(
            test_loss=squared * (255 / UNIT) ** 2, test_error=100 * squared**0.5, psnr=decibels, ssim=similarity
        )


def held_out(source: TensorSource, sigma: tuple[int, int], most: int = HELD_OUT) -> tuple[torch.Tensor, torch.Tensor]:
    """(clean, noisy): the source's first held-out pictures, float [n, 3, S, S] of range 1, and the same with noise that
    is a function of a picture's place among them.
    """
    pixels = source.images[:most]
    clean = (pixels.float() / 255).permute(0, 3, 1, 2)
    one, device = (1, *clean.shape[1:]), clean.device
    drawn = [noise.gaussian_pictures(one, noise.HELD_OUT, place, device=device) for place in range(len(clean))]
    low, high = sigma
    places = (torch.arange(len(clean), device=clean.device) + 0.5) / len(clean)
    return clean, clean + ((low + (high - low) * places) / 255).view(-1, 1, 1, 1) * torch.cat(drawn)

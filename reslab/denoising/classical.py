"""What was done before nets: non-local means (Buades et al. 2005), as scikit-image has it."""

from dataclasses import dataclass
from itertools import product

import torch

from .metrics import psnr
from .noise import gaussian_pictures

# What `tuned` tries. To look 11 pixels far, the library's own default, is worth 0.04 dB more on `shapes` at sigma 50
# (0.07 at 25) than to look DISTANCE far, and takes 1.6 times as long; to look 5 far is worth 0.14 dB less.
PATCHES, STRENGTHS, DISTANCE = (3, 5, 7), (0.6, 0.8, 1.0, 1.2), 8
PICTURES = 12  # that the settings are tuned on
TUNING = 11  # a stream of random numbers, apart from those in noise.py


@dataclass(frozen=True)
class NonLocalMeans:
    """Each pixel becomes the mean of those around it whose surroundings look alike. To be called with noisy pictures,
    float [N, 3, H, W] or [3, H, W] of range 1, and the noise's standard deviation `sigma` (of 255), which it has to be
    told; it returns its estimate of the clean ones, float32 on the CPU.
    """

    patch: int = 5  # side of the surroundings that are compared, in pixels
    distance: int = DISTANCE  # to the farthest pixels that are looked at
    strength: float = 1.0  # h, in units of sigma: how unlike surroundings may be

    def __call__(self, noisy: torch.Tensor, sigma: float) -> torch.Tensor:
        from skimage.restoration import denoise_nl_means  # here: with it comes most of scipy

        if noisy.dim() == 3:
            return self(noisy[None], sigma)[0]
        if sigma == 0:
            return noisy.float().cpu()
        std = sigma / 255
        settings = dict(patch_size=self.patch, patch_distance=self.distance, h=self.strength * std, sigma=std)
        pictures = noisy.float().permute(0, 2, 3, 1).cpu().numpy()
        # Not the fast mode, which weighs all pixels of a patch alike: it is half a decibel worse.
        estimates = [denoise_nl_means(picture, channel_axis=-1, fast_mode=False, **settings) for picture in pictures]
        return torch.stack([torch.from_numpy(estimate).float() for estimate in estimates]).permute(0, 3, 1, 2)


def tuned(pictures: torch.Tensor, sigma: float) -> NonLocalMeans:
    """The settings with the best mean PSNR at this sigma (of 255) on the first PICTURES of `pictures`, uint8
    [N, 3, H, W], which are to be training pictures: a net has not seen the held-out ones either. Takes about four
    seconds for pictures of 32x32.
    """
    clean = pictures[:PICTURES].float().cpu() / 255
    noisy = clean + sigma / 255 * gaussian_pictures(clean.shape, TUNING)
    methods = [NonLocalMeans(patch, strength=strength) for patch, strength in product(PATCHES, STRENGTHS)]
    return max(methods, key=lambda method: float(psnr(method(noisy, sigma), clean).mean()))

"""How near denoised pictures come to the clean ones: torchmetrics' PSNR and SSIM, picture by picture."""

import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure


def psnr(estimates: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """Peak signal to noise ratio of each picture in dB, float [N], for pictures [N, 3, H, W] of range 1:
    -10 log10 of the mean squared error. Estimates are cut off at 0 and 1 first, as a picture is when it is shown.
    """
    shown = estimates.float().clamp(0, 1)
    return peak_signal_noise_ratio(shown, clean, data_range=1.0, reduction="none", dim=(1, 2, 3))


def ssim(estimates: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """Structural similarity of each picture, float [N], at most 1, for pictures [N, 3, H, W] of range 1 and at least 6
    pixels a side, cut off as for `psnr`: the mean over pixels and channels (Wang et al. 2004: a Gaussian window of
    11x11 and std 1.5; beyond the border the picture is mirrored).
    """
    shown = estimates.float().clamp(0, 1)
    return structural_similarity_index_measure(shown, clean, data_range=1.0, reduction="none").view(-1)

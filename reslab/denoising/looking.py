"""What a trained denoiser makes of pictures, and how well, at any strength of noise."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..runs import Run
from ..training.config import RunConfig
from ..training.sources import opened
from .classical import PICTURES as TUNED_ON
from .classical import NonLocalMeans, tuned
from .metrics import psnr, ssim
from .task import held_out

Method = Run | nn.Module | Callable[[torch.Tensor, float], torch.Tensor]
PICTURES = 100  # that scores are means over; a log point looks at fewer


@dataclass(frozen=True)
class Score:
    """Means over `n` held-out pictures: PSNR in dB, SSIM of at most 1."""

    psnr: float
    ssim: float
    n: int


def denoised(run: Run | nn.Module, noisy: torch.Tensor) -> torch.Tensor:
    """What a run, or a net in evaluation mode, makes of noisy pictures of any size: float [N, 3, H, W] or [3, H, W], 0
    to 1 before the noise came, to float32 of the same shape on the CPU, not cut off at 0 and 1. What was taken away is
    `noisy - denoised(run, noisy)`.

    In float32 whatever the run was trained in. Raises ValueError for a run that is not done.
    """
    net = run.net() if isinstance(run, Run) else run
    device = next(net.parameters()).device
    pictures = noisy if noisy.dim() == 4 else noisy[None]
    with torch.inference_mode():
        found = net(pictures.float().to(device, memory_format=torch.channels_last)).cpu()
    return found if noisy.dim() == 4 else found[0]


def scores(
    method: Method,
    sigmas: Iterable[float],
    config: RunConfig | None = None,
    pictures: int = PICTURES,
    data: str | Path | None = None,
) -> dict[float, Score]:
    """PSNR and SSIM of a method on held-out pictures with noise of each of `sigmas` (std, of 255), on the CPU.

    `method` is a run, a net, or what is called with noisy pictures and a sigma, such as NonLocalMeans or `unchanged`.
    `config` says which pictures: that of the run, if it is one, else of a run of denoising. All methods see the same
    pictures with the same noise, as the log points do, though more of them. `data` is where the data set is.

    Raises ValueError for a run that is not done or of another task, DataError if the data cannot be had.
    """
    config = method.config if config is None else config
    if config.task != "denoising":
        raise ValueError(f"scores are for runs of task='denoising'; {config.id} is one of {config.task}")
    estimate = method
    if isinstance(method, Run | nn.Module):
        net = method.net() if isinstance(method, Run) else method
        estimate = lambda noisy, _sigma: denoised(net, noisy)  # noqa: E731
    found = {}
    with opened(config, "cpu", data) as source:
        for sigma in sigmas:
            clean, noisy = held_out(source, (sigma, sigma), pictures)
            estimates = estimate(noisy, sigma)
            found[sigma] = Score(float(psnr(estimates, clean).mean()), float(ssim(estimates, clean).mean()), len(clean))
    return found


def classical_scores(
    config: RunConfig, sigmas: Iterable[float], pictures: int = PICTURES, data: str | Path | None = None
) -> dict[float, Score]:
    """The same of non-local means, which is told each sigma and tuned for it on training pictures of this config."""
    return {sigma: scores(classical(config, sigma, data), [sigma], config, pictures, data)[sigma] for sigma in sigmas}


def classical(config: RunConfig, sigma: float, data: str | Path | None = None) -> NonLocalMeans:
    """Non-local means with its settings tuned at this sigma (of 255) on training pictures of this config's data set."""
    with opened(config, "cpu", data) as source:
        return tuned(source.batches.images[:TUNED_ON].permute(0, 3, 1, 2), sigma)


def unchanged(noisy: torch.Tensor, sigma: float) -> torch.Tensor:
    """The method that leaves the picture as it is: what each other one has to beat."""
    return noisy

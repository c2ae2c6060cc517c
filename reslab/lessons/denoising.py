"""Nets that denoise, before and after training: on a picture with noise on it, and against each other."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from ..runs import Run
from ..training.config import RunConfig

Method = RunConfig | str  # a net, by its config, or the name of a method that is none
Told = Callable[[torch.Tensor, float], torch.Tensor]  # noisy float [3, H, W], sigma of 255 -> its estimate

CLASSICAL = "non-local means"
SIDE = 192  # pixels: a picture of one's own is shown with no longer side than this


@dataclass(frozen=True)
class Trial:
    """Pictures are float32 [3, H, W] on the CPU, from 0 to 1 where clean; neither noise nor estimates are cut off."""

    sigma: float  # standard deviation of the noise, of 255
    clean: torch.Tensor
    noisy: torch.Tensor
    estimates: dict[Method, torch.Tensor]

    def psnr(self, picture: torch.Tensor) -> float:
        """Of a picture of this shape against the clean one, in dB; infinite if they are equal."""
        return _psnr(picture[None], self.clean[None])


def _psnr(estimates: torch.Tensor, clean: torch.Tensor) -> float:
    """The mean over pictures [N, 3, H, W], in dB."""
    from ..denoising.metrics import psnr  # here: torchmetrics takes a second to load

    return psnr(estimates, clean).mean().item()


def trial(methods: Mapping[Method, nn.Module | Told], clean: torch.Tensor, sigma: float, seed: int = 0) -> Trial:
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


@dataclass(frozen=True)
class Beginning:
    """A net before training: what F has to become (its standard deviation), and how far off it is."""

    parameters: int
    target_std: float  # of the clean pictures, or of the noise, whichever F is to be; of 255
    picture_loss: float  # mean squared error of the picture that comes out, range 1
    noise_loss: float  # of the noise that was found
    psnr: float  # dB, the mean over pictures


def beginning(config: RunConfig, clean: torch.Tensor, sigma: float) -> Beginning:
    """The net of `config` as it is before the first iteration, shown `clean`, float [N, 3, H, W], with this noise."""
    net = config.make_net(torch.Generator().manual_seed(config.seed)).eval()
    noise = sigma / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(config.seed))
    with torch.inference_mode():
        picture, found = net(clean + noise), net.noise(clean + noise)
    target = clean if config.target == "clean" else noise
    return Beginning(
        sum(parameter.numel() for parameter in net.parameters()),
        255 * target.std().item(),
        (picture - clean).square().mean().item(),
        (found - noise).square().mean().item(),
        _psnr(picture, clean),
    )


@dataclass(frozen=True)
class Gap:
    """By how many dB of PSNR some runs are ahead of others at one iteration: a number a seed, negative if behind."""

    iteration: int
    differences: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.mean(self.differences)

    def __str__(self) -> str:
        """Such as "+0.52 ± 0.08 dB"; without ± where one seed cannot tell it."""
        spread = f" ± {statistics.stdev(self.differences):.2f}" if len(self.differences) > 1 else ""
        return f"{self.mean:+.2f}{spread} dB".replace("-", "−")


def gap(runs: Sequence[Run], others: Sequence[Run], share: float = 1.0) -> Gap:
    """How far `runs` are ahead of `others`, seed by seed, at the first log point after this share of the training.

    Raises ValueError where the two do not have the same seeds.
    """
    ours, theirs = ({run.config.seed: run for run in some} for some in (runs, others))
    if ours.keys() != theirs.keys():
        raise ValueError(f"seeds {sorted(ours)} cannot be compared with seeds {sorted(theirs)}; train the same of both")
    rows = {seed: [_after(run, share) for run in (ours[seed], theirs[seed])] for seed in sorted(ours)}
    return Gap(next(iter(rows.values()))[0]["iteration"], tuple(a["psnr"] - b["psnr"] for a, b in rows.values()))


def _after(run: Run, share: float) -> dict[str, Any]:
    return next(row for row in run.metrics if row["iteration"] >= share * run.config.iterations)


@dataclass(frozen=True)
class Levels:
    """PSNR in dB at several strengths of noise: of each method, a number a seed, and of the noisy picture itself."""

    scores: dict[Method, dict[float, list[float]]]  # nets by their config for any seed
    noisy: dict[float, float]

    def gain(self, method: Method, sigma: float) -> float:
        """What a method gains over the noisy picture, the mean over seeds; below 0 it does harm."""
        key = method.for_any_seed if isinstance(method, RunConfig) else method
        return statistics.mean(self.scores[key][sigma]) - self.noisy[sigma]


def tried_at(
    sigmas: Sequence[float], runs: Sequence[Run], pictures: int = 100, data: str | Path | None = None
) -> Levels:
    """Tries runs of one data set, and non-local means, on so many held-out pictures with noise of each of `sigmas`.

    Raises what `reslab.denoising.looking.scores` raises.
    """
    from ..denoising.looking import classical_scores, scores, unchanged  # here: torchmetrics takes a second to load

    config = runs[0].config
    found: dict[Method, dict[float, list[float]]] = {}
    for run in runs:
        levels = found.setdefault(run.config.for_any_seed, {sigma: [] for sigma in sigmas})
        for sigma, score in scores(run, sigmas, pictures=pictures, data=data).items():
            levels[sigma].append(score.psnr)
    told = classical_scores(config, sigmas, pictures, data)
    found[CLASSICAL] = {sigma: [score.psnr] for sigma, score in told.items()}
    noisy = scores(unchanged, sigmas, config, pictures, data)
    return Levels(found, {sigma: score.psnr for sigma, score in noisy.items()})

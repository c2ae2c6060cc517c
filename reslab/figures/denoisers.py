"""How nets that denoise are told apart in a figure: by what they predict, and by the noise they were trained for."""

from collections.abc import Iterable
from dataclasses import replace

from ..runs import Run
from ..training.config import RunConfig
from .inside import Look, looks
from .nets import Net, nets_of
from .style import FAINT, INK

NOISY, CLASSICAL = FAINT, INK  # colours of the noisy picture itself, and of methods that are no net


def sigma_label(config: RunConfig) -> str:
    """The noise that it was trained for, such as "σ = 25" or "σ 0–55"."""
    low, high = config.sigma
    return f"σ = {low}" if low == high else f"σ {low}–{high}"


def denoiser_looks(configs: Iterable[RunConfig]) -> dict[RunConfig, Look]:
    """How the nets of these configs are drawn, in this order: direct before residual, without shortcuts before with,
    one sigma (solid) before ranges (dashed).
    """
    configs = sorted(configs, key=_rank)
    several = len({config.sigma for config in configs}) > 1
    found = looks([(config, sigma_label(config)) if several else config for config in configs])
    return dict(zip(configs, found, strict=True))


def denoising_nets(runs: Iterable[Run]) -> list[tuple[Net, Look]]:
    """The runs of denoising that have a log point, by net, with how each is drawn. Others are left out."""
    nets = {net.config: net for net in nets_of(run for run in runs if run.config.task == "denoising")}
    drawn = denoiser_looks(nets)
    if len({look.label for look in drawn.values()}) < len(drawn):  # they differ in more: as all figures tell them apart
        drawn = {
            config: replace(look, label=nets[config].label, colour=nets[config].colour)
            for config, look in drawn.items()
        }
    return [(nets[config], look) for config, look in drawn.items()]


def _rank(config: RunConfig) -> tuple:
    low, high = config.sigma
    return high > low, config.target != "clean", config.shortcut != "none", config.shortcut, low, high, config.id

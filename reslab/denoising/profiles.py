"""The profiles of denoising: the schedule of Zhang et al. 2017, and the same with small numbers."""

from typing import Any

from ..training.profiles import PAPER as CLASSIFICATION

# Zhang et al. 2017 (1608.03981), section IV-A: 17 layers, sigma 25, 50 epochs in batches of 128.
PAPER = CLASSIFICATION | dict(
    family="dncnn",
    depth=17,
    shortcut="none",
    target="noise",
    sigma=(25, 25),
    width=64,
    iterations=20_000,
    lr_drops=(12_000, 16_000),
    log_every=500,
)
PROFILES: dict[str, dict[str, Any]] = {
    "paper": PAPER,
    "short": PAPER | dict(iterations=2_000, lr_drops=(1_200, 1_600), log_every=100),
    "demo": PAPER
    | dict(
        dataset="shapes",
        width=16,
        iterations=400,
        batch=32,
        lr_drops=(240, 320),
        log_every=20,
    ),
    "smoke": PAPER
    | dict(dataset="shapes", image_size=16, width=4, iterations=12, batch=8, lr_drops=(6, 9), log_every=3),
}

"""The profiles of detection: the paper's schedule, and the same with small numbers."""

from typing import Any

from ..training.profiles import PAPER as CLASSIFICATION

# Ren et al. 2015 (1506.01497), section 3.3, whose recipe He et al. 2015, appendix A, takes over: 60k iterations at
# 0.001 and 20k at 0.0001, pictures with a shorter side of 600, batch norm fixed as ImageNet left it.
PAPER = CLASSIFICATION | dict(
    family="imagenet",
    depth=101,
    shortcut="B",
    stride_on="3x3",
    dataset="voc07",
    image_size=600,
    iterations=80_000,
    batch=2,
    lr=0.001,
    lr_drops=(60_000,),
    weight_decay=5e-4,
    pretrained="IMAGENET1K_V1",
    log_every=4_000,
)
PROFILES: dict[str, dict[str, Any]] = {
    "paper": PAPER,
    "short": PAPER | dict(depth=18, shortcut="A", image_size=300, iterations=4_000, lr_drops=(3_000,), log_every=500),
    "demo": PAPER
    | dict(
        depth=18,
        shortcut="A",
        dataset="scenes",
        image_size=96,
        width=4,  # times four in the ImageNet family
        iterations=600,
        batch=8,
        lr=0.02,
        lr_drops=(400, 540),
        warmup_iterations=50,
        pretrained="none",
        log_every=60,
    ),
    "smoke": PAPER
    | dict(
        depth=18,
        shortcut="A",
        dataset="scenes",
        image_size=48,
        width=2,
        iterations=4,
        batch=2,
        lr=0.01,
        lr_drops=(3,),
        pretrained="none",
        log_every=2,
    ),
}

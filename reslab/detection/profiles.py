"""The profiles of detection: the paper's schedule, and the same with small numbers."""

from typing import Any

from ..training.profiles import PAPER as CLASSIFICATION

# He et al. 2015, appendix A, on VOC: the hyper-parameters "are the same as in" Ren et al. 2015 (1506.01497), whose
# section 3.3 has 60k iterations at 0.001 and 20k at 0.0001, momentum 0.9, weight decay 0.0005 and pictures with a
# shorter side of 600. Two pictures an iteration, so that there are 128 RoIs (see budget.py). Batch norm is fixed as
# ImageNet left it, in torchvision's weights, whose nets have their stride on the 3x3.
PAPER = CLASSIFICATION | dict(
    family="imagenet",
    depth=101,
    shortcut="B",
    stride_on="3x3",
    dataset="voc07+12",
    image_size=600,
    iterations=80_000,
    batch=2,
    lr=0.001,
    lr_drops=(60_000,),
    weight_decay=5e-4,
    pretrained="IMAGENET1K_V1",
    log_every=4_000,
)
# From nothing, so that the plain twin, which nobody published weights of, can be trained the same way: batch norm
# learns, the learning rate is one for that, and the stem leaves small pictures their size.
SCRATCH = PAPER | dict(
    depth=18,
    shortcut="A",
    dataset="scenes",
    stem="cifar",
    batch=8,
    lr=0.02,
    weight_decay=1e-4,
    pretrained="none",
)
PROFILES: dict[str, dict[str, Any]] = {
    "paper": PAPER,
    # Widths are times four in the ImageNet family. The pictures at their full size: about an hour on two CPU cores.
    "short": SCRATCH
    | dict(image_size=96, width=8, iterations=2_000, lr_drops=(1_400, 1_800), warmup_iterations=100, log_every=200),
    # Minutes on two CPU cores. RoIs cost the most, and one costs the same whatever the picture's size.
    "demo": SCRATCH
    | dict(image_size=64, width=4, iterations=500, lr_drops=(350, 450), warmup_iterations=50, log_every=50),
    # Seconds: for tests, not for conclusions.
    "smoke": SCRATCH | dict(image_size=48, width=2, iterations=4, batch=2, lr=0.01, lr_drops=(3,), log_every=2),
}

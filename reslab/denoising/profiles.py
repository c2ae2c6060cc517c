"""The profiles of denoising: the schedule of Zhang et al. 2017, and the same with small numbers."""

from typing import Any

from ..training.profiles import PAPER as CLASSIFICATION

# Zhang et al. 2017 (1608.03981), section IV-A: 17 layers of width 64, sigma 25, SGD with momentum 0.9 and weight decay
# 1e-4, 50 epochs in batches of 128, the learning rate falling from 0.1 to 0.0001. Here it falls in three steps of ten,
# theirs falls a little each epoch. They train on 40x40 patches of 400 grey pictures, turned and mirrored at random;
# ours are CIFAR-10's pictures, in colour and whole (32x32), mirrored at random. Their loss is a sum, ours a mean, and
# the net begins near the identity: see task.py for the loss's scale, net.py for SHIFT, CENTRE and UNITS. With these,
# shorter schedules bear another recipe (LESSON); nobody has tried which is best for this one.
EPOCH = 50_000 // 128
PAPER = CLASSIFICATION | dict(
    family="dncnn",
    depth=17,
    shortcut="none",
    target="noise",
    sigma=(25, 25),
    patch=32,
    width=64,
    iterations=50 * EPOCH,
    lr_drops=tuple(round(quarter * 12.5 * EPOCH) for quarter in (1, 2, 3)),
    log_every=EPOCH,
)
# What a schedule of minutes needs, tried in runs of demo's size at sigma 25, on training pictures of `shapes` that were
# held out. The direct net decides: with the paper's SGD it ends as hardly more than a linear filter. AdamW with a rate
# that falls to 0, patches (at the cost of one whole picture, batch norm sees four, whose brightness the net has to
# keep) and channels that cut (net.py) are worth 1.5 dB to it together, and 0.2 dB to the residual net.
LESSON = dict(optimizer="adamw", lr=0.01, lr_schedule="linear", warmup_iterations=50, batch=64, patch=16)
PROFILES: dict[str, dict[str, Any]] = {
    "paper": PAPER,
    # Narrow nets, a twentieth of the pictures' pixels.
    "short": PAPER | LESSON | dict(width=32, iterations=8_000, lr_drops=(4_000, 6_000), log_every=400),
    # Narrower still, and embedded pictures: minutes on two CPU cores. Sigma 50 is the strongest of the paper's three:
    # at 25, in so short a training, the direct net ends just below non-local means, for which `shapes` are easy.
    "demo": PAPER
    | LESSON
    | dict(dataset="shapes", width=16, sigma=(50, 50), iterations=1_500, lr_drops=(750, 1_125), log_every=75),
    # Seconds: for tests, not for conclusions.
    "smoke": PAPER
    | LESSON
    | dict(
        dataset="shapes",
        image_size=16,
        patch=8,
        width=4,
        iterations=12,
        lr_drops=(6, 9),
        batch=8,
        warmup_iterations=0,
        log_every=3,
    ),
}

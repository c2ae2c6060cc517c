"""The profiles of denoising: the schedule of Zhang et al. 2017, and the same with small numbers."""

from typing import Any

from ..training.profiles import PAPER as CLASSIFICATION

# Zhang et al. 2017 (1608.03981), section IV-A: 17 layers of width 64, sigma 25, SGD with momentum 0.9 and weight decay
# 1e-4, 50 epochs in batches of 128, the learning rate falling from 0.1 to 0.0001. Here it falls in three steps of ten,
# theirs falls a little each epoch. They train on 40x40 patches of 400 grey pictures, turned and mirrored at random;
# ours are CIFAR-10's pictures, in colour and whole (32x32), mirrored at random. Their loss is a sum, ours a mean, and
# the net begins near the identity: see task.py for the loss's scale, net.py for SHIFT, CENTRE and UNITS. With these,
# shorter schedules bear other learning rates (OWN_LR); nobody has tried which are best for this one.
EPOCH = 50_000 // 128
PAPER = CLASSIFICATION | dict(
    family="dncnn",
    depth=17,
    shortcut="none",
    target="noise",
    sigma=(25, 25),
    width=64,
    iterations=50 * EPOCH,
    lr_drops=tuple(round(quarter * 12.5 * EPOCH) for quarter in (1, 2, 3)),
    log_every=EPOCH,
)
# By target, the best of 0.1, 0.3 and 1 in runs of demo's size on `shapes`, judged on training pictures that were held
# out: at 1 the direct net, through whose layers the picture itself has to pass, learns next to nothing, and at 0.1 the
# other learns less.
OWN_LR = dict(noise=1.0, clean=0.1)
PROFILES: dict[str, dict[str, Any]] = {
    "paper": PAPER,
    # Narrow nets, a twentieth of the pictures.
    "short": PAPER | dict(width=32, batch=32, lr=OWN_LR, iterations=4_000, lr_drops=(2_800, 3_600), log_every=200),
    # Narrower still, and embedded pictures: minutes on two CPU cores.
    "demo": PAPER
    | dict(
        dataset="shapes",
        width=16,
        iterations=1_000,
        batch=32,
        lr=OWN_LR,
        lr_drops=(700, 900),
        warmup_iterations=50,
        log_every=50,
    ),
    # Seconds: for tests, not for conclusions.
    "smoke": PAPER
    | dict(dataset="shapes", image_size=16, width=4, iterations=12, batch=8, lr=0.01, lr_drops=(6, 9), log_every=3),
}

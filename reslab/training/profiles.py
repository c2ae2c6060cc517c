"""The profiles of classification: named sets of defaults for a RunConfig. Those of other tasks lie with them."""

from typing import Any

FROM_PROFILE: Any = None  # a field left at this takes the profile's value

# The paper's recipe (section 4.2). Every other profile is this one with other numbers.
PAPER = dict(
    family="cifar",
    depth=20,
    shortcut="A",
    stride_on="3x3",
    dataset="cifar10",
    image_size=32,
    width=16,
    weight_decay=1e-4,
    target=None,
    sigma=(),
    patch=None,
    pretrained=None,
    iterations=64_000,
    batch=128,
    optimizer="sgd",
    lr=0.1,
    lr_schedule="drops",
    lr_drops=(32_000, 48_000),
    lr_plateau=0,
    warmup_iterations=0,
    warmup_error=80.0,
    log_every=400,
    precision="bf16",
)
PROFILES: dict[str, dict[str, Any]] = {
    "paper": PAPER,
    # 1/16 of the schedule: the same recipe in an hour instead of a day. More log points would cost more than 5 %.
    "short": PAPER | dict(iterations=4_000, lr_drops=(2_000, 3_000), log_every=500),
    # Small, easy images and narrow nets: the same picture in minutes on two CPU cores.
    "demo": PAPER
    | dict(
        dataset="shapes",
        image_size=16,
        width=8,
        iterations=700,
        batch=64,
        lr=0.03,
        lr_drops=(490, 630),
        warmup_iterations=100,
        log_every=35,
    ),
    # Seconds: for tests, not for conclusions.
    "smoke": PAPER
    | dict(dataset="shapes", image_size=8, width=4, iterations=12, batch=16, lr=0.03, lr_drops=(6, 9), log_every=3),
    # Section 3.4, for the ImageNet family: a log point an epoch of ImageNet. For what a plateau is see schedule.py.
    "imagenet-paper": PAPER
    | dict(
        family="imagenet",
        depth=18,
        stride_on="1x1",
        dataset="imagenet",
        image_size=224,
        iterations=600_000,
        batch=256,
        lr_drops=(),
        lr_plateau=5,
        log_every=5_000,
    ),
}

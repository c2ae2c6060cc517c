"""What a RunConfig may be: every field against what is allowed."""

import math
from typing import TYPE_CHECKING

from ..data import FOLDER
from ..denoising.net import TARGETS, check_dncnn_depth
from ..nets.blocks import STRIDES
from ..nets.cifar import check_depth
from ..nets.imagenet import STEMS, check_imagenet_depth
from ..nets.norm import NORMS
from ..nets.orders import check_order
from ..nets.registry import shortcut_class
from ..precision import PRECISIONS
from .tasks import CLASSIFY, NOT_PRETRAINED, TASKS

if TYPE_CHECKING:
    from .config import RunConfig

OPTIMIZERS, SCHEDULES = ("sgd", "adamw"), ("drops", "linear")
LEAST_PATCH = 8
MOST_SIGMA = 255


def require(config: "RunConfig", ok: bool, name: str, allowed: str) -> None:
    """Raises ValueError, naming the field `name`, its value and what is allowed, unless `ok`."""
    if not ok:
        raise ValueError(f"{name}={getattr(config, name)!r} is not possible; allowed: {allowed}")


def check(config: "RunConfig") -> None:
    """Raises ValueError for a field that cannot be trained, naming the field, the value and what is allowed."""
    families = TASKS[config.task].families
    require(config, config.family in families, "family", f"of {config.task}: {', '.join(families)}")
    _check_net(config)
    _check_data(config)
    _check_task(config)
    for name, allowed in dict(precision=PRECISIONS, optimizer=OPTIMIZERS, lr_schedule=SCHEDULES).items():
        require(config, getattr(config, name) in allowed, name, f"one of {', '.join(allowed)}")
    for name in ("width", "iterations", "log_every"):
        require(config, getattr(config, name) >= 1, name, "1 or more")
    for name in ("seed", "warmup_iterations", "weight_decay"):
        require(config, getattr(config, name) >= 0, name, "0 or more")
    for name in ("lr", "weight_decay"):
        require(config, math.isfinite(getattr(config, name)), name, "a finite number")
    require(config, config.lr > 0, "lr", "more than 0")
    require(config, 0 <= config.momentum < 1, "momentum", "at least 0 and below 1")
    require(config, 0 <= config.warmup_error <= 100, "warmup_error", "a percentage, 0 to 100")
    require(config, config.lr_plateau >= 0, "lr_plateau", "0 or more")
    require(config, not (config.lr_plateau and config.lr_drops), "lr_plateau", "0 where there are lr_drops")
    drops, stepped = config.lr_drops, config.lr_schedule == "drops"
    require(
        config,
        stepped or not (drops or config.lr_plateau),
        "lr_schedule",
        "'drops' with lr_drops or lr_plateau; leave them out",
    )
    ordered = all(a < b for a, b in zip((0, *drops), (*drops, config.iterations), strict=True))
    require(config, ordered, "lr_drops", f"increasing iterations between 0 and iterations={config.iterations}")


def _check_net(config: "RunConfig") -> None:
    if config.family == "imagenet":
        block = check_imagenet_depth(config.depth, config.shortcut)
        require(config, config.block == block, "block", f"{block}, which {config.depth} layers have; leave it out")
        require(config, config.stem in STEMS, "stem", f"one of {', '.join(STEMS)}")
        known = STRIDES if block == "bottleneck" else (None,)
        allowed = f"one of {', '.join(STRIDES)}" if known is STRIDES else "nothing: basic blocks have no choice"
        require(config, config.stride_on in known, "stride_on", allowed)
    else:
        if config.family == "cifar":
            check_depth(config.depth, config.block)
        else:
            check_dncnn_depth(config.depth)
            require(config, config.block == "basic", "block", "basic")
        for name in ("stem", "stride_on"):
            require(config, getattr(config, name) is None, name, "nothing: it is for family='imagenet'")
    check_order(config.activation_order)
    norms = NORMS if config.family == "cifar" else ("batch",)
    require(config, config.norm in norms, "norm", f"of family={config.family!r}: {', '.join(norms)}")
    gated = shortcut_class(config.shortcut, config.plugins)
    allowed = "a finite number" if gated.gate_bias is not None else f"nothing: {config.shortcut!r} has no gate"
    finite = config.gate_bias is None or (gated.gate_bias is not None and math.isfinite(config.gate_bias))
    require(config, finite, "gate_bias", allowed)


def _check_data(config: "RunConfig") -> None:
    kind, folder = TASKS[config.task], config.dataset.startswith(FOLDER)
    allowed = ", ".join([*kind.datasets, *[f"{FOLDER}PATH"] * kind.folders])
    known = config.dataset in kind.datasets or (folder and kind.folders)
    require(config, known, "dataset", f"one of {allowed}")
    require(config, folder or config.found is None, "found", f"nothing: it is for {FOLDER}PATH")
    images, size = config.facts.train, config.facts.size
    if config.task == CLASSIFY and size is None:
        require(config, config.image_size >= 8, "image_size", "8 or more")
        low, high = config.scale if len(config.scale) == 2 else (0, 0)
        require(
            config, config.image_size <= low <= high, "scale", f"two lengths from image_size={config.image_size} on"
        )
        require(config, 0 <= config.colour < math.inf, "colour", "0 or more")
    else:
        if size is None:
            require(config, config.image_size >= 32, "image_size", "32 or more")
        else:
            sizes = [s for s in (8, 16, 32) if s <= size]
            require(config, config.image_size in sizes, "image_size", f"one of {', '.join(map(str, sizes))}")
        require(config, config.scale == (), "scale", "nothing: it is for pictures in folders, one a class")
        require(config, config.colour is None, "colour", "nothing: it is for pictures in folders, one a class")
    # One picture has enough values for batch norm where the net sees many boxes of it, or where batch norm is fixed.
    least = 1 if config.task == "detection" else 2
    require(config, least <= config.batch <= images, "batch", f"{least} to {images}")
    require(config, 0 <= config.val_split <= images - config.batch, "val_split", f"0 to {images - config.batch}")
    if not config.facts.test:
        why = f"1 or more: {config.dataset} has no public test boxes, so some of its training pictures must be held out"
        require(config, config.val_split > 0, "val_split", why)


def _check_task(config: "RunConfig") -> None:
    if config.task == "denoising":
        require(config, config.target in TARGETS, "target", f"one of {', '.join(TARGETS)}")
        low, high = config.sigma if len(config.sigma) == 2 else (-1, -1)
        allowed = f"two whole numbers, the least and the greatest, from 0 to {MOST_SIGMA} and not both 0"
        require(config, 0 <= low <= high <= MOST_SIGMA and high > 0, "sigma", allowed)
        fits = LEAST_PATCH <= config.patch <= config.image_size
        require(config, fits, "patch", f"{LEAST_PATCH} to image_size={config.image_size}, which is whole pictures")
    else:
        require(config, config.target is None, "target", "nothing: it is for task='denoising'")
        require(config, config.sigma == (), "sigma", "nothing: it is for task='denoising'")
        require(config, config.patch is None, "patch", "nothing: it is for task='denoising'")
    if config.task != "detection":
        require(config, config.pretrained is None, "pretrained", "nothing: it is for task='detection'")
    elif config.pretrained != NOT_PRETRAINED:
        published = dict(shortcut="B", width=64, stem="imagenet")
        fits = all(getattr(config, name) == value for name, value in published.items())
        made = ", ".join(f"{name}={value!r}" for name, value in published.items())
        require(config, fits, "pretrained", f"{NOT_PRETRAINED!r}, or with {made}: published weights are of those nets")

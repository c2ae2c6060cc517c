"""One run's settings: a frozen dataclass, passed whole, whose hash is the run's name."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from ..data import DATASETS
from ..names import check_names
from ..nets.cifar import CifarNet, check_depth, cifar_net
from ..nets.orders import check_order
from ..nets.plugins import Plugin, load_plugin
from ..nets.registry import shortcut_class, source_digest

PRECISIONS = ("fp32", "bf16")
WARMUP_DEPTH = 110  # from this depth on the paper warms up (section 4.2)

# The paper's recipe (section 4.2). Every other profile is this one with other numbers.
PAPER = dict(
    dataset="cifar10",
    image_size=32,
    width=16,
    iterations=64_000,
    batch=128,
    lr=0.1,
    lr_drops=(32_000, 48_000),
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
}

FROM_PROFILE: Any = None  # a field left at this takes the profile's value

# Fields that came after the first runs. At these values they mean what was always done, and are no part of a run's id.
LATER = dict(activation_order="original", gate_bias=None, plugins=[])


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run's result. Fields left out take the profile's value; after construction every
    field has its value.

    Raises ValueError, naming the field, the value and what is allowed, for a value that cannot be trained. Recipe: He
    et al. 2015, section 4.2.
    """

    depth: int = 20  # weighted layers: 6n+2 for basic blocks, 9n+2 for bottlenecks
    shortcut: str = "A"  # "none" is the plain net; A, B, C are the paper's options; see reslab.nets.SHORTCUTS for all
    profile: str = "demo"  # where the fields below get their defaults: paper, short, demo or smoke
    seed: int = 0  # of initialisation, data order and augmentation
    dataset: str = FROM_PROFILE  # "cifar10" or "shapes"
    block: str = "basic"  # or "bottleneck"
    width: int = FROM_PROFILE  # channels of the first stage; the paper's nets have 16
    image_size: int = FROM_PROFILE  # pixels; smaller than the data set's means average pooling
    val_split: int = 0  # training images held out and evaluated instead of the test set; 5000 is the paper's 45k/5k
    iterations: int = FROM_PROFILE  # mini-batches until the end
    batch: int = FROM_PROFILE  # images a mini-batch
    lr: float = FROM_PROFILE  # learning rate before the drops
    lr_drops: tuple[int, ...] = FROM_PROFILE  # iterations at which the learning rate is divided by 10
    warmup_iterations: int = FROM_PROFILE  # linear ramp of the learning rate from 0; 0 is none
    warmup_error: float = FROM_PROFILE  # depth >= 110: lr / 10 until the running training error is below this (percent)
    momentum: float = 0.9
    weight_decay: float = 1e-4
    precision: str = FROM_PROFILE  # "bf16" (autocast; weights stay float32) or "fp32"
    log_every: int = FROM_PROFILE  # iterations between log points: a row of metrics.csv, a checkpoint
    activation_order: str = "original"  # where BN and ReLU stand in a block: see reslab.nets.ORDERS
    gate_bias: float | None = None  # that a gating shortcut's gates start from; None: the shortcut's own, or no gate
    plugins: tuple[Plugin, ...] = ()  # files with shortcuts of your own; the one that has `shortcut` is kept

    def __post_init__(self):
        self._require(self.profile in PROFILES, "profile", f"one of {', '.join(PROFILES)}")
        defaults = dict(PROFILES[self.profile])
        if type(self.iterations) is int and self.iterations > 0:  # an explicit length stretches the profile's schedule
            stretch = self.iterations / defaults["iterations"]
            drops = dict.fromkeys(round(drop * stretch) for drop in defaults["lr_drops"])
            defaults["lr_drops"] = tuple(drop for drop in drops if 0 < drop < self.iterations)
            defaults["warmup_iterations"] = round(defaults["warmup_iterations"] * stretch)
        for name, value in defaults.items():
            if getattr(self, name) is FROM_PROFILE:
                object.__setattr__(self, name, value)
        for field in fields(self):
            object.__setattr__(self, field.name, self._coerced(field))
        self._check()

    def _require(self, ok: bool, name: str, allowed: str) -> None:
        if not ok:
            raise ValueError(f"{name}={getattr(self, name)!r} is not possible; allowed: {allowed}")

    def _coerced(self, field: dataclasses.Field) -> Any:
        """The value in its field's type, so that 1 and 1.0, or a list and a tuple, give the same run."""
        value, kind = getattr(self, field.name), field.type
        if kind == float | None:
            if value is None:
                return None
            kind = float
        if kind == tuple[Plugin, ...]:
            return self._needed_plugins(value)
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if kind == tuple[int, ...] and isinstance(value, list | tuple):
            self._require(all(type(v) is int for v in value), field.name, "a list of whole numbers")
            return tuple(value)
        kind = tuple if kind == tuple[int, ...] else kind
        self._require(type(value) is kind, field.name, f"a value of type {kind.__name__}")
        return value

    def _needed_plugins(self, value: Any) -> tuple[Plugin, ...]:
        """Of the files named, the one that the shortcut comes from: the others do not change the result."""
        kinds = (str, Path, Plugin)
        self._require(
            isinstance(value, list | tuple) and all(isinstance(item, kinds) for item in value),
            "plugins",
            'a list of files, such as ["my_shortcut.py"]',
        )
        plugins = tuple(dict.fromkeys(load_plugin(item) for item in value))
        shortcut_class(self.shortcut, plugins)
        return tuple(plugin for plugin in plugins if self.shortcut in plugin.shortcuts)

    def _check(self) -> None:
        check_depth(self.depth, self.block)
        check_order(self.activation_order)
        gated = shortcut_class(self.shortcut, self.plugins)
        if self.gate_bias is None:
            object.__setattr__(self, "gate_bias", gated.gate_bias)
        allowed = "a finite number" if gated.gate_bias is not None else f"nothing: {self.shortcut!r} has no gate"
        finite = self.gate_bias is None or (gated.gate_bias is not None and math.isfinite(self.gate_bias))
        self._require(finite, "gate_bias", allowed)
        self._require(self.dataset in DATASETS, "dataset", f"one of {', '.join(DATASETS)}")
        images, size = DATASETS[self.dataset].train, DATASETS[self.dataset].size
        self._require(self.precision in PRECISIONS, "precision", f"one of {', '.join(PRECISIONS)}")
        for name in ("width", "iterations", "log_every"):
            self._require(getattr(self, name) >= 1, name, "1 or more")
        for name in ("seed", "warmup_iterations", "weight_decay"):
            self._require(getattr(self, name) >= 0, name, "0 or more")
        for name in ("lr", "weight_decay"):
            self._require(math.isfinite(getattr(self, name)), name, "a finite number")
        self._require(self.lr > 0, "lr", "more than 0")
        self._require(0 <= self.momentum < 1, "momentum", "at least 0 and below 1")
        self._require(0 <= self.warmup_error <= 100, "warmup_error", "a percentage, 0 to 100")
        sizes = [s for s in (8, 16, 32) if s <= size]
        self._require(self.image_size in sizes, "image_size", f"one of {', '.join(map(str, sizes))}")
        self._require(2 <= self.batch <= images, "batch", f"2 to {images}")
        self._require(0 <= self.val_split <= images - self.batch, "val_split", f"0 to {images - self.batch}")
        drops = self.lr_drops
        ordered = all(a < b for a, b in zip((0, *drops), (*drops, self.iterations), strict=True))
        self._require(ordered, "lr_drops", f"increasing iterations between 0 and iterations={self.iterations}")

    @property
    def id(self) -> str:
        """The run folder's name: a readable part and a hash of every field, and of the source of a user's shortcut."""
        values = self.to_dict() | dict(plugins=[plugin.digest for plugin in self.plugins])
        values = {name: value for name, value in values.items() if name not in LATER or value != LATER[name]}
        source = "" if self.plugins else source_digest(shortcut_class(self.shortcut))
        digest = hashlib.sha256((json.dumps(values, sort_keys=True) + source).encode()).hexdigest()[:8]
        return f"{self.dataset}-{self.net_name}-{self.profile}-s{self.seed}-{digest}"

    @property
    def net_name(self) -> str:
        """Short name of the net, such as plain56, res56 (option A), res56-B or res110-full-preactivation."""
        kind = "plain" if self.shortcut == "none" else "res"
        extras = [self.shortcut] * (self.shortcut not in ("none", "A")) + [self.block] * (self.block != "basic")
        extras += [self.activation_order] * (self.activation_order != "original")
        return "-".join([f"{kind}{self.depth}", *extras])

    @property
    def batches_per_epoch(self) -> int:
        """Full mini-batches in one pass over the training images; the rest of a permutation is left out."""
        return (DATASETS[self.dataset].train - self.val_split) // self.batch

    def make_net(self, generator: torch.Generator | None = None) -> CifarNet:
        """The net of this config, freshly initialised: images [N, 3, image_size, image_size] -> logits.

        `generator` makes the initialisation reproducible; None leaves torch's global random numbers as they are.
        """
        names = ("depth", "shortcut", "width", "block", "activation_order", "gate_bias", "plugins")
        values = {name: getattr(self, name) for name in names}
        with torch.random.fork_rng(devices=[]):
            if generator is not None:  # for what initialise() does not know: the weights of a shortcut of one's own
                torch.default_generator.manual_seed(generator.initial_seed())
            return cifar_net(**values, num_classes=DATASETS[self.dataset].classes, generator=generator)

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["plugins"] = [str(plugin.path) for plugin in self.plugins]
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RunConfig":
        """The config with these fields. Raises ValueError for a name that is no field, with the closest one that is."""
        check_names(values, [f.name for f in fields(cls)], "RunConfig")
        return cls(**values)


def learning_rate(config: RunConfig, iteration: int, warmup_end: int | None = None) -> float:
    """The learning rate of `iteration` (counted from 0): a pure function of the config, the iteration and one recorded
    number.

    `warmup_end` is the iteration at which the running training error fell below `config.warmup_error`, None while it
    has not; only nets of depth 110 and more look at it: they train at lr / 10 until then (He et al. 2015, section 4.2).
    No scheduler state that could be lost or chained wrongly.
    """
    lr = config.lr / 10 ** sum(iteration >= drop for drop in config.lr_drops)
    if iteration < config.warmup_iterations:
        lr *= (iteration + 1) / config.warmup_iterations
    if config.depth >= WARMUP_DEPTH and (warmup_end is None or iteration < warmup_end):
        lr /= 10
    return lr

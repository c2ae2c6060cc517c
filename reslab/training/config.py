"""One run's settings: a frozen dataclass, passed whole, whose hash is the run's name."""

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

import torch
from torch import nn

from ..data import Facts, find_facts
from ..names import FOLDER, absolute_folder, check_names
from ..nets.imagenet import check_imagenet_depth
from ..nets.plugins import Plugin, load_plugin
from ..nets.registry import shortcut_class, source_digest
from .checks import check, require
from .profiles import FROM_PROFILE
from .tasks import CLASSIFY, TASKS, net_maker

# Fields that came after the first runs. At these values they mean what was always done, and are no part of a run's id.
LATER: dict[str, Any] = dict(activation_order="original", gate_bias=None, plugins=[], family="cifar")
LATER |= dict(stem=None, stride_on=None, scale=[], colour=None, lr_plateau=0, found=None)
LATER |= dict(task=CLASSIFY, target=None, sigma=[], pretrained=None)
LATER |= dict(optimizer="sgd", lr_schedule="drops", patch=None, norm="batch")


def before_there_were(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a run, as its folder has them, with those that it is too old to have and that a profile may have
    another value for by now. Denoisers that had no patch began with other weights, too: as `patch` is part of a
    denoiser's id, none of them is taken for a newer run.
    """
    patch = values.get("image_size") if values.get("task") == "denoising" else None
    return dict(optimizer="sgd", lr_schedule="drops", patch=patch) | values


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run's result. Fields left out take the profile's value; after construction every
    field has its value.

    Raises ValueError, naming the field, the value and what is allowed, for a value that cannot be trained. Recipe: He
    et al. 2015, section 4.2.
    """

    depth: int = FROM_PROFILE  # weighted layers: 6n+2, with bottlenecks 9n+2; in the ImageNet family 18 to 152
    shortcut: str = FROM_PROFILE  # "none" is the plain net; A, B, C are the paper's; see reslab.nets.SHORTCUTS for all
    profile: str = "demo"  # where the fields below get their defaults: paper, short, demo, smoke or imagenet-paper
    seed: int = 0  # of initialisation, data order and augmentation
    dataset: str = FROM_PROFILE  # "cifar10", "shapes"; pictures: "folder:PATH", "imagenet", "imagenette"
    block: str | None = None  # "basic" (the CIFAR family's default) or "bottleneck"; the ImageNet family's by its depth
    width: int = FROM_PROFILE  # channels of the first stage: 16 in the paper's CIFAR nets, 64 in its ImageNet nets
    image_size: int = FROM_PROFILE  # pixels; of a tensor data set, less than it has means average pooling
    val_split: int = 0  # training images held out and evaluated instead of the test set; 5000 is the paper's 45k/5k
    iterations: int = FROM_PROFILE  # mini-batches until the end
    batch: int = FROM_PROFILE  # images a mini-batch
    lr: float = FROM_PROFILE  # learning rate before it falls
    lr_drops: tuple[int, ...] = FROM_PROFILE  # iterations at which the learning rate is divided by 10
    warmup_iterations: int = FROM_PROFILE  # linear ramp of the learning rate from 0; 0 is none
    warmup_error: float = FROM_PROFILE  # CIFAR nets, depth >= 110: lr / 10 until the training error is below this (%)
    momentum: float = 0.9  # of AdamW its beta1
    weight_decay: float = FROM_PROFILE
    precision: str = FROM_PROFILE  # "bf16" (autocast, where the device has it; weights stay float32) or "fp32"
    log_every: int = FROM_PROFILE  # iterations between log points: a row of metrics.csv, a checkpoint
    activation_order: str = "original"  # where BN and ReLU stand in a block: see reslab.nets.ORDERS
    gate_bias: float | None = None  # that a gating shortcut's gates start from; None: the shortcut's own, or no gate
    plugins: tuple[Plugin, ...] = ()  # files with shortcuts of your own; the one that has `shortcut` is kept
    family: str = FROM_PROFILE  # "cifar": three stages, 6n+2 layers; "imagenet": four, 18 to 152; "dncnn": denoising
    stem: str | None = None  # ImageNet family: "imagenet" (7x7 and max pooling; the default) or "cifar" (3x3)
    stride_on: str | None = FROM_PROFILE  # its bottlenecks: "3x3" (as in torchvision) or "1x1" (as in the paper)
    scale: tuple[int, ...] = FROM_PROFILE  # pictures: least and greatest length of the shorter side; 256, 480 for 224
    colour: float | None = None  # pictures: standard deviation of the colour augmentation; 0.1 unless given
    lr_plateau: int = FROM_PROFILE  # log points without progress until lr is divided by 10; 0: not by that
    found: Facts | None = None  # what is in the folder of pictures; found by looking, not to be given
    task: str = CLASSIFY  # "classification", "detection" or "denoising"
    target: str | None = FROM_PROFILE  # denoising: the net's branch predicts the "noise" or the "clean" picture
    sigma: tuple[int, ...] = FROM_PROFILE  # denoising: least and greatest std of the noise, of 255; or one
    pretrained: str | None = FROM_PROFILE  # detection: torchvision's weights, which fix batch norm too, or "none"
    optimizer: str = FROM_PROFILE  # "sgd" or "adamw"
    lr_schedule: str = FROM_PROFILE  # "drops", or "linear": lr falls evenly, to 0 after the last iteration
    patch: int | None = FROM_PROFILE  # denoising: side of the squares that are cut out of training pictures, pixels
    norm: str = "batch"  # CIFAR family: "batch" norm, or "none": nothing in its place

    def __post_init__(self):
        require(self, self.task in TASKS, "task", f"one of {', '.join(TASKS)}")
        profiles = TASKS[self.task].profiles
        require(self, self.profile in profiles, "profile", f"one of {', '.join(profiles)}")
        for name, value in self._defaults().items():
            if getattr(self, name) is FROM_PROFILE:
                object.__setattr__(self, name, value)
        self._resolve()
        for field in fields(self):
            object.__setattr__(self, field.name, self._coerced(field))
        if self.gate_bias is None:
            object.__setattr__(self, "gate_bias", shortcut_class(self.shortcut, self.plugins).gate_bias)
        check(self)

    def _defaults(self) -> dict[str, Any]:
        """The profile's values, as the fields that were given change them."""
        defaults = dict(TASKS[self.task].profiles[self.profile])
        if type(self.iterations) is int and self.iterations > 0:  # an explicit length stretches the profile's schedule
            stretch = self.iterations / defaults["iterations"]
            drops = dict.fromkeys(round(drop * stretch) for drop in defaults["lr_drops"])
            defaults["lr_drops"] = tuple(drop for drop in drops if 0 < drop < self.iterations)
            defaults["warmup_iterations"] = round(defaults["warmup_iterations"] * stretch)
            if defaults["lr_plateau"]:  # which counts log points
                defaults["log_every"] = max(1, round(defaults["log_every"] * stretch))
        if self.lr_drops or self.lr_plateau:  # at iterations, or where the error stays the same; or linear
            defaults |= dict(lr_schedule="drops") | (dict(lr_plateau=0) if self.lr_drops else dict(lr_drops=()))
        if (self.lr_schedule or defaults["lr_schedule"]) == "linear":
            defaults |= dict(lr_drops=(), lr_plateau=0)
        if defaults["patch"] and type(self.image_size) is int:
            defaults["patch"] = min(defaults["patch"], self.image_size)
        depth = defaults["depth"] if self.depth is FROM_PROFILE else self.depth
        require(self, type(depth) is int, "depth", "a value of type int")
        if (self.family or defaults["family"]) == "imagenet":
            defaults["width"] *= 4  # the paper's nets begin with 64 channels there, with 16 on CIFAR-10
            bottlenecks = check_imagenet_depth(depth) == "bottleneck"
        else:
            bottlenecks = False
        if not bottlenecks:
            defaults["stride_on"] = None
        return defaults

    def _resolve(self) -> None:
        """Gives a value to what depends on other fields."""
        values: dict[str, Any] = dict(scale=())
        if self.family == "imagenet":
            values |= dict(block=check_imagenet_depth(self.depth, self.shortcut), stem="imagenet")
        elif self.family in ("cifar", "dncnn"):
            values |= dict(block="basic")
        if isinstance(self.found, dict):  # as to_dict gives it
            object.__setattr__(self, "found", Facts(**self.found))
        if isinstance(self.dataset, str) and self.dataset.startswith(FOLDER) and self.found is None:
            object.__setattr__(self, "dataset", absolute_folder(self.dataset))
            object.__setattr__(self, "found", self._find())
        if self._of_pictures and type(self.image_size) is int:
            values |= dict(scale=tuple(round(self.image_size * side / 224) for side in (256, 480)), colour=0.1)
        for name, value in values.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if isinstance(self.sigma, list | tuple) and len(self.sigma) == 1:  # one sigma, as a range of one
            object.__setattr__(self, "sigma", (*self.sigma, *self.sigma))

    def _find(self) -> Facts:
        """What is in the folder of pictures: sorted into classes, or with boxes."""
        if self.task == "detection":
            from ..detection.source import found_boxes as find  # here, because it brings torchvision along
        else:
            find = find_facts
        return find(self.dataset)

    @property
    def _of_pictures(self) -> bool:
        """Whether the data set is files of any size in classes, decoded as they are needed."""
        known = TASKS[self.task].datasets.get(self.dataset, self.found) if isinstance(self.dataset, str) else None
        return self.task == CLASSIFY and known is not None and known.size is None

    def _coerced(self, field: dataclasses.Field) -> Any:
        """The value in its field's type, so that 1 and 1.0, or a list and a tuple, give the same run."""
        value, kind = getattr(self, field.name), field.type
        if type(None) in get_args(kind):
            if value is None:
                return None
            kind = get_args(kind)[0]
        if kind == tuple[Plugin, ...]:
            return self._needed_plugins(value)
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if kind == tuple[int, ...] and isinstance(value, list | tuple):
            require(self, all(type(v) is int for v in value), field.name, "a list of whole numbers")
            return tuple(value)
        kind = tuple if kind == tuple[int, ...] else kind
        require(self, type(value) is kind, field.name, f"a value of type {kind.__name__}")
        return value

    def _needed_plugins(self, value: Any) -> tuple[Plugin, ...]:
        """Of the files named, the one that the shortcut comes from: the others do not change the result."""
        kinds = (str, Path, Plugin)
        require(
            self,
            isinstance(value, list | tuple) and all(isinstance(item, kinds) for item in value),
            "plugins",
            'a list of files, such as ["my_shortcut.py"]',
        )
        plugins = tuple(dict.fromkeys(load_plugin(item) for item in value))
        shortcut_class(self.shortcut, plugins)
        return tuple(plugin for plugin in plugins if self.shortcut in plugin.shortcuts)

    @property
    def facts(self) -> Facts:
        """What is known of the data set: images in each split, classes, size."""
        return self.found or TASKS[self.task].datasets[self.dataset]

    @property
    def id(self) -> str:
        """The run folder's name: a readable part and a hash of every field, and of the source of a user's shortcut.

        A folder of pictures counts by its name and by what is in it, not by where it is.
        """
        values = self.to_dict() | dict(plugins=[plugin.digest for plugin in self.plugins])
        values |= dict(dataset=FOLDER) if self.found else {}
        values = {name: value for name, value in values.items() if name not in LATER or value != LATER[name]}
        source = "" if self.plugins else source_digest(shortcut_class(self.shortcut))
        digest = hashlib.sha256((json.dumps(values, sort_keys=True) + source).encode()).hexdigest()[:8]
        return f"{self.dataset_name}-{self.net_name}-{self.profile}-s{self.seed}-{digest}"

    @property
    def for_any_seed(self) -> "RunConfig":
        """The same for the seeds of one net: seed 0, and a folder of pictures by its name alone, wherever it is."""
        return dataclasses.replace(self, seed=0, dataset=f"{FOLDER}{self.dataset_name}" if self.found else self.dataset)

    @property
    def dataset_name(self) -> str:
        """Short name of the data set, or of the folder of pictures, in letters that a run folder's name may have."""
        name = Path(self.dataset.removeprefix(FOLDER)).name if self.found else self.dataset
        return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "pictures"

    @property
    def net_name(self) -> str:
        """Short name of the net, such as plain56, res56 (option A), res56-B, res110-full-preactivation, of the ImageNet
        family res50-B-imagenet, of other tasks res18-detection, dncnn17-noise.
        """
        if self.task == "denoising":
            extras = [self.shortcut] * (self.shortcut != "none")
            extras += [self.activation_order] * (self.activation_order != "original")
            return "-".join([f"{self.family}{self.depth}", self.target, *extras])
        kind = "plain" if self.shortcut == "none" else "res"
        own_block = self.block if self.family == "imagenet" else "basic"
        extras = [self.shortcut] * (self.shortcut not in ("none", "A")) + [self.block] * (self.block != own_block)
        extras += [self.activation_order] * (self.activation_order != "original")
        extras += ["no-norm"] * (self.norm == "none")
        extras += [self.family] * (self.family == "imagenet" and self.task == CLASSIFY)
        extras += [self.task] * (self.task != CLASSIFY)
        return "-".join([f"{kind}{self.depth}", *extras])

    @property
    def batches_per_epoch(self) -> int:
        """Full mini-batches in one pass over the training images; the rest of a permutation is left out."""
        return (self.facts.train - self.val_split) // self.batch

    def make_net(self, generator: torch.Generator | None = None) -> nn.Module:
        """The net of this config, freshly initialised. Of classification: images [N, 3, image_size, image_size] ->
        logits; of other tasks see reslab.detection.net and reslab.denoising.net.

        `generator` makes the initialisation reproducible; None leaves torch's global random numbers as they are.
        """
        make, own = net_maker(self)
        names = ("depth", "shortcut", "width", "activation_order", "gate_bias", "plugins")
        values = {name: getattr(self, name) for name in names} | own
        with torch.random.fork_rng(devices=[]):
            if generator is not None:  # for what initialise() does not know: the weights of a shortcut of one's own
                torch.default_generator.manual_seed(generator.initial_seed())
            return make(**values, generator=generator)

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["plugins"] = [str(plugin.path) for plugin in self.plugins]
        values["found"] = self.found and dataclasses.asdict(self.found)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RunConfig":
        """The config with these fields. Raises ValueError for a name that is no field, with the closest one that is."""
        check_names(values, [f.name for f in fields(cls)], "RunConfig")
        return cls(**values)

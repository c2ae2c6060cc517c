"""Runs put together by net: seeds of one config become a mean, a standard deviation and n."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from ..runs import Run
from ..training.config import RunConfig
from ..training.tasks import NOT_PRETRAINED, TASKS
from .style import mix, net_colour, net_label

DATASET_NAMES = dict(cifar10="CIFAR-10", imagenet="ImageNet", imagenette="Imagenette")
DATASET_NAMES |= {"voc07": "VOC07", "voc07+12": "VOC07+12", "voc07++12": "VOC07++12"}
FAMILY_NAMES = dict(cifar="CIFAR family", imagenet="ImageNet family", dncnn="DnCNN")


@dataclass(frozen=True)
class Seed:
    """One run's columns, read once, so that a figure of a live run is of one moment."""

    config: RunConfig
    columns: dict[str, np.ndarray]

    @property
    def iterations(self) -> np.ndarray:
        return self.columns["iteration"]

    @property
    def finished(self) -> bool:
        return self.iterations[-1] >= self.config.iterations


@dataclass(frozen=True)
class Part:
    """The part of a seed's curve that is in no mean: columns as in metrics.csv."""

    seed: int
    columns: dict[str, np.ndarray]


@dataclass(frozen=True)
class Net:
    """All seeds of one config, ordered by seed. `label` tells it from the other nets it is shown with."""

    config: RunConfig  # its seed says nothing
    label: str
    colour: str
    seeds: tuple[Seed, ...]

    @property
    def finished(self) -> tuple[Seed, ...]:
        """The seeds at their final iteration."""
        return tuple(seed for seed in self.seeds if seed.finished)

    @property
    def counted(self) -> tuple[Seed, ...]:
        """The seeds in the mean: the finished ones, so that a new one cuts no curve short, or all while none is."""
        return self.finished or self.seeds

    @cached_property
    def common(self) -> np.ndarray:
        """The iterations at which every counted seed has a log point: a mean is never over fewer seeds than it says.

        Never empty: seeds of one config log at the same iterations, and `nets_of` takes none without a log point.
        """
        shared = self.counted[0].iterations
        for seed in self.counted[1:]:
            shared = np.intersect1d(shared, seed.iterations)
        return shared

    def column(self, name: str) -> np.ndarray:
        """A column of metrics.csv at the common iterations, [counted seeds, iterations]."""
        return np.stack([s.columns[name][np.isin(s.iterations, self.common)] for s in self.counted])

    def mean(self, name: str) -> np.ndarray:
        return self.column(name).mean(0)

    def std(self, name: str) -> np.ndarray | None:
        """Standard deviation over seeds (ddof=1), None with one seed, of which nothing is known."""
        return self.column(name).std(0, ddof=1) if len(self.counted) > 1 else None

    def final(self, name: str) -> np.ndarray:
        """A column at the final iteration, [finished seeds]."""
        return np.array([seed.columns[name][-1] for seed in self.finished])

    @property
    def parts(self) -> list[Part]:
        """What the mean leaves out: seeds that are not counted, and what others have beyond the common iterations."""
        last, result = self.common[-1], []
        for seed in self.seeds:
            counted = seed.config in {other.config for other in self.counted}
            keep = seed.iterations >= (last if counted else 0)  # from the mean's end on: they meet there
            if keep.sum() > counted:
                result.append(Part(seed.config.seed, {name: values[keep] for name, values in seed.columns.items()}))
        return result

    @property
    def held_out(self) -> str:
        """What test_error is an error on."""
        return "validation" if self.config.val_split else "test"


def nets_of(runs: Iterable[Run]) -> list[Net]:
    """The runs that have a log point, by everything in the config but the seed: plain nets first, then by depth.

    A run that comes twice, from two stores say, counts once, the longer of the two: it is no second seed.
    """
    groups: dict[RunConfig, dict[int, Seed]] = defaultdict(dict)
    for run in runs:
        rows = run.metrics
        if rows:
            seed = Seed(run.config, {name: np.array([row[name] for row in rows]) for name in rows[0]})
            group = groups[run.config.for_any_seed]
            known = group.get(run.config.seed)
            if known is None or len(known.iterations) < len(rows):
                group[run.config.seed] = seed
    configs = sorted(groups, key=_rank)
    labels, colours = _labels(configs), _colours(configs)
    return [
        Net(config, label, colour, tuple(groups[config][seed] for seed in sorted(groups[config])))
        for config, label, colour in zip(configs, labels, colours, strict=True)
    ]


def _rank(config: RunConfig) -> tuple:
    c = config
    return c.shortcut != "none", c.depth, c.shortcut, c.gate_bias or 0.0, c.block, c.activation_order, c.norm, c.id


def overrides(config: RunConfig) -> dict[str, Any]:
    """The fields that do not have their profile's value, without those that name the net."""
    names = (
        "task",
        "depth",
        "shortcut",
        "family",
        "block",
        "activation_order",
        "norm",
        "profile",
        "plugins",
        "target",
        "pretrained",
    )
    if config.pretrained not in (None, NOT_PRETRAINED):
        names += ("width", "stem")  # those of the nets that have published weights
    identity = {name: getattr(config, name) for name in names}
    schedule = dict(iterations=config.iterations, lr_schedule=config.lr_schedule)  # drops are what these make of them
    standard = RunConfig(**identity, **schedule)
    changed = {f.name: getattr(config, f.name) for f in fields(config) if f.name not in (*identity, "seed", "found")}
    changed = {name: value for name, value in changed.items() if value != getattr(standard, name)}
    usual = TASKS[config.task].profiles[config.profile]
    return changed | {n: getattr(config, n) for n in (*schedule, "pretrained") if getattr(config, n) != usual[n]}


def _labels(configs: list[RunConfig]) -> list[str]:
    """net_label, and what tells nets apart where that is not enough."""
    labels = []
    for config in configs:
        namesakes = [other for other in configs if net_label(other) == net_label(config)]
        extras = [FAMILY_NAMES[config.family]] * (len({c.family for c in configs}) > 1)
        extras += [config.task] * (len({c.task for c in configs}) > 1 and config.task == "detection")
        extras += [dataset_title(config)] * (len({c.dataset for c in configs}) > 1)
        extras += [config.profile] * (len({c.profile for c in configs}) > 1)
        mine, theirs = overrides(config), [overrides(other) for other in namesakes]
        if len({other.gate_bias for other in namesakes}) > 1:
            extras.append(f"bias {config.gate_bias:g}".replace("-", "−"))
        extras += [
            f"{name} {value:,}" if isinstance(value, int | float) else f"{name} {value}"
            for name, value in mine.items()
            if name not in ("dataset", "gate_bias") and any(other.get(name) != value for other in theirs)
        ]
        labels.append(", ".join([net_label(config), *extras]))
    return labels


def _colours(configs: list[RunConfig]) -> list[str]:
    """net_colour, with a shade of it for each further net of the same colour."""
    colours: list[str] = []
    for config in configs:
        base = net_colour(config)
        before = sum(net_colour(other) == base for other in configs[: len(colours)])
        shades = [base, mix(base, "#000000", 0.45), mix(base, "#ffffff", 0.45), mix(base, "#000000", 0.7)]
        colours.append(shades[before % len(shades)])
    return colours


def dataset_title(config: RunConfig) -> str:
    """The data set, as people write it."""
    return DATASET_NAMES.get(config.dataset, config.dataset_name)


def what(nets: list[Net]) -> str:
    """Data sets and profiles, as a title names them."""
    names = sorted({dataset_title(net.config) for net in nets})
    known = dict.fromkeys(profile for kind in TASKS.values() for profile in kind.profiles)
    profiles = [profile for profile in known if profile in {net.config.profile for net in nets}]
    return f"{' and '.join(names)}, {' and '.join(profiles)} profile{'s' * (len(profiles) > 1)}"


def how_many(counts: list[int]) -> str:
    """n of the nets, such as "n = 1 seed" or "n = 3–5 seeds"."""
    low, high = min(counts), max(counts)
    return f"n = {low if low == high else f'{low}–{high}'} seed{'s' * (high > 1)}"

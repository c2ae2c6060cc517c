"""One interleaved run: reslab's step in float32 and bf16, its eager float32 step, a baseline and the machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..fast import kept_heap
from ..precision import precisions_of
from ..training.config import RunConfig
from ..training.estimate import measure
from ..training.loop import pick_device, repeatable
from .clock import spread
from .contestants import Baseline, Contestant, Reslab, random_images
from .machine import copy_rate, describe, matrix_rate, source
from .rounds import interleaved
from .rows import make_row
from .work import step_work

PROFILE = "short"  # the paper's nets and batch at CIFAR-10's size
PAPER_RUNS = [(shortcut, depth) for shortcut in ("none", "A") for depth in (20, 56)]

Report = Callable[[str, int, int], None]  # what is measured now, measurements done before it, measurements in all
Contestants = Mapping[int, Mapping[str, Contestant]]  # by depth and name


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Raises ValueError for no depth, one that there is no net of, a device or a baseline that is not there.
    """

    depths: tuple[int, ...] = (20, 56)
    pairs: int = 5  # rounds in which everyone is measured once
    device: str | None = None
    baseline: Path | None = None  # a script: see contestants.Baseline
    archive: Path | None = None  # its zip of images; None leaves it to the script
    steps: int | None = None  # training steps in a block; None is as many as take a few seconds

    def __post_init__(self):
        if not self.depths:
            raise ValueError("depths='' leaves nothing to measure; give at least one, such as 20,56")
        pick_device(self.device)
        if self.baseline and not self.baseline.is_file():
            raise ValueError(f"there is no baseline {self.baseline}; it is a script that takes --depth")
        for depth in self.depths:
            self.config(depth)

    def config(self, depth: int, precision: str = "fp32") -> RunConfig:
        return RunConfig(depth, profile=PROFILE, precision=precision)


def measure_speed(plan: Plan, report: Report) -> dict[str, Any]:
    """Everything in `plan`, measured in turns: machine, commit, dirty, date, pairs, the baseline's name, rows (see
    make_row), one for each depth and precision that the device has, and the projected seconds of the paper's four runs.

    Raises BaselineFailed if the baseline does not work.
    """
    device = pick_device(plan.device)
    precisions = precisions_of(device)
    members = len(plan.depths) * (bool(plan.baseline) + 1 + len(precisions))
    tell = _Told(report, members + plan.pairs * (members + len(precisions) + 1) + len(PAPER_RUNS))
    # As train() does, or the steps would not be those of a run.
    with repeatable(torch.get_num_threads(), device), kept_heap():
        values = _take_turns(plan, device, tell)
        projected = _project(device, tell)
    limits = {name: spread(values[None, name]) for name in (*precisions, "copy")}
    rows = []
    for depth in plan.depths:
        samples = {name: measured for (of, name), measured in values.items() if of == depth}
        for precision in precisions:
            config = plan.config(depth, precision)
            work = step_work(config)
            limit = work.limit(limits[precision].median, limits["copy"].median)
            rows.append(make_row(depth, precision, samples, work, limit, config.batch))
    rates = dict(
        flops_per_second={precision: limits[precision]._asdict() for precision in precisions},
        bytes_per_second=limits["copy"]._asdict(),
    )
    return dict(
        machine=describe(device) | rates,
        **source(),
        pairs=plan.pairs,
        baseline=plan.baseline and plan.baseline.name,  # no path, which is of one machine
        rows=rows,
        projected_seconds=projected,
    )


def _take_turns(plan: Plan, device: torch.device, tell: "_Told") -> dict[tuple[int | None, str], list[float]]:
    """What each round gave, by depth and contestant; with None for the depth, the machine's rates."""
    contestants = _contestants(plan, device)
    _warm_up(contestants, tell)
    turns = {(None, precision): partial(matrix_rate, precision, device) for precision in precisions_of(device)}
    turns[None, "copy"] = partial(copy_rate, device)
    turns |= {(depth, name): who.block for depth, them in contestants.items() for name, who in them.items()}
    return interleaved(turns, plan.pairs, lambda who, index: tell(_name(*who), f"{index + 1} of {plan.pairs}"))


class _Told:
    """Counts what was begun, for whoever watches."""

    def __init__(self, report: Report, total: int):
        self.report, self.total, self.begun = report, total, 0

    def __call__(self, what: str, note: str) -> None:
        self.report(f"{what}: {note}", self.begun, self.total)
        self.begun += 1


def _name(depth: int | None, name: str) -> str:
    return f"the machine, {name}" if depth is None else f"depth {depth}, {name}"


def _contestants(plan: Plan, device: torch.device) -> dict[int, dict[str, Contestant]]:
    images = random_images(plan.config(plan.depths[0]))
    found: dict[int, dict[str, Contestant]] = {}
    for depth in plan.depths:
        them = found[depth] = {}
        if plan.baseline:
            them["baseline"] = Baseline(plan.baseline, depth, plan.archive, plan.steps)
        them["eager"] = Reslab(plan.config(depth), images, device, compiled=False, steps=plan.steps)
        for precision in precisions_of(device):
            config = plan.config(depth, precision)
            them[precision] = Reslab(config, images, device, compiled=True, steps=plan.steps)
    return found


def _warm_up(contestants: Contestants, tell: _Told) -> None:
    """Baselines first: one that does not work says so before anything takes long."""
    everyone = [(depth, name, who) for depth, them in contestants.items() for name, who in them.items()]
    for depth, name, who in sorted(everyone, key=lambda one: one[1] != "baseline"):
        tell(_name(depth, name), "warming up")
        who.warm_up()


def _project(device: torch.device, tell: _Told) -> dict[str, float]:
    """Seconds that each of the paper's four runs (He et al. 2015, figure 6) would take, evaluations included."""
    seconds = {}
    for shortcut, depth in PAPER_RUNS:
        config = RunConfig(depth, shortcut, "paper")
        tell(f"{config.net_name}, paper", "projecting")
        seconds[config.net_name] = measure(config, device).seconds(config)
    return seconds

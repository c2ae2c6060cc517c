"""The timing benchmark of the articles: forward, and forward plus backward, of any nets, batch for batch in turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..fast import kept_heap
from ..precision import PRECISIONS
from ..threads import torch_threads
from ..training.loop import pick_device
from .machine import describe, source
from .named import named_net
from .rounds import interleaved
from .running import BOTH, FORWARD, RunningNet
from .times import Timing, timing_row

MODES = dict(forward=(FORWARD,), both=(FORWARD, BOTH))
# The articles' 100 batches after 10 where they take seconds; on a CPU, what takes about a minute for three nets.
DEFAULTS = dict(cuda=dict(batch=64, batches=100, warm_up=10), cpu=dict(batch=4, batches=20, warm_up=2))

Report = Callable[[str, int, int], None]  # what is timed now, how many were before it, and how many there are


@dataclass(frozen=True)
class TimingPlan:
    """Which nets are timed (see named_net), and how. None is what suits the device: see DEFAULTS.

    Raises ValueError for no net, one that there is none of, a device that is not there, or an impossible value.
    """

    names: tuple[str, ...]
    batch: int | tuple[int, ...] | None = None  # images; of several sizes each is timed
    size: int | None = None  # pixels a side; None: 32 for CIFAR's nets, 224 for all others
    batches: int | None = None  # timed, of each net, batch size and mode
    warm_up: int | None = None  # batches before them
    precision: str = "fp32"  # or bf16, by autocast
    channels_last: bool = False
    mode: str = "both"  # forward, or both: forward, and forward plus backward
    device: str | None = None
    threads: int | None = None  # None: as many as torch has now

    def __post_init__(self):
        device = pick_device(self.device)
        values = DEFAULTS.get(device.type, DEFAULTS["cpu"]) | dict(threads=torch.get_num_threads(), device=str(device))
        values = {name: value for name, value in values.items() if getattr(self, name) is None}
        for name, value in values.items():
            object.__setattr__(self, name, value)
        batch = (self.batch,) if isinstance(self.batch, int) else tuple(dict.fromkeys(self.batch))
        object.__setattr__(self, "batch", batch)
        object.__setattr__(self, "names", tuple(dict.fromkeys(self.names)))
        self._check()

    def _check(self) -> None:
        # One batch alone has no spread.
        least = dict(
            batch=min(self.batch, default=0), size=1 if self.size is None else self.size, batches=self.batches - 1
        )
        least |= dict(warm_up=self.warm_up + 1, threads=self.threads)
        for name, value in least.items():
            if value < 1:
                limit = dict(batches=2, warm_up=0).get(name, 1)
                raise ValueError(f"{name}={getattr(self, name)!r} is not possible; it must be at least {limit}")
        for name, allowed in dict(precision=PRECISIONS, mode=MODES).items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r} is not possible; allowed: {', '.join(allowed)}")
        if not self.names:
            raise ValueError("there is nothing to time; give at least one net, such as resnet-50")
        for name in self.names:
            named_net(name)


def time_nets(names: Sequence[str], report: Report | None = None, **options: Any) -> list[Timing]:
    """Times the nets called `names`: a Timing for each of them, each batch size and mode. `options` are TimingPlan's:

        time_nets(["resnet-18", "torchvision:resnet18"], batch=2, size=64, batches=5, warm_up=1)

    "forward" is in evaluation and keeps nothing for a backward pass; "forward + backward" is in training, with
    cross-entropy on random labels and without an update of the weights. In each round everyone has one batch timed, and
    every second round goes backwards. The heap keeps its memory for everyone, as in training: otherwise it depends on
    the nets before whose batch has to wait for fresh pages. Raises ValueError as TimingPlan does, or for a net that
    does not take such images, MemoryError if they do not fit.
    """
    plan = TimingPlan(tuple(names), **options)
    with torch_threads(plan.threads), torch.random.fork_rng(devices=[]), kept_heap():
        return _take_turns(plan, report or (lambda what, done, total: None))


def measure_timings(plan: TimingPlan, report: Report) -> dict[str, Any]:
    """machine, commit, dirty, date, batches, warm_up, and `rows`: see timing_row. Raises as time_nets does."""
    began = source()  # before: the files may be worked on meanwhile
    timings = time_nets(**vars(plan), report=report)
    machine = describe(torch.device(plan.device)) | dict(threads=plan.threads)
    rows = [timing_row(timing, timings) for timing in timings]
    return dict(machine=machine, **began, batches=plan.batches, warm_up=plan.warm_up, rows=rows)


def _take_turns(plan: TimingPlan, report: Report) -> list[Timing]:
    turns = [
        (batch, mode, name)
        for batch in plan.batch
        for group in _by_twin(plan.names)
        for mode in MODES[plan.mode]
        for name in group
    ]
    nets: dict[str, RunningNet] = {}
    measures: dict[tuple[int, str, str], Callable[[], float]] = {}
    told, total = 0, len(turns) * (1 + plan.batches)

    def tell(turn: tuple[int, str, str], what: str) -> None:
        nonlocal told
        batch, mode, name = turn
        report(f"{name}, {mode}, batch {batch}: {what}", told, total)
        told += 1

    for turn in turns:
        tell(turn, "warming up")
        batch, mode, name = turn
        if name not in nets:
            device = torch.device(plan.device)
            nets[name] = RunningNet(named_net(name), device, plan.size, plan.precision, plan.channels_last)
        measures[turn] = nets[name].prepared(batch, mode, plan.warm_up, plan.threads)
    seconds = interleaved(measures, plan.batches, lambda turn, index: tell(turn, f"{index + 1} of {plan.batches}"))
    order = sorted(turns, key=lambda turn: plan.names.index(turn[2]))  # sorted is stable: batch sizes, then modes
    return [_timing(nets[name], mode, batch, seconds[batch, mode, name]) for batch, mode, name in order]


def _by_twin(names: Sequence[str]) -> list[list[str]]:
    """Nets that are compared with each other in groups: between their batches little time should pass."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(named_net(name).twin or name, []).append(name)
    return list(groups.values())


def _timing(net: RunningNet, mode: str, batch: int, seconds: Sequence[float]) -> Timing:
    own = ("size", "precision", "channels_last", "depth", "parameters", "multiply_adds")
    values = {name: getattr(net, name) for name in own}
    return Timing(net.named.name, net.named.twin, mode, batch, **values, seconds=tuple(seconds))

"""How long runs will take on this machine: a few real training steps, timed."""

import heapq
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..data import Dataset
from ..data.tensors import EVALUATION_BATCH, TensorSource
from ..fast import Recorded, kept_heap, wanted
from .config import RunConfig
from .loop import pick_device, repeatable
from .processes import SOLO
from .state import State, step
from .task import Task
from .tasks import make_task

# Steps that are not timed, on a CPU and on a GPU: they compile, choose algorithms, grow the heap and are recorded.
WARM_UP = (2, Recorded.WARM_UP + 2)
EVALUATIONS = 4  # timed evaluations of one batch
STAND_INS = dict(detection=8)  # random images to evaluate; of other tasks a batch
ENOUGH = 8  # timed steps after which the rest would only confirm them


@dataclass(frozen=True)
class Speed:
    """What one configuration costs here, in seconds."""

    step: float
    evaluation: float

    def seconds(self, config: RunConfig, done: int = 0) -> float:
        """Training time from iteration `done` to the end, evaluations included; not the start of a process."""
        points = -(-config.iterations // config.log_every) - done // config.log_every
        return (config.iterations - done) * self.step + points * self.evaluation

    def scaled(self, factor: float) -> "Speed":
        return Speed(self.step * factor, self.evaluation * factor)


def estimate(
    config: RunConfig, device: str | torch.device | None = None, threads: int | None = None, budget: float = 2.0
) -> float:
    """Seconds that a whole run of `config` takes here with `threads` torch threads; measures for about `budget`."""
    return measure(config, device, threads, budget).seconds(config)


def measure(
    config: RunConfig, device: str | torch.device | None = None, threads: int | None = None, budget: float = 2.0
) -> Speed:
    """Times steps and an evaluation of `config` on random images of its shape, for detection with random boxes.

    Takes about `budget` seconds, but times a step however long it is. Raises ValueError for a device that is not there.
    """
    device = pick_device(device)
    with repeatable(threads or torch.get_num_threads(), device), kept_heap():
        task = _stand_in(config, device)
        state = State.fresh(task, config, device, wanted("auto", config, device))
        clock = _Clock(device)
        for _ in range(WARM_UP[device.type == "cuda"]):
            step(state, task, config)
        task.evaluate(state.model)
        deadline = time.perf_counter() + budget
        steps, start = [], clock.now()
        while not steps or (start < deadline and len(steps) < ENOUGH):
            step(state, task, config)
            steps.append(-start + (start := clock.now()))
        for _ in range(EVALUATIONS):
            task.evaluate(state.model)
        share = held_out(config) / held_out(config, _stand_ins(config))
        return Speed(statistics.median(steps), (clock.now() - start) / EVALUATIONS * share)


def measure_all(
    configs: Sequence[RunConfig],
    device: str | torch.device | None = None,
    threads: int | None = None,
    budget: float = 16.0,
) -> dict[RunConfig, Speed]:
    """The speed of each config, in about `budget` seconds whatever their number.

    Seeds cost the same. The most expensive are measured first; where the budget ends, the rest are taken from the
    nearest one measured, in proportion to their work.
    """
    kinds = sorted({replace(config, seed=0) for config in configs}, key=work, reverse=True)
    deadline = time.perf_counter() + budget
    measured: dict[RunConfig, Speed] = {}
    for index, kind in enumerate(kinds):
        left = deadline - time.perf_counter()
        if measured and left <= 0:
            break
        measured[kind] = measure(kind, device, threads, max(left, 0) / (len(kinds) - index))
    speeds = {}
    for config in configs:
        kind = replace(config, seed=0)
        nearest = min(measured, key=lambda other: (other != kind, abs(work(other) - work(kind))))
        speeds[config] = measured[nearest].scaled(work(kind) / work(nearest))
    return speeds


def work(config: RunConfig) -> float:
    """In proportion to the multiply-adds of one step: channels double where size halves, so layers cost the same."""
    size = config.image_size / 4 if config.stem == "imagenet" else config.patch or config.image_size
    return config.depth * config.width**2 * size**2 * config.batch


def together(seconds: Sequence[float], jobs: int) -> float:
    """How long these take, `jobs` at a time, in this order."""
    ends = [0.0] * jobs
    for duration in seconds:
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)


class _Clock:
    """Seconds, once the device has done what it was given."""

    def __init__(self, device: torch.device):
        self.device = device

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def held_out(config: RunConfig, there: int | None = None) -> int:
    """Pictures that an evaluation looks at, of `there` or of as many as the data set has."""
    there = config.val_split or config.facts.test if there is None else there
    if config.task == "denoising":
        from ..denoising.task import HELD_OUT

        return min(there, HELD_OUT)
    return there


def _stand_ins(config: RunConfig) -> int:
    return STAND_INS.get(config.task, EVALUATION_BATCH)


def _stand_in(config: RunConfig, device: torch.device) -> Task:
    """The task with as few random images as do: two batches to train on, some to evaluate."""
    if config.task == "detection":
        from ..detection.standin import RandomDetection

        return RandomDetection(config, _stand_ins(config), device)
    numbers = (config.image_size, config.batch, config.seed, 0)
    return make_task(config, TensorSource(_random_images(config), *numbers, device), device, SOLO)


def _random_images(config: RunConfig) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    size, classes = config.facts.size or config.image_size, config.facts.classes

    def split(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.randint(256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
        return images, torch.randint(classes, (count,), generator=generator)

    names = tuple(map(str, range(classes)))
    return Dataset(config.dataset, names, *split(2 * config.batch), *split(_stand_ins(config)), fingerprint={})

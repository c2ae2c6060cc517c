"""How long a point of a loss surface takes, against the obvious way of computing one."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from ..nets.cifar import cifar_net
from ..precision import BF16, FP32
from ..probes.surface.evaluator import Evaluator
from ..probes.surface.plane import Plane, random_plane
from ..probes.surface.weights import entries
from .clock import spread, timed
from .machine import describe, source
from .rounds import interleaved

DEPTH, IMAGES, POINTS = 20, 2000, 25  # of the grid that the limits are for: POINTS x POINTS
LIMIT, TIMES = 240.0, 5.0  # seconds that this grid may take; how many times faster than the obvious way it must be
BATCH = 128  # of the obvious way
OURS, WORKERS, NO_WORKERS = "reslab, ", "obvious, 2 workers", "obvious, no workers"
CPU = torch.device("cpu")

Report = Callable[[str, int, int], None]
Images = tuple[torch.Tensor, torch.Tensor]  # uint8 [N, 3, S, S], and labels [N]


class Obvious:
    """An eager float32 net, a DataLoader over the images, load_state_dict and one full evaluation for each point."""

    def __init__(self, net: nn.Module, plane: Plane, images: Images, workers: int):
        self.net, self.plane = net, plane
        self.loader = DataLoader(TensorDataset(*images), BATCH, num_workers=workers, collate_fn=_collate)

    def __call__(self, x: float, y: float) -> float:
        """The loss at a point."""
        point, state = self.plane.at(x, y), self.net.state_dict()
        for entry in entries(self.net):
            state[entry.name] = point[entry.where].view(entry.shape)
        self.net.load_state_dict(state)
        self.net.eval()
        total = 0.0
        with torch.no_grad():
            for images, labels in self.loader:
                total += F.cross_entropy(self.net(images), labels, reduction="sum").item()
        return total / len(self.loader.dataset)

    def at_work(self) -> AbstractContextManager:
        """While it computes points."""
        return nullcontext()


class Ours:
    """An Evaluator, which is inside its `with` statement while it computes points and leaves others the usual heap."""

    def __init__(self, evaluator: Evaluator, plane: Plane):
        self.evaluator, self.plane = evaluator, plane

    def __call__(self, x: float, y: float) -> float:
        """The loss at a point."""
        return self.evaluator(self.plane.at(x, y))[0]

    def at_work(self) -> AbstractContextManager:
        """While it computes points."""
        return self.evaluator


def _collate(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> Images:
    images, labels = zip(*pairs, strict=True)
    return _normalised(torch.stack(images)), torch.stack(labels)


def _normalised(images: torch.Tensor) -> torch.Tensor:
    return (images.float() / 255 - 0.5) / 0.25


def measure_surface(report: Report, rounds: int = 5, images: int = IMAGES) -> dict[str, Any]:
    """machine, commit, dirty, date, images, rounds, `grid` (seconds that POINTS x POINTS points take) with its limit,
    and rows: way, seconds a point (median, least and most), `ratio`, how many times as long as our fastest in the same
    round, and the largest relative `difference` of its losses from the obvious way's. The first row is the fastest of
    ours: "bf16", in what the CPU has of it (see Evaluator).

    ResNet-20 on random images of CIFAR-10's size, on the CPU; each round is at another point of a random plane.
    """
    generator = torch.Generator().manual_seed(0)
    given = torch.randint(256, (images, 3, 32, 32), generator=generator, dtype=torch.uint8)
    labels = torch.randint(10, (images,), generator=generator)
    net = cifar_net(DEPTH, generator=generator).eval()
    plane = random_plane(net)
    shown = _normalised(given).contiguous(memory_format=torch.channels_last)
    ours = [Ours(Evaluator(net, shown, labels, precision), plane) for precision in (FP32, BF16)]
    ways: dict[str, Obvious | Ours] = {OURS + way.evaluator.computed_in: way for way in reversed(ours)}
    fastest = next(iter(ways))
    ways |= {WORKERS: Obvious(net, plane, (given, labels), 2), NO_WORKERS: Obvious(net, plane, (given, labels), 0)}
    losses: dict[str, list[float]] = {name: [] for name in ways}

    def once(name: str) -> float:
        at = 0.1 * (len(losses[name]) + 1)
        with ways[name].at_work():
            ways[name](at, at)  # brings back what others pushed out of the caches, as the point before it would
            return timed(lambda: losses[name].append(ways[name](at, -at)), CPU)

    def told(name: str, index: int) -> None:
        report(f"a point, {name}", sum(map(len, losses.values())), len(ways) * (rounds + 1))

    for name in ways:  # the first time compiles, and lets the heap grow
        told(name, 0)
        once(name)
    seconds = interleaved({name: lambda name=name: once(name) for name in ways}, rounds, told)
    rows = []
    for name in ways:
        ratios = [theirs / ours for theirs, ours in zip(seconds[name], seconds[fastest], strict=True)]
        rows.append(dict(way=name, **_spread("seconds", seconds[name]), **_spread("ratio", ratios)))
        rows[-1]["difference"] = max(abs(a / b - 1) for a, b in zip(losses[name], losses[NO_WORKERS], strict=True))
    return dict(
        machine=describe(CPU),
        **source(),
        images=images,
        rounds=rounds,
        rows=rows,
        grid=POINTS**2 * rows[0]["seconds"],
        limit=LIMIT,
    )


def _spread(name: str, values: list[float]) -> dict[str, float]:
    middle, low, high = spread(values)
    return {name: middle, f"{name}_low": low, f"{name}_high": high}

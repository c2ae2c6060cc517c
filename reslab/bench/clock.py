"""Time that counts what a device has done, not what it was given."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch


class Spread(NamedTuple):
    """Repeated measurements: the middle one (of an even number halfway between the middle two), least and most."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that `work` takes, with nothing left over from before on the device and nothing left to do after."""
    _finish(device)
    start = time.perf_counter()
    work()
    _finish(device)
    return time.perf_counter() - start


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

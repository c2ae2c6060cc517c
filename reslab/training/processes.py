"""The processes that train one run together, as torchrun starts them, and the few things that they do in step.

Process 0 leads: it alone owns the run, reads, writes and reports. The others do the same arithmetic on their shares of
each batch, and wait for it wherever it takes its time.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from .config import RunConfig

T = TypeVar("T")
FOR_DAYS = timedelta(days=100)  # others wait while process 0 waits for room on a disk, or for who trains the run now
LINGER = timedelta(seconds=10)  # that the others have for their last words
_groups = count()


class ProcessLost(Exception):
    """Another process of this run has ended without a word."""


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this one is. Each operation is one that all take part in, in the same order; with a
    single process there is nothing to it, and torch.distributed is not touched.
    """

    rank: int = 0  # 0 leads
    count: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    @property
    def share(self) -> tuple[int, int]:
        """What a source of batches is told: (rank, count)."""
        return self.rank, self.count

    def lead(self, action: Callable[[], T]) -> T:
        """Process 0 does `action`. What it returns, or raises, is returned or raised in all; pickled on the way."""
        if self.count == 1:
            return action()
        box = [_Outcome.of(action) if self.leads else None]
        dist.broadcast_object_list(box, device=torch.device("cpu"))  # leaves process 0 its own
        return box[0].result()

    def together(self, action: Callable[[], T]) -> T:
        """Every process does `action`, each for itself. If it fails in one it fails in all, with the same error."""
        if self.count == 1:
            return action()
        mine = _Outcome.of(action)
        if not self.largest(mine.error is not None):
            return mine.result()
        if mine.error is not None and not self.leads:
            mine.error.args = (f"process {self.rank} on {socket.gethostname()}: {mine.error}",)
        errors = self.everyone(mine.error)
        first = next(rank for rank, error in enumerate(errors) if error is not None)
        raise mine.error if first == self.rank else errors[first]

    def one_first(self, action: Callable[[], T]) -> T:
        """Every process does `action`, on each machine one before the others: they find what it downloads."""
        if self.count == 1:
            return action()
        one = os.environ["LOCAL_RANK"] == "0"
        first = self.together(action if one else lambda: None)
        rest = self.together(lambda: None if one else action())
        return first if one else rest

    def everyone(self, value: T) -> list[T]:
        """The values of all processes, by rank; pickled on the way."""
        values = [value] * self.count
        if self.count > 1:
            dist.all_gather_object(values, value)
        return values

    def largest(self, number: int) -> int:
        """The largest of the processes' numbers: cheap enough for every iteration, and never waits for a GPU."""
        if self.count == 1:
            return number
        box = torch.tensor(int(number))
        dist.all_reduce(box, dist.ReduceOp.MAX)
        return int(box)

    def total(self, *numbers: float) -> list[float]:
        """The sum of each number over the processes, in float64."""
        if self.count == 1:
            return list(numbers)
        box = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(box)
        return box.tolist()

    def mean(self, tensor: torch.Tensor) -> torch.Tensor:
        """The mean of the processes' tensors, on their device and without waiting for it."""
        if self.count == 1:
            return tensor
        tensor = tensor.clone()
        dist.all_reduce(tensor)
        return tensor / self.count

    def own_device(self, name: str | torch.device | None) -> str | torch.device | None:
        """What `device` means for this process: of several on a machine each has a GPU of its own."""
        if self.count == 1 or str(name or "cuda") != "cuda" or not torch.cuda.is_available():
            return name
        return f"cuda:{os.environ['LOCAL_RANK']}"

    def require_same(self, value: Any, what: str) -> None:
        """Raises ValueError, in all processes, if the value is not the same in all."""
        values = self.everyone(value)
        for rank, other in enumerate(values):
            if other != values[0]:
                raise ValueError(f"all processes must {what}; process 0 has {values[0]}, process {rank} has {other}")

    def check(self, config: RunConfig, device: str | torch.device | None, compile: str) -> None:
        """Raises ValueError for what these processes cannot do together."""
        self.require_same(config.id, "train the same run")
        if config.batch % self.count:
            raise ValueError(
                f"batch={config.batch} cannot be shared equally by {self.count} processes; allowed: a multiple"
            )
        if self.count > 1 and config.task == "detection":
            raise ValueError(f"task='detection' trains in one process, not in {self.count}; start it without torchrun")
        if self.count > 1 and compile == "always":
            raise ValueError(
                "compile='always' is not possible with several processes, whose batch norm is one; leave it out"
            )
        if self.count > 1 and device is not None and torch.device(device).index is not None:
            raise ValueError(
                f"device={str(device)!r} is one device for several processes; leave it out, or say cpu or cuda"
            )


SOLO = Processes()


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that torchrun started this one with, connected; SOLO if it did not, or started one alone.

    Inside another joined() it is the same connection. torchrun ends all as soon as one has failed, so they wait for
    each other at the end of a block that failed: process 0 can then still write, and say, how the run ended.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or not dist.is_torchelastic_launched():
        yield SOLO
        return
    if dist.is_initialized():
        yield Processes(dist.get_rank(), dist.get_world_size())
        return
    store, rank, size = next(dist.rendezvous("env://"))
    store = dist.PrefixStore(f"reslab {next(_groups)}", store)  # a script may train several runs, one after another
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=FOR_DAYS)
    try:
        yield Processes(rank, size)
    except BaseException:
        with suppress(RuntimeError):  # one of them, or torchrun itself, may have gone without a word
            store.set(f"left by {rank}", "")
            store.wait([f"left by {other}" for other in range(size)], LINGER)
            dist.destroy_process_group()  # where one of them is missing, this would wait for its part in the last work
        raise
    dist.destroy_process_group()


@contextmanager
def losses_told() -> Iterator[None]:
    """What torch raises when another process has gone, as ProcessLost."""
    try:
        yield
    except RuntimeError as error:
        if not any(word in str(error) for word in ("onnection closed", "onnection reset", "roken pipe")):
            raise
        raise ProcessLost(
            "another process of this run has ended; the same command goes on from the last checkpoint"
        ) from error


@dataclass(frozen=True)
class _Outcome:
    """What an action returned or raised, to be told to other processes."""

    value: Any = None
    error: BaseException | None = None

    @classmethod
    def of(cls, action: Callable[[], Any]) -> "_Outcome":
        try:
            return cls(action())
        except BaseException as error:  # stops too: the others must hear of them
            return cls(error=error)

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value

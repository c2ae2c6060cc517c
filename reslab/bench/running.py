"""A net that stands ready to be timed: on its device, in its memory format and precision."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode

from ..fast import accelerate
from ..nets.anatomy import anatomy
from ..precision import BF16, computed_in
from .named import Named

FORWARD, BOTH = "forward", "forward + backward"
# What torch says when memory is not enough; on a GPU it raises OutOfMemoryError besides.
NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "Storage size calculation overflowed")


class RunningNet:
    """A net and its numbers: depth, parameters, multiply_adds (of one image, forward).

    A `fast` one runs channels last and, where the device has it, in bf16, whatever the others do, in the form in which
    it trains (reslab.fast).
    Raises ValueError if that form cannot be had, or if the net does not take images of `size` pixels a side, None being
    the size that it was made for.
    """

    def __init__(self, named: Named, device: torch.device, size: int | None, precision: str, channels_last: bool):
        self.named, self.device, self.size = named, device, size or named.size
        self.channels_last = channels_last or named.fast
        self.precision = computed_in(BF16, device) if named.fast else precision
        net = named.make()
        with self._sentences(1):
            self._count(net)
        net.to(device, memory_format=self._format)
        self.model = accelerate(net, device) if named.fast else net
        self._check_fast(self.model is not net)

    def prepared(self, batch: int, mode: str, warm_up: int, threads: int) -> Callable[[], float]:
        """A function that times one batch of so many random images in `mode`, FORWARD or BOTH, in seconds, after
        `warm_up` batches here.

        torch's Timer waits for a GPU before it reads the clock. Both raise ValueError if the net does not take such
        images, MemoryError if they do not fit.
        """
        with self._sentences(batch):
            images = torch.randn(batch, 3, self.size, self.size, device=self.device)
            images = images.contiguous(memory_format=self._format)
            labels = torch.randint(self.classes, (batch,), device=self.device)
            run = partial(self._forward, images) if mode == FORWARD else partial(self._both, images, labels)
        names = dict(label=mode, sub_label=self.named.name, description=f"batch {batch}")
        timer = Timer("run()", globals=dict(run=run), num_threads=threads, **names)

        def seconds() -> float:
            self.model.train(mode == BOTH)
            with self._sentences(batch):
                # At least 0 seconds: one batch, and before it another one that is not counted, which brings back what
                # other nets pushed out of the caches.
                return timer.blocked_autorange(min_run_time=0).mean

        self.model.train(mode == BOTH)
        with self._sentences(batch):
            for _ in range(warm_up):
                run()
        self._check_fast(getattr(self.model, "works", True))
        return seconds

    def _forward(self, images: torch.Tensor) -> None:
        with torch.inference_mode():
            self._logits(images)

    def _both(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.model.zero_grad()
        F.cross_entropy(self._logits(images), labels).backward()

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        """Float32; as in training, without a cache of bf16 weights, each of which is used once."""
        bf16 = self.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16, cache_enabled=False):
            return self.model(images).float()

    def _count(self, net: nn.Module) -> None:
        """With the gradients that attention needs to show its matrix products to the counter; anatomy sees layers."""
        image = torch.zeros(1, 3, self.size, self.size)
        with FlopCounterMode(display=False) as counter:
            self.classes = net.eval()(image).shape[1]
        self.multiply_adds = counter.get_total_flops() // 2
        self.depth = anatomy(net, image.shape[1:]).weighted_layers
        self.parameters = sum(parameter.numel() for parameter in net.parameters())

    @property
    def _format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def _check_fast(self, works: bool) -> None:
        if self.named.fast and not works:
            raise ValueError(f"{self.named.name} cannot be had here, as the warning says; leave it out")

    @contextmanager
    def _sentences(self, batch: int) -> Iterator[None]:
        """What goes wrong inside, as a sentence that names the net and its images."""
        what = f"{self.named.name} with {batch} image{'s' * (batch > 1)} of {self.size}x{self.size}"
        try:
            yield
        except (RuntimeError, ValueError, AssertionError) as error:
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            if isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in NO_MEMORY):
                raise MemoryError(f"{what} does not fit into memory; make the batch or the images smaller") from error
            raise ValueError(f"{what} does not work: {said}") from error

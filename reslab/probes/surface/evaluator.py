"""Loss and error of one net with many weights, on the same images each time, as fast as this machine can."""

import copy
from collections.abc import Iterable
from contextlib import ExitStack

import torch
import torch.nn.functional as F
from torch import nn

from ...fast import kept_heap
from ...fast.fold import Folded
from ...precision import BF16, FP32
from ...threads import torch_threads
from ...training.loop import repeatable
from .plane import Plane
from .weights import put_on

NAMES = {torch.float32: FP32, torch.bfloat16: BF16, torch.int16: "int16"}


class Evaluator:
    """Evaluates `net`, with other weights, on images [N, 3, H, W], float, and labels [N], on their device.

    The net runs in evaluation mode, with batch norm folded into the convolutions in float32: see reslab.fast.fold. In
    "fp32" the loss is that of the eager net to 1e-5 of itself; in "bf16" to 1 %, mostly 0.3 %, measured from ResNet-20
    to plain-56 all over their surfaces. Where the kernels of reslab.fast have no bfloat16 but AVX2, they multiply
    16-bit integers ("int16"; to 0.7 %, mostly 0.05 %); what has neither computes in float32: `computed_in` says what it
    is. Means are taken in float64. Where logits are beyond float32 the loss is infinite, and in "int16" where any
    activation is beyond 1e36. It takes as many threads as torch has when it is made; nets of the CIFAR family give the
    same bits with any number of them. Use it in a `with` statement, which also keeps the memory that each point needs
    again.
    """

    def __init__(self, net: nn.Module, images: torch.Tensor, labels: torch.Tensor, precision: str = "bf16"):
        self._net = copy.deepcopy(net).to(images.device).eval().requires_grad_(False)
        self._vector = put_on(self._net)
        self._variances = [m.running_var for m in self._net.modules() if isinstance(m, nn.BatchNorm2d)]
        self._folded = Folded(self._net, torch.float32 if precision == FP32 else torch.bfloat16)
        self.computed_in = NAMES[self._folded.products]
        self._batches, self._labels = self._folded.batches(images), labels
        self._threads, self._inside = torch.get_num_threads(), ExitStack()

    def __enter__(self) -> "Evaluator":
        self._inside.enter_context(repeatable(self._threads, self._labels.device))
        self._inside.enter_context(kept_heap())
        return self

    def __exit__(self, *_) -> None:
        self._inside.close()

    @torch.inference_mode()
    def __call__(self, weights: torch.Tensor) -> tuple[float, float]:
        """Mean cross-entropy in nats, and error in percent, with the state [D]: see reslab.probes.surface.weights."""
        # The kernels have threads of their own; sums by torch's would be rounded by their number. Only here: in between
        # they are the caller's.
        with torch_threads(1 if self._folded.kernels else self._threads):
            return self._evaluated(weights)

    def _evaluated(self, weights: torch.Tensor) -> tuple[float, float]:
        self._vector.copy_(weights)
        for variance in self._variances:  # a plane may leave the nets that it goes through far behind
            variance.clamp_(min=0)
        self._folded.refold()
        logits = self._folded(self._batches).double()
        loss = F.cross_entropy(logits, self._labels).item()
        wrong = (logits.argmax(1) != self._labels).sum().item()
        return loss if loss == loss else float("inf"), 100 * wrong / len(self._labels)

    def evaluate(self, plane: Plane, points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        """Loss and error at each (x, y) of the plane."""
        return [self(plane.at(x, y)) for x, y in points]

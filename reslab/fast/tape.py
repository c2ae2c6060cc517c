"""All of a net's convolutions in one call of the kernel, where there is nothing else between them."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import fx, nn

from .conv import Call, FoldedConv, kernels_of_conv
from .fuse import is_module

IMAGES = -1  # the number of what goes in


@dataclass(frozen=True)
class Step:
    """A convolution, and the numbers of the steps whose outputs it reads."""

    conv: FoldedConv
    x: int
    residual: int | None = None


class Taped(nn.Module):
    """What the last of `steps` gives for images [N, C, H, W] in channels_last; only the first reads the images, and
    not by Winograd's transform, which wants them `laid_out`.

    One by one, the steps take Python a tenth of the time, and the lock that lets in one thread. What comes out is to be
    read before the same thread's next call.
    """

    def __init__(self, steps: Sequence[Step]):
        super().__init__()
        self.steps, self._tapes = steps, threading.local()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tapes = vars(self._tapes)  # this thread's, by shape
        if images.shape not in tapes:
            tapes[images.shape] = _Tape(self.steps, images.shape)
        return tapes[images.shape](images)


class _Tape:
    """The kernel's arguments. Outputs but the last lie in a few buffers for as many images as go through the net
    together, each used again when nobody reads it any more.
    """

    def __init__(self, steps: Sequence[Step], shape: torch.Size):
        self._images, group = shape[0], kernels_of_conv().convolve_group()
        last = {read: number for number, step in enumerate(steps) for read in (step.x, step.residual)}
        outputs: dict[int | None, tuple[tuple[int, ...], int, torch.Tensor | None]] = {
            IMAGES: (tuple(shape[1:]), shape[1], None)
        }
        calls, free = [], []
        for number, step in enumerate(steps):
            size, apart, x = outputs[step.x]
            gives = step.conv.gives(size)
            if number == len(steps) - 1:
                y = torch.empty(self._images, *gives)
            else:
                y = _taken(free, group * math.prod(gives))
            added = None
            if step.residual is not None:
                its, _, residual = outputs[step.residual]
                added = its, residual.data_ptr()
            calls.append(step.conv.call(size, apart, None if x is None else x.data_ptr(), added, y.data_ptr()))
            outputs[number] = (step.conv.out_channels, *gives[:2]), gives[2], y
            free += [outputs[read][2] for read in {step.x, step.residual} - {None, IMAGES} if last[read] == number]
        self._calls, self._buffers = (Call * len(calls))(*calls), [buffer for *_, buffer in outputs.values()]
        self._result = steps[-1].conv.seen(y)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        assert images.dtype == torch.float32 and images.is_contiguous(memory_format=torch.channels_last)
        self._calls[0].x = images.data_ptr()
        kernels_of_conv().convolve(len(self._calls), self._calls, self._images)
        return self._result


def tape(net: fx.GraphModule) -> None:
    """Replaces the first nodes of a folded net by a Taped, as long as they are the kernel's, if what follows reads none
    but the last of them.
    """
    images, *nodes = net.graph.nodes
    numbers, steps = {images: IMAGES}, []
    for node in nodes:
        if not (is_module(net, node, FoldedConv) and net.get_submodule(node.target).kernels):
            break
        steps.append(Step(net.get_submodule(node.target), *(numbers[read] for read in node.args)))
        numbers[node] = len(steps) - 1
    taped, rest = nodes[: len(steps)], set(nodes[len(steps) :])
    read_later = [node for node in (images, *taped) if rest & node.users.keys()]
    if len(steps) < 2 or read_later != taped[-1:] or steps[0].conv.winograd:
        return
    if steps[0].residual is not None or any(IMAGES in (step.x, step.residual) for step in steps[1:]):
        return
    net.add_submodule("taped", Taped(steps))
    with net.graph.inserting_before(taped[0]):
        made = net.graph.call_module("taped", (images,))
    taped[-1].replace_all_uses_with(made)
    for node in reversed(taped):
        net.graph.erase_node(node)


def _taken(free: list[torch.Tensor], count: int) -> torch.Tensor:
    """A buffer for so many numbers: the smallest of the free ones that holds them, or a new one."""
    fitting = sorted((buffer for buffer in free if len(buffer) >= count), key=len)
    if not fitting:
        return torch.empty(count)
    free[:] = [buffer for buffer in free if buffer is not fitting[0]]
    return fitting[0]

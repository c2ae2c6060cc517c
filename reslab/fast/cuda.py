"""On a GPU: the net compiled by torch.compile, and a whole step recorded as a CUDA graph."""

import os
import warnings
from collections.abc import Callable

import torch
from torch import nn

from ..files import cache_folder


class Compiled(nn.Module):
    """`net`, compiled where it trains and as it is where it evaluates, which is too rare to be worth compiling for.

    Compiling happens at the first training batch. If it fails there, warns once and goes on with `net` as it is.
    """

    def __init__(self, net: nn.Module):
        super().__init__()
        # Its own default is a folder of the temporary directory, which a restart empties.
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "inductor"))
        self.net, self._rehearsed = net, False
        self._fast = torch.compile(net, dynamic=False)

    @property
    def works(self) -> bool:
        """False once compiling has failed."""
        return self._fast is not None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training and not self._rehearsed:
            self._rehearsed = True
            self._rehearse(images)
        return self._fast(images) if self.training and self.works else self.net(images)

    def _rehearse(self, images: torch.Tensor) -> None:
        """Compiles both directions on a batch, and leaves weights, statistics, gradients and random numbers as they
        were.
        """
        before = [buffer.clone() for buffer in self.net.buffers()]
        devices = [images.device] if images.device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices=devices):
                self._fast(images).float().sum().backward()
        except torch.OutOfMemoryError:
            raise  # not the compiler's
        except Exception as error:
            warn_of_fallback(error)
            self._fast = None
        for buffer, old in zip(self.net.buffers(), before, strict=True):
            buffer.copy_(old)
        for parameter in self.net.parameters():
            parameter.grad = None


def warn_of_fallback(error: Exception) -> None:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    warnings.warn(f"training without compiled kernels, slower and rounded differently: {reason}", stacklevel=2)


class Recorded:
    """`function(*tensors)`, recorded as a CUDA graph: a step's hundreds of kernels for the launch of one.

    The function must work in place on tensors that stay where they are, return nothing, decide nothing in Python and
    never wait for the device. If recording fails, warns once and calls the function as it is.
    """

    WARM_UP = 3  # calls that run as they are: compilers, cuDNN and the optimiser set themselves up in the first ones

    def __init__(self, function: Callable[..., None]):
        self.function, self.calls, self.graph, self.works = function, 0, None, True

    def __call__(self, *tensors: torch.Tensor) -> None:
        with torch.cuda.device(tensors[0].device):
            self.calls += 1
            if self.calls <= self.WARM_UP:
                self._on_a_side_stream(*tensors)
                return
            if self.graph is None and self.works:
                self._record(*tensors)
            if not self.works:
                self.function(*tensors)
                return
            for slot, tensor in zip(self.inputs, tensors, strict=True):
                slot.copy_(tensor)
            self.graph.replay()

    def _record(self, *tensors: torch.Tensor) -> None:
        self.inputs = tuple(tensor.clone() for tensor in tensors)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):  # records, and runs nothing
                self.function(*self.inputs)
        except RuntimeError as error:
            warn_of_fallback(error)
            self.works = False
        else:
            self.graph = graph

    def _on_a_side_stream(self, *tensors: torch.Tensor) -> None:
        """Recording happens on another stream than the default one; what is set up there must be set up for it."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self.function(*tensors)
        torch.cuda.current_stream().wait_stream(side)

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
        self.net, self._proven = net, False
        self._fast = torch.compile(net, dynamic=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if not self.training or self._fast is None:
            return self.net(images)
        if self._proven:
            return self._fast(images)
        try:
            logits = self._fast(images)
        except Exception as error:
            warn_of_fallback(error)
            self._fast = None
            return self.net(images)
        self._proven = True
        return logits


def warn_of_fallback(error: Exception) -> None:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    warnings.warn(f"training without compiled kernels, which is slower: {reason}", stacklevel=3)


class Recorded:
    """`function(*tensors)`, recorded as a CUDA graph: a step's hundreds of kernels for the launch of one.

    The function must work in place on tensors that stay where they are, return nothing and never wait for the device.
    """

    WARM_UP = 3  # calls that run as they are: compilers, cuDNN and the optimiser set themselves up in the first ones

    def __init__(self, function: Callable[..., None]):
        self.function, self.calls, self.graph = function, 0, None

    def __call__(self, *tensors: torch.Tensor) -> None:
        self.calls += 1
        if self.calls <= self.WARM_UP:
            self._on_a_side_stream(*tensors)
            return
        if self.graph is None:
            self.inputs = tuple(tensor.clone() for tensor in tensors)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):  # records, and runs nothing
                self.function(*self.inputs)
        for slot, tensor in zip(self.inputs, tensors, strict=True):
            slot.copy_(tensor)
        self.graph.replay()

    def _on_a_side_stream(self, *tensors: torch.Tensor) -> None:
        """Recording happens on another stream than the default one; what is set up there must be set up for it."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self.function(*tensors)
        torch.cuda.current_stream().wait_stream(side)

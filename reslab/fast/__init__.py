"""What makes a step fast. Without any of it a run computes the same, but for rounding.

On the CPU: batch norm, addition and ReLU as one kernel (fuse, norm, norm.cpp, build), and a heap that keeps its memory
(memory). On a GPU: torch.compile and CUDA graphs (cuda). When it is worth its price: choice.

Evaluation with many weights has kernels of its own: batch norm folded into the convolutions (fold), Winograd's
convolution with what follows it as one kernel (conv, conv.cpp), a whole net in one call (tape).
"""

import torch
from torch import nn

from .choice import CHOICES, wanted
from .cuda import Compiled, Recorded, warn_of_fallback
from .memory import kept_heap

__all__ = ["CHOICES", "Compiled", "Recorded", "accelerate", "kept_heap", "wanted"]


def accelerate(net: nn.Module, device: torch.device) -> nn.Module:
    """The same net in the form in which it trains fastest on `device`, sharing all weights and buffers with `net`.

    Takes and returns what `net` does; train() and eval() reach the layers of both. If it cannot be had, warns once (on
    a GPU at the first batch) and goes on with `net`.
    """
    from .build import BuildError
    from .fuse import fuse

    if device.type == "cuda":
        return Compiled(net)
    if device.type != "cpu":
        return net
    try:
        return fuse(net)
    except (BuildError, torch.fx.proxy.TraceError) as error:
        warn_of_fallback(error)
        return net

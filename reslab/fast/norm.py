"""Batch norm, the shortcut's addition and ReLU as one differentiable operation on the CPU."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from .build import kernels

PRECISIONS = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
LANES = 64  # as in norm.cpp


class FusedNorm(nn.Module):
    """relu(bn(x) + residual), with or without either; shares the weights and statistics of `bn`.

    x and residual: [N, C, H, W], float32 or bfloat16, best channels last. The result has the precision of x: sums are
    taken in float32 and double and rounded once, where PyTorch rounds after each of the three. With `branches=2`
    returns the result twice, for two readers whose gradients the backward kernel then adds up itself.
    """

    def __init__(self, bn: nn.BatchNorm2d, relu: bool, branches: int = 1):
        super().__init__()
        self.bn, self.relu, self.branches = bn, relu, branches
        kernels()

    def extra_repr(self) -> str:
        return f"relu={self.relu}, branches={self.branches}"

    def forward(self, x: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor | tuple[torch.Tensor, ...]:
        if not self._fits(x, residual):
            return self._unfused(x, residual)
        if self.bn.training:
            self.bn.num_batches_tracked.add_(1)
        return _Norm.apply(x, residual, self.bn.weight, self.bn.bias, self.bn, self.relu, self.branches)

    def _fits(self, x: torch.Tensor, residual: torch.Tensor | None) -> bool:
        channels = x.shape[1]
        return (
            x.dtype in PRECISIONS
            and x.device.type == "cpu"
            and self.bn.weight.dtype == torch.float32
            and x.numel() > channels  # one value a channel has no variance: batch norm says so
            and (residual is None or (residual.dtype, residual.shape) == (x.dtype, x.shape))
            and (LANES % channels == 0 or channels % LANES == 0)
            and x.numel() % LANES == 0
            # Gradients through the running statistics are nobody's training.
            and (self.bn.training or not torch.is_grad_enabled())
        )

    def _unfused(self, x, residual):
        y = self.bn(x)
        y = y if residual is None else y + residual
        y = F.relu(y) if self.relu else y
        return (y,) * self.branches if self.branches > 1 else y


def _channels_last(x: torch.Tensor | None) -> torch.Tensor | None:
    return None if x is None else x.contiguous(memory_format=torch.channels_last)


def _call(name: str, x: torch.Tensor, *arguments) -> None:
    """Calls a kernel on the activation `x` [N, C, H, W]; tensors are passed as addresses, None as null."""
    channels = x.shape[1]
    function = getattr(kernels(), f"{PRECISIONS[x.dtype]}_{name}")
    raw = (a.data_ptr() if isinstance(a, torch.Tensor) else a for a in arguments)
    function(x.numel() // channels, channels, *raw, torch.get_num_threads())


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, residual, weight, bias, bn, relu, branches):
        x, residual = _channels_last(x), _channels_last(residual)
        y = torch.empty_like(x)
        mean, inverse_std = torch.empty_like(weight), torch.empty_like(weight)
        statistics = (mean, inverse_std, bn.running_mean, bn.running_var, bn.momentum, bn.eps)
        _call("forward", x, x, residual, y, weight, bias, *statistics, bn.training, relu)
        ctx.save_for_backward(x, y if relu else None, weight, mean, inverse_std)
        ctx.adds = residual is not None
        ctx.set_materialize_grads(False)
        # Not a view: autograd has rules for views of outputs, and nobody writes to either.
        return y if branches == 1 else (y, *(y.new_empty(0).set_(y) for _ in range(branches - 1)))

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads):
        x, y, weight, mean, inverse_std = ctx.saved_tensors
        first, second, *_ = [*map(_channels_last, (g for g in grads if g is not None)), None]
        dz = torch.empty_like(x) if ctx.adds else None
        dx, dweight, dbias = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(weight)
        _call("backward", x, first, second, x, y, dz, dx, weight, mean, inverse_std, dweight, dbias)
        return dx, dz, dweight, dbias, None, None, None

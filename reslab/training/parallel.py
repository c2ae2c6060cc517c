"""A net that several processes train together: gradients and batch norm of the whole batch, not of each share."""

from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.parallel import DistributedDataParallel

from ..nets.registry import is_a_users


class SynchronisedNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d over the shares of all processes, which must be equally large; shares the weights and statistics
    of `norm`.

    In exact arithmetic outputs, gradients and running statistics are those of nn.BatchNorm2d on the whole batch, so
    a run is the same run, up to rounding, whatever the number of processes. torch's SyncBatchNorm computes the same,
    but has no kernels for the CPU; this is one implementation for all devices: torch's own kernels for one process,
    and one sum over the processes in each direction.
    """

    def __init__(self, norm: nn.BatchNorm2d):
        nn.Module.__init__(self)
        self.__dict__.update(norm.__dict__)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(x)
        y, mean, variance = _Norm.apply(x, self.weight, self.bias, self.eps)
        self.num_batches_tracked.add_(1)
        values = x.numel() // x.shape[1] * dist.get_world_size()
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (values / (values - 1)), self.momentum)
        return y


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, eps):
        # Its output is thrown away: of torch's kernels it is the one that has exact sums in float32 on every device.
        _, mean, inverse_std = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)
        kind, mean = mean.dtype, mean.double()
        # float64, so that the difference of squares below loses nothing that float32 had.
        moments = torch.stack([mean, inverse_std.double() ** -2 - eps + mean**2])
        dist.all_reduce(moments)
        mean, square = moments / dist.get_world_size()
        mean, variance = mean.to(kind), (square - mean**2).clamp(min=0).to(kind)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx, dy, _mean, _variance):
        x, weight, mean, variance = ctx.saved_tensors
        fixed = (mean, variance, None, None, False, ctx.eps, [True] * 3)
        # As if mean and variance were constants; the two sums, over all processes, say how they depend on x.
        dx, dweight, dbias = torch.ops.aten.native_batch_norm_backward(dy, x, weight, *fixed)
        sums = torch.stack([dbias, dweight])
        dist.all_reduce(sums)
        share = torch.rsqrt(variance + ctx.eps) / (x.numel() // x.shape[1] * dist.get_world_size())
        share = share if weight is None else share * weight
        dx.sub_(F.batch_norm(x, mean, variance, share * sums[1], share * sums[0], eps=ctx.eps))
        return dx, dweight, dbias, None


def synchronise(net: nn.Module) -> nn.Module:
    """`net` with every nn.BatchNorm2d in it replaced by a SynchronisedNorm of the same name and weights."""
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.BatchNorm2d:
                setattr(module, name, SynchronisedNorm(child))
    return net


def parallel(net: nn.Module, rehearse: Callable[[nn.Module], torch.Tensor]) -> DistributedDataParallel:
    """`net`, synchronised, in the form in which its gradients are the means over the processes.

    `rehearse` gives the loss of some batch. A first pass with it lets torch arrange the gradients in the order in
    which they come, as it otherwise does in the first iteration of every sitting, where sums over three processes or
    more would round differently than in the run that was never stopped. It changes nothing else.
    """
    theirs = any(map(is_a_users, net.modules()))  # may decide each time what it uses, and may have buffers of any kind
    wrapped = DistributedDataParallel(synchronise(net), find_unused_parameters=theirs)
    wrapped.broadcast_buffers = theirs  # as an argument it has one name up to torch 2.13 and another from then on
    before = [buffer.clone() for buffer in net.buffers()]
    rehearse(wrapped).backward()
    for buffer, old in zip(net.buffers(), before, strict=True):
        buffer.copy_(old)
    for parameter in net.parameters():
        parameter.grad = None
    return wrapped

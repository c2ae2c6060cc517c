"""Convolution with its batch norm folded in, the shortcut's addition and ReLU: one operation, for evaluation."""

import ctypes

import torch
import torch.nn.functional as F
from torch import nn

from .build import kernels

LANES = 16  # images at a time, as in conv.cpp
# G of Winograd's F(4x4, 3x3): what a kernel's three rows, and then its columns, become.
ROWS = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]
WINOGRAD = torch.tensor(ROWS, dtype=torch.float32) / 24


class FoldedConv(nn.Module):
    """relu(bn(conv(x)) + residual), with or without any but the convolution, bn with its running statistics.

    `residual` is added as option A does: every `stride`-th pixel, its channels from `offset` on. With `kernels` (on a CPU,
    in float32, LANES images at a time) reslab's own kernel does it all, in the layout of `innermost`; otherwise torch.
    Call `refold` before the first use, and after the weights of `conv` or `norm` have changed.
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d | None = None,
        relu: bool = False,
        stride: int = 1,
        offset: int = 0,
        kernels: bool = False,
    ):
        super().__init__()
        # Not as submodules: they belong to the net, whose weights may be moved and changed there.
        self._layers = (conv, norm)
        self.relu, self.stride, self.offset = relu, stride, offset
        self.kernels = kernels and fits(conv)
        self._plans: dict[tuple, tuple[ctypes.Array, tuple[int, ...]]] = {}
        self.winograd = self.kernels and conv.kernel_size == (3, 3) and conv.stride == (1, 1)

    def extra_repr(self) -> str:
        return f"{self._layers[0]}, norm={self._layers[1] is not None}, relu={self.relu}, kernels={self.kernels}"

    @torch.no_grad()
    def refold(self, dtype: torch.dtype = torch.float32) -> None:
        """Takes the weights as they are now; they are folded in float32 and kept as `dtype`."""
        conv, norm = self._layers
        weight, bias = conv.weight, conv.bias
        bias = weight.new_zeros(len(weight)) if bias is None else bias
        if norm is not None:
            scale, shift = affine(norm)
            weight, bias = weight * scale[:, None, None, None], bias * scale + shift
        if self.kernels:
            self._weight, self._bias = _packed(weight, self.winograd), bias.float().contiguous()
        else:
            self._weight = weight.to(dtype, memory_format=torch.channels_last)
            self._bias = bias.to(dtype)

    def forward(self, x: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        conv = self._layers[0]
        if self.kernels:
            return self._convolve(innermost(x), None if residual is None else innermost(residual))
        y = F.conv2d(x, self._weight, self._bias, conv.stride, conv.padding, conv.dilation, conv.groups)
        if residual is not None:
            channels = y[:, self.offset : self.offset + residual.shape[1]]
            channels += residual[:, :, :: self.stride, :: self.stride]
        return y.relu_() if self.relu else y

    def _convolve(self, x: torch.Tensor, residual: torch.Tensor | None) -> torch.Tensor:
        sizes = (x.shape, residual is not None and residual.shape)
        if sizes not in self._plans:  # made once: it takes longer than calling the kernel
            self._plans[sizes] = self._plan(*sizes)
        numbers, out = self._plans[sizes]
        y = x.new_empty(out)
        tensors = (x, self._weight, self._bias, residual, y)
        kernels("conv").convolve(numbers, *(None if t is None else t.data_ptr() for t in tensors))
        return y.permute(3, 2, 0, 1)

    def _plan(self, shape: torch.Size, residual: torch.Size | None) -> tuple[ctypes.Array, tuple[int, ...]]:
        """The kernel's numbers, and the shape in memory of what it gives."""
        conv, (n, c, h, w) = self._layers[0], shape
        assert n == LANES
        (side, _), (stride, _), (padding, _) = conv.kernel_size, conv.stride, conv.padding
        out = [(size + 2 * padding - side) // stride + 1 for size in (h, w)]
        added = (residual[1], residual[3]) if residual else (0, 0)
        numbers = (c, h, w, conv.out_channels, *out, side, stride, padding, *added, self.stride, self.offset)
        numbers = (*numbers, self.relu, self.winograd)
        return (ctypes.c_int64 * len(numbers))(*numbers), (*out, conv.out_channels, n)


class Affine(nn.Module):
    """A batch norm that follows no convolution, with its running statistics: x * scale + shift, in x's own layout."""

    def __init__(self, norm: nn.BatchNorm2d):
        super().__init__()
        self._norm = norm

    @torch.no_grad()
    def refold(self, dtype: torch.dtype = torch.float32) -> None:
        self._scale, self._shift = (part.to(dtype)[:, None, None] for part in affine(self._norm))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.addcmul(self._shift, x, self._scale)


class Mean(nn.Module):
    """Average pooling to one pixel of what is laid out by `innermost`, for which torch's own is slow."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(2, 3, 1, 0).flatten(0, 1).mean(0).T[:, :, None, None]


def affine(norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """The factor and the summand of each channel [C] that batch norm is in evaluation."""
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - norm.running_mean * scale


def fits(conv: nn.Conv2d) -> bool:
    """Whether the kernel can do this convolution: square, neither dilated nor in groups, zeros at the edge."""
    square = all(len({*pair}) == 1 for pair in (conv.kernel_size, conv.stride, conv.padding))
    return square and conv.dilation == (1, 1) and conv.groups == 1 and conv.padding_mode == "zeros"


def innermost(x: torch.Tensor) -> torch.Tensor:
    """x [N, C, H, W] with its images next to each other in memory: height, width, channels, images."""
    return x.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)


def _packed(weight: torch.Tensor, winograd: bool) -> torch.Tensor:
    """Weights [K, C, side, side] as the kernel reads them: [taps, blocks, C, block], with zeros for missing kernels."""
    count, channels, side, _ = weight.shape
    taps = weight.float().reshape(count * channels, side * side)
    if winograd:
        taps = taps @ torch.kron(WINOGRAD, WINOGRAD).T
    block = kernels("conv").convolve_block()
    taps = F.pad(taps.view(count, channels, -1), (0, 0, 0, 0, 0, -count % block))
    return taps.view(-1, block, channels, taps.shape[-1]).permute(3, 0, 2, 1).contiguous()

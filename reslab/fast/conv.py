"""Convolution with its batch norm folded in, the shortcut's addition and ReLU: one operation, for evaluation."""

import ctypes
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from .build import kernels

# G of Winograd's F(4x4, 3x3): what a kernel's three rows, and then its columns, become. The points are conv.cpp's.
A, B = 0.5**0.5, 2**0.5
ROWS = [[1, 0, 0], *[[1, p, p * p] for p in (A, -A, B, -B)], [0, 0, 1]]
OVER = [[1], [-1.5], [-1.5], [6], [6], [1]]  # of each finite point, the product of its distances to the others
WINOGRAD = torch.tensor(ROWS, dtype=torch.float64) / torch.tensor(OVER)

WINOGRAD_2D = torch.kron(WINOGRAD, WINOGRAD).float().T


class Call(ctypes.Structure):
    """As in conv.cpp."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("numbers", "x", "u", "bias", "residual", "y")]


class FoldedConv(nn.Module):
    """relu(bn(conv(x)) + residual), with or without any but the convolution, bn with its running statistics.

    `residual` is added as option A does: every `stride`-th pixel, its channels from `offset` on. With `kernels` (on a
    CPU, `lanes()` images at a time) reslab's own kernel does it all, in the layout of `innermost`: activations are
    float32, and with `dtype` bfloat16 products are of that, where the CPU has them. Otherwise torch does it in `dtype`.
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
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        # Not as submodules: they belong to the net, whose weights may be moved and changed there.
        self._layers = (conv, norm)
        self.relu, self.stride, self.offset, self.dtype = relu, stride, offset, dtype
        self.kernels = kernels and fits(conv)
        self.winograd = self.kernels and conv.kernel_size == (3, 3) and conv.stride == (1, 1)
        self.pairs = self.kernels and dtype == torch.bfloat16 and bool(kernels_of_conv().convolve_bfloat16())
        self._weight: torch.Tensor | None = None
        self._bias: torch.Tensor | None = None
        self._numbers: dict[tuple, ctypes.Array] = {}

    def extra_repr(self) -> str:
        return f"{self._layers[0]}, norm={self._layers[1] is not None}, relu={self.relu}, kernels={self.kernels}"

    @torch.no_grad()
    def refold(self) -> None:
        """Takes the weights as they are now, and folds them in float32."""
        conv, norm = self._layers
        weight, bias = conv.weight, conv.bias
        bias = weight.new_zeros(len(weight)) if bias is None else bias
        if norm is not None:
            scale, shift = affine(norm)
            weight, bias = weight * scale[:, None, None, None], bias * scale + shift
        if self.kernels:
            weight = _packed(weight, self.winograd, self.pairs)
        if self._weight is None:
            self._make_room(weight, bias)
        self._weight.copy_(weight)  # in place: a Tape knows where they are
        self._bias.copy_(bias)

    def _make_room(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """As large as these, in the memory format and precision in which they are read."""
        dtypes = (torch.bfloat16 if self.pairs else torch.float32, torch.float32) if self.kernels else (self.dtype,) * 2
        layout = torch.contiguous_format if self.kernels else torch.channels_last
        self._weight = torch.empty_like(weight, dtype=dtypes[0], memory_format=layout)
        self._bias = torch.empty_like(bias, dtype=dtypes[1])

    def forward(self, x: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        conv = self._layers[0]
        if self.kernels:
            return self._convolve(innermost(x), None if residual is None else innermost(residual))
        y = conv._conv_forward(x, self._weight, self._bias)  # padding of any kind
        if residual is not None:
            channels = y[:, self.offset : self.offset + residual.shape[1]]
            channels += residual[:, :, :: self.stride, :: self.stride]
        return y.relu_() if self.relu else y

    def _convolve(self, x: torch.Tensor, residual: torch.Tensor | None) -> torch.Tensor:
        y = x.new_empty(self.gives(x.shape))
        added = None if residual is None else (residual.shape, residual.data_ptr())
        call = self.call(x.shape, x.data_ptr(), added, y.data_ptr())
        kernels_of_conv().convolve(1, ctypes.byref(call))
        return y.permute(3, 2, 0, 1)

    def gives(self, shape: Sequence[int]) -> tuple[int, int, int, int]:
        """The shape in memory of what comes of images [N, C, H, W]: height, width, channels, images."""
        conv, (n, _, *size) = self._layers[0], shape
        (side, _), (stride, _), (padding, _) = conv.kernel_size, conv.stride, conv.padding
        height, width = ((pixels + 2 * padding - side) // stride + 1 for pixels in size)
        return height, width, conv.out_channels, n

    def call(self, shape: Sequence[int], x: int, residual: tuple[Sequence[int], int] | None, y: int) -> Call:
        """The kernel's arguments for images [N, C, H, W] at the address x, a residual (its shape, its address), and the
        address of the result.
        """
        assert shape[0] == lanes()
        added = residual[0] if residual else None
        if (shape, added) not in self._numbers:  # made once: it takes longer than the call
            conv, (height, width, channels, _) = self._layers[0], self.gives(shape)
            (side, _), (stride, _), (padding, _) = conv.kernel_size, conv.stride, conv.padding
            assert not added or ((height - 1) * self.stride < added[2] and (width - 1) * self.stride < added[3])
            numbers = (*shape[1:], channels, height, width, side, stride, padding)
            numbers += (added[1], added[3]) if added else (0, 0)
            numbers += (self.stride, self.offset, self.relu, self.winograd, self.pairs)
            # setdefault, because another thread may be as far: calls point at the array that stays.
            self._numbers.setdefault((shape, added), (ctypes.c_int64 * len(numbers))(*numbers))
        numbers = ctypes.addressof(self._numbers[shape, added])
        return Call(numbers, x, self._weight.data_ptr(), self._bias.data_ptr(), residual[1] if residual else None, y)


class Affine(nn.Module):
    """A batch norm that follows no convolution, with its running statistics: x * scale + shift, in x's own layout."""

    def __init__(self, norm: nn.BatchNorm2d, dtype: torch.dtype = torch.float32):
        super().__init__()
        self._norm, self.dtype = (norm,), dtype  # not as a submodule, see FoldedConv

    @torch.no_grad()
    def refold(self) -> None:
        """Takes the weights as they are now."""
        self._scale, self._shift = (part.to(self.dtype)[:, None, None] for part in affine(*self._norm))

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


def kernels_of_conv() -> ctypes.CDLL:
    """The compiled conv.cpp. Raises BuildError."""
    return kernels("conv")


def lanes() -> int:
    """How many images the compiled kernel takes at a time: those of this CPU's widest vectors. Raises BuildError."""
    return kernels_of_conv().convolve_lanes()


def _packed(weight: torch.Tensor, winograd: bool, pairs: bool) -> torch.Tensor:
    """Weights [K, C, side, side] in the order in which the kernel reads them, with zeros for missing kernels and the
    last of odd channels: units are of four bytes, which hold one channel, or in pairs two of them in bfloat16.
    """
    count, channels, side, _ = weight.shape
    taps = weight.float().reshape(count * channels, side * side)
    if winograd:
        taps = taps @ WINOGRAD_2D
    block, width = kernels_of_conv().convolve_block(), 2 if pairs else 1
    taps, lacking = taps.view(count, channels, -1), (-channels % width, -count % block)
    if any(lacking):
        taps = F.pad(taps, (0, 0, 0, lacking[0], 0, lacking[1]))
    taps = taps.view(len(taps) // block, block, -1, width, taps.shape[-1])  # blocks, block, units, width, taps
    return taps.permute((4, 0, 2, 1, 3) if winograd else (0, 4, 2, 1, 3))

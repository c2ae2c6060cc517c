"""Convolution with its batch norm folded in, the shortcut's addition and ReLU: one operation, for evaluation."""

import ctypes
from collections.abc import Sequence

import torch
from torch import nn

from .build import kernels

# G of Winograd's F(4x4, 3x3): what a kernel's three rows, and then its columns, become. The points are winograd.h's.
A, B = 0.5**0.5, 2**0.5
ROWS = [[1, 0, 0], *[[1, p, p * p] for p in (A, -A, B, -B)], [0, 0, 1]]
OVER = [[1], [-1.5], [-1.5], [6], [6], [1]]  # of each finite point, the product of its distances to the others
INTO = [[0.4], [0.5], [0.5], [A / 2], [A / 2], [0.4]]  # what winograd.h multiplies the transformed pixels by
WINOGRAD = torch.tensor(ROWS, dtype=torch.float64) / (torch.tensor(OVER) * torch.tensor(INTO))

LEAST_CHANNELS = 4  # for Winograd's transform: pictures, of three, are read as they lie
G = WINOGRAD.float()  # as the kernel reads it


class Call(ctypes.Structure):
    """As in conv.cpp."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("numbers", "x", "u", "bias", "residual", "y")]


class FoldedConv(nn.Module):
    """relu(bn(conv(x)) + residual), with or without any but the convolution, bn with its running statistics.

    `residual` is added as option A does: every `stride`-th pixel, its channels from `offset` on. With `kernels` (on a
    CPU) reslab's own kernel does it all, in the layout of `laid_out`: activations are float32, and products of `dtype`,
    which is float32 or `reduced()`. Otherwise torch does it in `dtype`. Call `refold` before the first use, and after
    the weights of `conv` or `norm` have changed.
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
        three_by_three = conv.kernel_size == (3, 3) and conv.stride == (1, 1)
        self.winograd = self.kernels and three_by_three and conv.in_channels >= LEAST_CHANNELS
        assert not self.kernels or dtype in (torch.float32, reduced())
        self.out_channels = conv.out_channels
        self._weight: torch.Tensor | None = None
        self._bias: torch.Tensor | None = None
        self._numbers: dict[tuple, ctypes.Array] = {}

    def extra_repr(self) -> str:
        return f"{self._layers[0]}, norm={self._layers[1] is not None}, relu={self.relu}, kernels={self.kernels}"

    @torch.no_grad()
    def refold(self) -> None:
        """Takes the weights as they are now, and folds them in float32."""
        conv, norm = self._layers
        weight = conv.weight
        scale, bias = weight.new_ones(len(weight)), conv.bias
        if norm is not None:
            scale, shift = affine(norm)
            bias = shift if bias is None else bias * scale + shift
        elif bias is None:
            bias = torch.zeros_like(scale)
        if self._weight is None:
            self._make_room()
        # In place: a Tape knows where they are.
        if self.kernels:
            self._put_in_order(weight, scale)
            self._bias[0, : len(bias)] = bias
        else:
            self._weight.copy_(weight * scale[:, None, None, None])
            self._bias.copy_(bias)

    def _make_room(self) -> None:
        """In the layout and precision in which they are read: units of the kernels' weights are of four bytes, which
        hold a number, or two of 16 bits. After its biases are of each kernel what a weight's 1 stands for.
        """
        conv, _ = self._layers
        if not self.kernels:
            self._weight = torch.empty_like(conv.weight, dtype=self.dtype, memory_format=torch.channels_last)
            self._bias = conv.weight.new_empty(self.out_channels, dtype=self.dtype)
            return
        (side, _), width = conv.kernel_size, 1 if self.dtype == torch.float32 else 2
        whole = kernels_of_conv().convolve_channels(width > 1) if self.winograd else width
        numbers = conv.in_channels * (1 if self.winograd else side)
        rows = (len(G) ** 2 if self.winograd else side), (numbers + -numbers % whole) // width
        self._weight = torch.empty(room(self.out_channels) // lanes(), *rows, lanes(), width, dtype=self.dtype)
        self._bias = torch.zeros(2, room(self.out_channels))

    def _put_in_order(self, weight: torch.Tensor, scale: torch.Tensor) -> None:
        weight, scale = weight.float().contiguous(), scale.float().contiguous()
        count, channels, side, _ = weight.shape
        winograd = G.data_ptr() if self.winograd else None
        given = weight.data_ptr(), scale.data_ptr(), winograd, self._weight.data_ptr(), self._bias[1].data_ptr()
        kernels_of_conv().convolve_weights(self.dtype != torch.float32, count, channels, side, *given)

    def forward(self, x: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        conv = self._layers[0]
        if self.kernels:
            return self._convolve(laid_out(x), None if residual is None else laid_out(residual))
        y = conv._conv_forward(x, self._weight, self._bias)  # padding of any kind
        if residual is not None:
            channels = y[:, self.offset : self.offset + residual.shape[1]]
            channels += residual[:, :, :: self.stride, :: self.stride]
        return y.relu_() if self.relu else y

    def _convolve(self, x: torch.Tensor, residual: torch.Tensor | None) -> torch.Tensor:
        assert x.dtype == torch.float32
        y = x.new_empty(len(x), *self.gives(x.shape[1:]))
        added = None if residual is None else (residual.shape[1:], residual.data_ptr())
        call = self.call(x.shape[1:], x.stride(3), x.data_ptr(), added, y.data_ptr())
        kernels_of_conv().convolve(1, ctypes.byref(call), len(x))
        return self.seen(y)

    def gives(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """The shape in memory of what comes of an image [C, H, W]: height, width, room for the channels."""
        conv, size = self._layers[0], shape[1:]
        (side, _), (stride, _), (padding, _) = conv.kernel_size, conv.stride, conv.padding
        height, width = ((pixels + 2 * padding - side) // stride + 1 for pixels in size)
        return height, width, room(self.out_channels)

    def seen(self, y: torch.Tensor) -> torch.Tensor:
        """What lies in memory as [N, *gives()], as [N, C, H, W]."""
        return y[..., : self.out_channels].permute(0, 3, 1, 2)

    def call(self, shape: Sequence[int], step: int, x: int, residual: tuple[Sequence[int], int] | None, y: int) -> Call:
        """The kernel's arguments for images [C, H, W] at the address x, whose pixels are `step` numbers apart, a
        residual (its shape, its address), and the address of the result.
        """
        added = tuple(residual[0]) if residual else None
        key = (*shape, step), added
        if key not in self._numbers:  # made once: it takes longer than the call
            conv, (height, width, _) = self._layers[0], self.gives(shape)
            assert shape[0] == conv.in_channels
            (side, _), (stride, _), (padding, _) = conv.kernel_size, conv.stride, conv.padding
            assert not added or ((height - 1) * self.stride < added[1] and (width - 1) * self.stride < added[2])
            numbers = (shape[0], step, *shape[1:], self.out_channels, height, width, side, stride, padding)
            numbers += added or (0, 0, 0)
            numbers += (self.stride, self.offset, self.relu, self.winograd, self.dtype != torch.float32)
            # setdefault, because another thread may be as far: calls point at the array that stays.
            self._numbers.setdefault(key, (ctypes.c_int64 * len(numbers))(*numbers))
        numbers = ctypes.addressof(self._numbers[key])
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


def affine(norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """The factor and the summand of each channel [C] that batch norm is in evaluation."""
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - norm.running_mean * scale


def fits(conv: nn.Conv2d) -> bool:
    """Whether the kernel can do this convolution: square, neither dilated nor in groups, zeros at the edge."""
    square = all(len({*pair}) == 1 for pair in (conv.kernel_size, conv.stride, conv.padding))
    return square and conv.dilation == (1, 1) and conv.groups == 1 and conv.padding_mode == "zeros"


def laid_out(x: torch.Tensor) -> torch.Tensor:
    """x [N, C, H, W] with its channels next to each other in memory, and after them room up to a whole vector, where
    there are zeros if this made it.
    """
    n, channels, height, width = x.shape
    step = room(channels)
    if x.stride() == (height * width * step, 1, width * step, step) and x.storage_offset() % step == 0:
        return x
    y = x.new_zeros(n, height, width, step)[..., :channels].permute(0, 3, 1, 2)
    return y.copy_(x)


def kernels_of_conv() -> ctypes.CDLL:
    """The compiled conv.cpp. Raises BuildError."""
    return kernels("conv")


def reduced() -> torch.dtype:
    """What the kernel multiplies where that need not be float32: bfloat16, or else int16, for which this CPU has
    instructions, or else float32. Raises BuildError.
    """
    return (torch.float32, torch.bfloat16, torch.int16)[kernels_of_conv().convolve_reduced()]


def lanes() -> int:
    """Numbers of this CPU's widest vectors. Raises BuildError."""
    return kernels_of_conv().convolve_lanes()


def room(channels: int) -> int:
    """Channels up to a whole vector. Raises BuildError."""
    return channels + -channels % lanes()

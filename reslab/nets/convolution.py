"""torch's convolution, but for one case in which it writes beyond its memory."""

import torch
import torch.nn.functional as F
from torch import nn

FEWEST = 8  # input channels for which oneDNN's strided 1x1 convolution is right


class Conv2d(nn.Conv2d):
    """nn.Conv2d; where it is 1x1 and of few channels, it passes over the pixels between its strides before and not
    inside, on a CPU.

    That is the same. But with torch 2.14 on a CPU with AVX2 and nothing wider, the weight gradient of a strided 1x1
    convolution of less than FEWEST channels in channels_last spoils the heap, and the process dies later.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (down, across), pointwise = self.stride, self.kernel_size == (1, 1) and self.padding == (0, 0)
        if pointwise and down * across > 1 and self.in_channels < FEWEST and x.device.type == "cpu":
            return F.conv2d(x[:, :, ::down, ::across], self.weight, self.bias)
        return super().forward(x)

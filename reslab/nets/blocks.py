"""The two building blocks: a residual function F, then the shortcut, then the activation (He et al. 2015, figure 5)."""

import torch
from torch import nn

from .shortcuts import shortcut_class


class BasicBlock(nn.Module):
    """F = 3x3 conv, BN, ReLU, 3x3 conv, BN. [N, in_channels, H, W] -> [N, channels, H/stride, W/stride]."""

    expansion = 1
    layers = 2  # weighted layers on the main path

    def __init__(self, in_channels: int, channels: int, stride: int, shortcut: str):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = shortcut_class(shortcut)(in_channels, channels, stride)
        self.relu2 = nn.ReLU()

    def residual(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu2(self.shortcut(x, self.residual(x)))


class Bottleneck(nn.Module):
    """F = 1x1, 3x3, 1x1 convs, each with BN. [N, in_channels, H, W] -> [N, 4 * channels, H/stride, W/stride].

    The stride is on the first 1x1 convolution, as in the paper (torchvision has it on the 3x3).
    """

    expansion = 4
    layers = 3

    def __init__(self, in_channels: int, channels: int, stride: int, shortcut: str):
        super().__init__()
        out_channels = self.expansion * channels
        self.conv1 = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.shortcut = shortcut_class(shortcut)(in_channels, out_channels, stride)
        self.relu3 = nn.ReLU()

    def residual(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.relu2(self.bn2(self.conv2(x)))
        return self.bn3(self.conv3(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu3(self.shortcut(x, self.residual(x)))


BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}


def initialise(net: nn.Module, generator: torch.Generator | None = None) -> None:
    """He initialisation in place: zero-mean normal weights with std sqrt(2 / fan_in) for convolutions (He et al. 2015b,
    1502.01852, eq. 10).

    The rule is made for layers followed by a ReLU. The classifier is not: it gets std 0.01 and no bias, so that
    training starts from the uniform guess, loss ln(classes), at any depth. `generator` is a CPU generator; None uses
    torch's global one.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01, generator=generator)
            nn.init.zeros_(module.bias)

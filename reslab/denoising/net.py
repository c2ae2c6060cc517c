"""The denoising net of Zhang et al. 2017, "Beyond a Gaussian Denoiser" (1608.03981), with shortcuts where one likes."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from ..nets.blocks import initialise
from ..nets.plugins import Plugin
from ..nets.stages import ShortcutAt, last_activation, make_stages, shortcut_maker

TARGETS = ("noise", "clean")
GREY, SPREAD = 0.5, 0.25  # what the first convolution takes for 0 and 1: about the mean and the std of pictures
# What the last convolution takes for 1, over the root of the width: about as strong as what F has to become, so that it
# learns as fast as the other layers do.
UNITS = dict(clean=0.25, noise=0.07)
LAST_STD = 0.01  # of the last convolution's weights at the start
# So that a plain net of 17 layers learns in the time of a lesson to tell faint noise from a strong picture. Batch norm
# begins with a shift where ReLU comes next. In most channels few values are negative then, and ReLU, which would cut
# half of them off in each layer, leaves them as they are: there the picture gets through. In a share of CUTTING it cuts
# off most: with none of these a layer is linear, and stays so for long. And most of a kernel's variance is in its
# centre, so that pixels are not blurred at once; with all of it there plain nets of 10,000 layers learn (Xiao et al.
# 2018, 1806.05393).
SHIFT, CUT, CUTTING = 2.0, -0.5, 0.3
CENTRE = 0.9


class DnCNN(nn.Module):
    """stem -> stage1 -> last: noisy pictures [N, 3, H, W] of any size (float, 0 to 1 before the noise came) -> what the
    clean ones are thought to be, in float32 and of the same shape.

    The stem is conv1 + ReLU, then conv2 + BN + ReLU; stage1 is n basic blocks of the same width, without shortcuts n
    times two of conv + BN + ReLU; `last` is a convolution. Everything has the size of the picture, and a kernel of 3x3.
    Blocks are named `stage1.block1` and so on. Pre-activation nets have a `final` activation after the last block.

    What the layers compute, F(x), is the clean picture itself with `target="clean"`. With "noise" it is the noise, and
    the net returns x - F(x): an identity shortcut over the whole net. The squared error of the picture is then that of
    the noise, so both nets minimise the same number with the same layers; all that differs is what F has to become, the
    unit that it is counted in (UNITS), and that a picture begins as grey.
    """

    def __init__(
        self, blocks: int, shortcut_at: ShortcutAt, target: str, width: int, order: str = "original", sums: bool = False
    ):
        super().__init__()
        self.target, self.order = target, order
        # Where blocks add what they compute, the last convolution is given the sum of all.
        self.unit = UNITS[target] / (width * (1 + blocks if sums else 1)) ** 0.5
        self.stem = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, width, 3, 1, 1),
                relu1=nn.ReLU(inplace=True),
                conv2=nn.Conv2d(width, width, 3, 1, 1, bias=False),
                bn2=nn.BatchNorm2d(width),
                relu2=nn.ReLU(inplace=True),
            )
        )
        (self.stage1,) = make_stages([blocks], width, "basic", shortcut_at, order)
        self.final = last_activation(width, order)
        self.last = nn.Conv2d(width, 3, 3, 1, 1)

    def _computed(self, noisy: torch.Tensor) -> torch.Tensor:
        """F(x), in float32: half as many bits would not tell neighbouring grey values of a clean picture apart."""
        x = self.stage1(self.stem((noisy - GREY) / SPREAD))
        if self.final is not None:
            x = self.final(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.unit * self.last(x.float()) + (GREY if self.target == "clean" else 0)

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        computed = self._computed(noisy)
        return noisy - computed if self.target == "noise" else computed

    def noise(self, noisy: torch.Tensor) -> torch.Tensor:
        """The noise that the net finds in the pictures, in float32: F(x), or what it takes away from them."""
        computed = self._computed(noisy)
        return computed if self.target == "noise" else noisy - computed


def check_dncnn_depth(depth: int) -> int:
    """Blocks of a net of `depth` weighted layers. Raises ValueError, saying what is allowed, if there are none."""
    blocks, rest = divmod(depth - 3, 2)
    if blocks < 1 or rest:
        raise ValueError(f"depth={depth} is not 2n+3, which a denoising net needs; allowed: 5, 7, 9, 17, 21 and so on")
    return blocks


def dncnn(
    depth: int = 17,
    shortcut: str = "none",
    target: str = "noise",
    width: int = 64,
    generator: torch.Generator | None = None,
    *,
    activation_order: str = "original",
    gate_bias: float | None = None,
    plugins: Sequence[str | Path | Plugin] = (),
) -> DnCNN:
    """The net of `depth` weighted layers (Zhang et al. 2017, section III: 17, of width 64, with `target="noise"`), here
    for colour pictures. `target="clean"` asks the same layers for the picture itself; `shortcut="A"` adds the shortcuts
    of He et al. 2015 around every two of them.

    He initialisation, gathered in the kernels' centres, and batch norm with shifts: see SHIFT and CENTRE. The last
    convolution, which no ReLU follows, begins with weights of std 0.01 and no bias: F starts near 0, or near grey.
    `generator` makes it reproducible; the rest is as in reslab.cifar_net.

    Raises ValueError for a depth that is not 2n+3, an unknown shortcut, target or order, a width below 1, and a
    gate_bias for a shortcut without a gate.
    """
    blocks = check_dncnn_depth(depth)
    if target not in TARGETS:
        raise ValueError(f"target={target!r} is unknown; allowed: {', '.join(TARGETS)}")
    if width < 1:
        raise ValueError(f"width={width} must be at least 1")
    shortcut_at = shortcut_maker(shortcut, activation_order, gate_bias, plugins)
    net = DnCNN(blocks, shortcut_at, target, width, activation_order, sums=shortcut != "none")
    initialise(net, generator)
    added = set() if shortcut == "none" else {f"stage1.{name}.bn2" for name, _ in net.stage1.named_children()}
    _begin_near_the_identity(net, added)
    nn.init.normal_(net.last.weight, std=LAST_STD, generator=generator)
    return net


@torch.no_grad()
def _begin_near_the_identity(net: DnCNN, added: set[str]) -> None:
    """Gathers 3x3 kernels in their centres, each with the variance that it had, and shifts batch norms, but those whose
    result is `added` to a shortcut: seven shifts would add up.
    """
    gather = torch.full((3, 3), (1 - CENTRE) ** 0.5)
    gather[1, 1] = (1 + 8 * CENTRE) ** 0.5
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.weight *= gather.to(module.weight.device)
        elif isinstance(module, nn.BatchNorm2d) and name not in added:
            module.bias.fill_(SHIFT)[: round(CUTTING * len(module.bias))] = CUT
    for conv in (net.stem.conv1, net.last):
        nn.init.zeros_(conv.bias)

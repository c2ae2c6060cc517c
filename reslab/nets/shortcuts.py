"""Every shortcut: what a block does with its input x besides feeding it to the residual branch F.

A shortcut is a module that merges x and F(x) into the block's output. To add one, write a class and register it; it
can then be named wherever a config names a shortcut:

    @register("half")
    class Half(Shortcut):
        def merge(self, x, fx):
            return fx + 0.5 * self.identity(x)

In the formulas, x is x where the shape stays, and is subsampled and zero-padded where it changes, as in option A; B, C
and conv1x1 have weights there instead. He et al. 2015 is arXiv 1512.03385, He et al. 2016 is arXiv 1603.05027.
"""

import torch
from torch import nn

from .convolution import Conv2d
from .registry import Shortcut, register


@register("none")
class Plain(Shortcut):
    title = "the plain net"
    formula = r"y = \mathcal{F}(x)"
    sentence = "The plain net: no shortcut, so every block has to rebuild whatever it wants to keep."
    source = "He et al. 2015, section 3.3"

    def merge(self, x, fx):
        return fx


@register("A")
class IdentityPadded(Shortcut):
    title = "identity, zero-padded"
    formula = r"y = \mathcal{F}(x) + x"
    sentence = "Identity, zero-padded where the number of channels grows: an addition without a single weight."
    source = "He et al. 2015, section 3.3, option A"

    def merge(self, x, fx):
        return fx + self.identity(x)


class Projection(Shortcut):
    """y = F(x) + Wx with W a 1x1 convolution and batch norm, wherever `projects` says so; y = F(x) + x elsewhere."""

    def build(self):
        if self.projects:
            self.conv = Conv2d(self.in_channels, self.out_channels, 1, self.stride, bias=False)
            self.bn = nn.BatchNorm2d(self.out_channels)

    @property
    def projects(self) -> bool:
        raise NotImplementedError

    def merge(self, x, fx):
        return fx + (self.bn(self.conv(x)) if self.projects else x)


@register("B")
class ProjectionWhereNeeded(Projection):
    title = "projection where needed"
    formula = r"y = \mathcal{F}(x) + W_s x \;\text{ or }\; \mathcal{F}(x) + x"
    sentence = "A learned 1×1 projection where the shape changes, identity everywhere else."
    source = "He et al. 2015, section 3.3, option B"

    @property
    def projects(self):
        return self.changes_shape


@register("C")
class ProjectionEverywhere(Projection):
    title = "projection everywhere"
    formula = r"y = \mathcal{F}(x) + W_s x"
    sentence = "A learned 1×1 projection in every block: more weights, and no identity is left."
    source = "He et al. 2015, section 4.1, option C"

    @property
    def projects(self):
        return True


@register("scaled")
class Scaled(Shortcut):
    title = "0.5 x"
    formula = r"y = \mathcal{F}(x) + 0.5\,x"
    sentence = "The shortcut halved: through L blocks the signal shrinks like 0.5 to the power of L."
    source = "He et al. 2016, section 3.1 and table 1, constant scaling 0.5 / 1"

    def merge(self, x, fx):
        return fx + 0.5 * self.identity(x)


@register("scaled-both")
class ScaledBoth(Shortcut):
    title = "0.5 x and 0.5 F(x)"
    formula = r"y = 0.5\,\mathcal{F}(x) + 0.5\,x"
    sentence = "Both branches halved: the mean of input and residual. It trains, and ends far behind the identity."
    source = "He et al. 2016, section 3.1 and table 1, constant scaling 0.5 / 0.5"

    def merge(self, x, fx):
        return 0.5 * fx + 0.5 * self.identity(x)


class Gated(Shortcut):
    """Has g(x), a sigmoid of a 1x1 convolution of x: [N, in_channels, H, W] -> the shape of F(x), each within 0..1.

    Its bias starts from `gate_bias`: at -6, g is 0.0025 and 1 - g(x) nearly the identity.
    """

    gate_bias = -6.0

    def build(self):
        self.conv = Conv2d(self.in_channels, self.out_channels, 1, self.stride)
        nn.init.constant_(self.conv.bias, self.gate_bias)
        self.sigmoid = nn.Sigmoid()

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        return self.sigmoid(self.conv(x))


@register("exclusive-gating")
class ExclusiveGating(Gated):
    title = "g and 1 − g"
    formula = r"y = g(x)\,\mathcal{F}(x) + (1 - g(x))\,x"
    sentence = "A learned gate deals out 100 %: what it gives the residual it takes from the shortcut (Highway nets)."
    source = "He et al. 2016, section 3.1 and table 1; Srivastava et al. 2015, 1505.00387"

    def merge(self, x, fx):
        gate = self.gate(x)
        return gate * fx + (1 - gate) * self.identity(x)


@register("shortcut-gating")
class ShortcutGating(Gated):
    title = "1 − g"
    formula = r"y = \mathcal{F}(x) + (1 - g(x))\,x"
    sentence = "A learned gate on the shortcut alone: it could learn to be the identity, and the start decides."
    source = "He et al. 2016, section 3.1 and table 1, shortcut-only gating"

    def merge(self, x, fx):
        return fx + (1 - self.gate(x)) * self.identity(x)


@register("conv1x1")
class Convolution(Shortcut):
    title = "1×1 convolution"
    formula = r"y = \mathcal{F}(x) + W x"
    sentence = "A bare 1×1 convolution in every block, without option C's batch norm: richer, and harder to train."
    source = "He et al. 2016, section 3.1, figure 2e and table 1"

    def build(self):
        self.conv = Conv2d(self.in_channels, self.out_channels, 1, self.stride, bias=False)

    def merge(self, x, fx):
        return fx + self.conv(x)


@register("dropout")
class DropoutShortcut(Shortcut):
    title = "half of x"
    formula = r"y = \mathcal{F}(x) + \mathrm{dropout}_{0.5}(x)"
    sentence = "Half of the shortcut's values dropped at random while training: a scaling by 0.5 in the mean."
    source = "He et al. 2016, section 3.1, figure 2f and table 1"

    def build(self):
        self.dropout = nn.Dropout(0.5)

    def merge(self, x, fx):
        return fx + self.dropout(self.identity(x))


@register("rezero")
class ReZero(Shortcut):
    title = "α F(x), α from 0"
    formula = r"y = \alpha\,\mathcal{F}(x) + x,\quad \alpha = 0 \text{ at the start}"
    sentence = "One learned number a block, starting at 0: the net begins as the identity and lets its blocks in."
    source = "Bachlechner et al. 2020, 2003.04887"

    def build(self):
        self.alpha = nn.Parameter(torch.zeros(()))

    def merge(self, x, fx):
        return self.alpha * fx + self.identity(x)


@register("stochastic-depth")
class StochasticDepthShortcut(Shortcut):
    """The probability to skip F grows linearly from the first block to `LAST_DROP` in the last one.

    While training, a residual that stays is divided by the probability that it does, so that nothing changes in
    evaluation; the paper multiplies in evaluation instead.
    """

    LAST_DROP = 0.5
    title = "F(x) skipped at random"
    formula = r"y = b\,\mathcal{F}(x) + x,\quad b = 0 \text{ or } 1 \text{ at random}"
    sentence = "Whole residual branches are skipped at random while training: short nets to train, a deep one to use."
    source = "Huang et al. 2016, 1603.09382"

    def build(self):
        from torchvision.ops import StochasticDepth  # here: with it come all of torchvision's nets, in 1.4 s

        self.drop = StochasticDepth(self.LAST_DROP * self.position, "batch")

    def merge(self, x, fx):
        return self.drop(fx) + self.identity(x)


@register("concat")
class Concatenation(Shortcut):
    """The 1x1 convolution brings the channels back to those of F(x): otherwise they would double in every block."""

    title = "[F(x), x]"
    formula = r"y = W\,[\mathcal{F}(x),\, x]"
    sentence = "Concatenation instead of addition, and a 1×1 convolution that mixes: addition is one W among many."
    source = "Huang et al. 2017 (DenseNet), 1608.06993, without its growth"

    def build(self):
        self.conv = Conv2d(self.in_channels + self.out_channels, self.out_channels, 1, bias=False)

    def merge(self, x, fx):
        return self.conv(torch.cat([fx, self.subsampled(x)], 1))

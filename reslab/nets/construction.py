"""Weights set by hand: deeper nets that compute what a shallower one does (He et al. 2015, section 1), and a projection
that computes what zero padding does.
"""

import copy

import torch
from torch import nn

from .blocks import Block
from .cifar import CifarNet, check_depth
from .orders import ORDERS
from .shortcuts import IdentityPadded, Plain, ProjectionWhereNeeded


def deepened(shallow: CifarNet, depth: int) -> CifarNet:
    """A copy of `shallow`, in evaluation mode, grown to `depth` weighted layers by blocks that compute the identity: it
    returns the shallow net's logits for the same images. He et al. 2015, section 1: "the added layers are identity
    mapping, and the other layers are copied from the learned shallower model".

    The blocks stand at the end of each stage, where the shape stays. On a CPU the logits are the same to the last bit,
    see `set_to_identity`; on a GPU a plain net's convolutions may round, since cuDNN uses TF32 unless told otherwise.
    In training mode it holds for residual nets alone: there batch norm divides by the batch's own deviation, so a plain
    block cannot leave its input as it is.

    Raises ValueError for a depth that this kind of net cannot have or that is less than the present one, for an
    activation order other than the original, for a net without batch norm, and for blocks that cannot be the identity.
    """
    block = shallow.stage1[0]
    name = "basic" if len(block.kernels) == 2 else "bottleneck"
    present, wanted = len(shallow.stage1), check_depth(depth, name)
    if wanted < present:
        raise ValueError(f"depth={depth} is less than the {present} blocks a stage that are there need")
    if (list(block.steps), list(block.last)) != ORDERS["original"].arrangement(len(block.kernels)):
        raise ValueError("only nets of activation_order='original' can be deepened: their blocks pass on what is >= 0")
    if not isinstance(shallow.stem.bn, nn.BatchNorm2d):
        raise ValueError("only nets of norm='batch' can be deepened: the blocks that are added have batch norm")
    deep = copy.deepcopy(shallow)
    for stage in (deep.stage1, deep.stage2, deep.stage3):
        like = stage[-1]
        channels = like.shortcut.out_channels
        for number in range(present, wanted):
            added = type(like)(channels, channels // like.expansion, 1, type(like.shortcut))
            stage.add_module(f"block{number + 1}", set_to_identity(added))
    return deep.eval()


@torch.no_grad()
def set_to_identity(block: Block) -> Block:
    """Sets the weights of a block of the original order, so that it returns what it gets, if that is not negative: its
    last ReLU would cut the rest off. Returns the block, in evaluation mode.

    With a shortcut, F becomes 0: the last batch norm has scale and shift 0. Without one, F becomes the identity: each
    3x3 kernel is 1 in its centre for its own channel and 0 elsewhere, batch norm has the mean 0 and the variance
    1 - eps, to which it adds eps: 1 - 1e-5 rounded to float32 plus 1e-5 rounded to float32 is exactly 1.

    Raises ValueError where that is not the identity: for a plain bottleneck, whose first convolution has room for a
    quarter of the channels only, and for shortcuts that change x.
    """
    block.eval()
    if isinstance(block.shortcut, Plain):
        for layer in block.children():
            if isinstance(layer, nn.Conv2d):
                nn.init.dirac_(layer.weight)
            elif isinstance(layer, nn.BatchNorm2d):
                _pass_on(layer)
    else:
        last = block.get_submodule(block.steps[-1])
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    x = torch.rand(1, block.shortcut.in_channels, 4, 4, generator=torch.Generator().manual_seed(0))
    y = block(x)
    if not torch.equal(y, x):
        kinds = f"{type(block).__name__} with the shortcut {type(block.shortcut).__name__}"
        raise ValueError(f"a {kinds} cannot be the identity: use basic blocks, or a shortcut that leaves x as it is")
    return block


@torch.no_grad()
def padding_projection(in_channels: int, out_channels: int, stride: int) -> ProjectionWhereNeeded:
    """Option B with the weights that make it option A, to the last bit: each input channel goes to the output channel
    where A's padding puts it, and batch norm passes on. In evaluation mode. For shapes that change: elsewhere B has no
    projection.
    """
    projection = ProjectionWhereNeeded(in_channels, out_channels, stride).eval()
    padded = IdentityPadded(in_channels, out_channels, 1)
    units = torch.eye(in_channels)[:, :, None, None]  # one picture of one pixel for each channel
    projection.conv.weight.copy_(padded.identity(units).transpose(0, 1))
    _pass_on(projection.bn)
    return projection


def _pass_on(norm: nn.BatchNorm2d) -> None:
    """Makes batch norm in evaluation mode the identity."""
    nn.init.zeros_(norm.running_mean)
    nn.init.constant_(norm.running_var, 1 - norm.eps)
    nn.init.ones_(norm.weight)
    nn.init.zeros_(norm.bias)

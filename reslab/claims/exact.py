"""Claims that need no runs: they are counted on the nets."""

from functools import cache

from ..nets import cifar_net
from ..nets.blocks import BasicBlock, Block, Bottleneck
from ..nets.shortcuts import IdentityPadded
from .claim import Claim
from .reading import CONTRADICTED, SUPPORTED
from .verdict import Number, Verdict

# With batch norm's scale and shift and the classifier's bias; the paper's table 6 rounds them.
PARAMETERS = {
    20: (269_722, "0.27M"),
    32: (464_154, "0.46M"),
    44: (658_586, "0.66M"),
    56: (853_018, "0.85M"),
    110: (1_727_962, "1.7M"),
    1202: (19_421_274, "19.4M"),
}
CHANNELS = 256  # of a bottleneck's input and output in the paper's figure 5
BOTTLENECK, TWO_3X3, RATIO = 69_632, 1_179_648, 16.94


def count(claim: Claim) -> Verdict:
    """The verdict of a claim without parts."""
    holds, numbers = {"parameters-equal": _parameters_equal, "bottleneck-arithmetic": _bottleneck}[claim.name]()
    return Verdict(claim, SUPPORTED if holds else CONTRADICTED, n="exact", setting="no runs needed", numbers=numbers)


@cache  # 1202 layers take a second
def _parameters(depth: int, shortcut: str) -> int:
    return sum(parameter.numel() for parameter in cifar_net(depth, shortcut).parameters())


def _parameters_equal() -> tuple[bool, tuple[Number, ...]]:
    holds, numbers = True, []
    for depth, (expected, rounded) in PARAMETERS.items():
        plain, residual = _parameters(depth, "none"), _parameters(depth, "A")
        holds = holds and plain == residual == expected
        label = f"{depth} layers, plain and residual"
        if plain == residual:
            numbers.append(Number(label, "parameters", plain, published=f"{rounded} (table 6)"))
        else:
            numbers.append(Number(label, "parameters of difference", residual - plain))
    return holds, tuple(numbers)


def _weights(block: Block) -> int:
    """Of its convolutions."""
    return sum(module.weight.numel() for name, module in block.named_children() if name.startswith("conv"))


def _bottleneck() -> tuple[bool, tuple[Number, ...]]:
    narrow = _weights(Bottleneck(CHANNELS, CHANNELS // Bottleneck.expansion, 1, IdentityPadded))
    wide = _weights(BasicBlock(CHANNELS, CHANNELS, 1, IdentityPadded))
    holds = narrow == BOTTLENECK and wide == TWO_3X3 and round(wide / narrow, 2) == RATIO
    numbers = Number("bottleneck", "weights", narrow), Number("two 3×3", "weights", wide)
    return holds, (*numbers, Number("ratio", "weights", wide / narrow))

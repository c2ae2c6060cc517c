"""How much a block's output moves when its weights do: H(x) = F(x) + x against F(x) alone."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from ..nets.blocks import Block
from .inputs import block_inputs


@dataclass(frozen=True)
class Sensitivity:
    """Percent by which F(x) and H(x) change for each percent by which the weights of F move."""

    name: str  # of the block, such as stage1.block1
    of_f: float
    of_h: float

    @property
    def factor(self) -> float:
        """How many times more F changes than H, each relative to itself."""
        return self.of_f / self.of_h


def sensitivities(net: nn.Module, images: torch.Tensor, directions: int = 4, seed: int = 0) -> list[Sensitivity]:
    """The sensitivity of each block of `net`, in order, to its own weights, at the x that `images` [N, 3, H, W] make.

    A direction v moves every convolution of F at random, each as far for its size as the others: v has normal entries,
    scaled to the norm of the convolution's weights. The sensitivity of F is the norm of F's derivative along v over the
    norm of F. That of H is the same for H, which is what the shortcut makes of x and F, before the last ReLU. Both are
    means over `directions`, in float64 and with the batch's own statistics in batch norm, as gradients in training are.

    Where the shortcut is an addition, H moves by the very tensor by which F moves, so the factor is the norm of H over
    the norm of F. The net stays as it was.
    """
    generator = torch.Generator().manual_seed(seed)
    twin = copy.deepcopy(net).double().train()
    inputs = block_inputs(twin, images.double())
    return [
        Sensitivity(name, *_measured(twin.get_submodule(name), x, directions, generator)) for name, x in inputs.items()
    ]


@torch.enable_grad()
def _measured(block: Block, x: torch.Tensor, directions: int, generator: torch.Generator) -> tuple[float, float]:
    weights = [layer.weight for layer in block.children() if isinstance(layer, nn.Conv2d)]
    fx = block.residual(x)
    outputs = (fx, block.shortcut(x, fx))
    # The transposed Jacobian times u is linear in u: its own derivative along v is the Jacobian times v. Forward-mode
    # differentiation would do it at once, but warns of what it imports (torch 2.12).
    duals = [torch.zeros_like(output, requires_grad=True) for output in outputs]
    pulled = [
        torch.autograd.grad(output, weights, u, create_graph=True) for output, u in zip(outputs, duals, strict=True)
    ]
    sums = [0.0, 0.0]
    for _ in range(directions):
        v = [torch.randn(w.shape, generator=generator, dtype=w.dtype) for w in weights]
        v = [random * (w.norm() / random.norm()) for random, w in zip(v, weights, strict=True)]
        for i, (output, u) in enumerate(zip(outputs, duals, strict=True)):
            (moved,) = torch.autograd.grad(pulled[i], u, [t.to(u.device) for t in v], retain_graph=True)
            sums[i] += (moved.norm() / output.norm()).item() / directions
    return sums[0], sums[1]

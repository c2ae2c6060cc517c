"""What a shortcut lets through of x."""

import copy
from dataclasses import dataclass

import torch

from ..nets.registry import Shortcut


@dataclass(frozen=True)
class Survival:
    """What a shortcut does to x [C, H, W] before F is added; shares are 0..1."""

    weights: int  # parameters, those of batch norm included
    positions: float  # share of the H x W positions of x that have any influence
    channels: int  # how many independent combinations of the channels of x come out
    of: int  # C, so many there are
    empty: float  # share of the channels that it puts out which are 0 whatever x is

    @property
    def row(self) -> dict[str, str]:
        """The numbers in words, for a table."""
        return {
            "weights": f"{self.weights:,}",
            "positions of x that it reads": f"{100 * self.positions:.0f} %",
            "channels of x that are left": f"{self.channels} of {self.of}",
            "channels that it leaves empty": f"{100 * self.empty:.0f} %",
        }


@torch.enable_grad()
def survival(shortcut: Shortcut, height: int, width: int) -> Survival:
    """What is left of an x of this height and width, found by sending x through the shortcut with F(x) = 0.

    For shortcuts that are linear in x: options A, B and C, in evaluation mode.
    """
    shortcut = copy.deepcopy(shortcut).double()  # so that rounding does not look like another channel
    inside, outside, stride = shortcut.in_channels, shortcut.out_channels, shortcut.stride
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, inside, height, width, generator=generator, dtype=torch.float64).requires_grad_()
    y = shortcut(x, x.new_zeros(1, outside, -(-height // stride), -(-width // stride)))
    # A random direction: in a sum of all values, influences could cancel.
    (reached,) = torch.autograd.grad(y, x, torch.randn(y.shape, generator=generator, dtype=y.dtype))
    with torch.no_grad():
        units = torch.eye(inside, dtype=x.dtype)[:, :, None, None].expand(
            -1, -1, stride, stride
        )  # one channel at a time is 1
        nothing = x.new_zeros(inside, outside, 1, 1)
        mapped = (shortcut(units, nothing) - shortcut(torch.zeros_like(units), nothing)).flatten(1)
    return Survival(
        weights=sum(p.numel() for p in shortcut.parameters()),
        positions=(reached != 0).any(1).float().mean().item(),
        channels=int(torch.linalg.matrix_rank(mapped)),
        of=inside,
        empty=(y[0].flatten(1) == 0).all(1).float().mean().item(),
    )

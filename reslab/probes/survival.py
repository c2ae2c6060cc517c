"""What a shortcut lets through of x."""

from dataclasses import dataclass

import torch

from ..nets.registry import Shortcut


@dataclass(frozen=True)
class Survival:
    """What a shortcut does to x [C, H, W] before F is added; shares are 0..1."""

    weights: int  # parameters, those of batch norm included
    positions: float  # share of the H x W positions of x that have any influence
    channels: int  # how many independent combinations of the C channels come out: C is all of them
    empty: float  # share of the channels that it puts out which are 0 whatever x is

    @property
    def row(self) -> dict[str, str]:
        """The numbers in words, for a table."""
        return {
            "weights": f"{self.weights:,}",
            "positions of x that it reads": f"{self.positions:.0%}",
            "channels of x that are left": str(self.channels),
            "channels that it leaves empty": f"{self.empty:.0%}",
        }


def survival(shortcut: Shortcut, height: int, width: int) -> Survival:
    """What is left of an x of this height and width, found by sending x through the shortcut with F(x) = 0.

    For shortcuts that are linear in x: options A, B and C, in evaluation mode.
    """
    inside, outside, stride = shortcut.in_channels, shortcut.out_channels, shortcut.stride
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, inside, height, width, generator=generator).requires_grad_()
    y = shortcut(x, torch.zeros(1, outside, -(-height // stride), -(-width // stride)))
    # A random direction: in a sum of all values, influences could cancel.
    (reached,) = torch.autograd.grad(y, x, torch.randn(y.shape, generator=generator))
    with torch.no_grad():
        units = torch.eye(inside)[:, :, None, None].expand(-1, -1, stride, stride)  # one channel at a time is 1
        nothing = torch.zeros(inside, outside, 1, 1)
        mapped = (shortcut(units, nothing) - shortcut(torch.zeros_like(units), nothing)).flatten(1)
    return Survival(
        weights=sum(p.numel() for p in shortcut.parameters()),
        positions=(reached != 0).any(1).float().mean().item(),
        channels=int(torch.linalg.matrix_rank(mapped.double())),
        empty=(y[0].flatten(1) == 0).all(1).float().mean().item(),
    )

"""Which paths carry the gradient: those through few blocks or through many (Veit et al. 2016, 1605.06431, section 5).

A residual net of n blocks is 2**n paths: at each block a path goes through F or past it. Its length is the number of
blocks where it goes through F. A plain net is one path, of length n.
"""

import copy
import math
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..nets.blocks import Block
from ..runs import Run
from .results import kept
from .settling import settled_subject
from .when import TRAINED, DoesNotApply

STANDARD: dict[str, Any] = dict(images=8, split="test", samples=20, seed=0)  # and `at`


@dataclass(frozen=True)
class PathShare:
    """The gradient that arrives at the pictures through paths of each length."""

    lengths: tuple[int, ...]  # 0 to n, the number of blocks
    gradient: tuple[float, ...]  # magnitude along one path of this length: mean over paths and pictures
    share: tuple[float, ...]  # that times the number of such paths, as a share of the sum over all lengths
    closed: int = 0  # blocks without a way past F

    @property
    def paths(self) -> tuple[int, ...]:
        """How many there are of each length."""
        least, most = self.closed, self.lengths[-1]
        return tuple(math.comb(most - least, length - least) if length >= least else 0 for length in self.lengths)

    @property
    def mean(self) -> float:
        """The mean length, each weighed with its share."""
        return sum(length * its for length, its in zip(self.lengths, self.share, strict=True))

    def central(self, share: float = 0.9) -> tuple[int, int]:
        """The shortest and the longest length, after (1 - share) / 2 is cut off at either end."""
        cut, below = (1 - share) / 2, 0.0
        low = high = 0
        for length, its in zip(self.lengths, self.share, strict=True):
            if below <= cut:
                low = length
            if below < 1 - cut:
                high = length
            below += its
        return low, high


def gradient_by_path_length(
    net: nn.Module, images: torch.Tensor, labels: torch.Tensor, samples: int = 20, seed: int = 0
) -> PathShare:
    """The magnitude of the gradient by the length of the paths that it comes through, for `images` [N, 3, H, W] and
    `labels` [N].

    Forward as usual; backward each block is passed through F or through the shortcut alone. A path's magnitude is the
    L2 norm of what arrives at a picture of the gradient of its cross-entropy. Of each length, `samples` paths are drawn
    at random, or all are taken if there are no more. The share weighs a length's magnitude with its number of paths:
    gradients that cancel each other in the sum count in full, as in the paper. A copy looks, in the mode
    that the net is in; with the statistics of a batch, F's gradient has a part that comes through the other pictures.

    A block without shortcut is in every path. Raises DoesNotApply for a net with a block whose shortcut is something
    else than an addition, where paths are not all there is; ValueError where the gradients at the pictures are all
    zero, or not finite.
    """
    paths, chance = Paths(net, images, labels), random.Random(seed)
    closed = [number for number, block in enumerate(paths.blocks) if not block.can_pass]
    free = [number for number, block in enumerate(paths.blocks) if block.can_pass]
    gradient = [0.0] * len(closed)
    for length in range(len(free) + 1):
        norms = [paths.magnitude([*closed, *through]) for through in _chosen(free, length, samples, chance)]
        gradient.append(sum(norms) / len(norms))
    found = PathShare(tuple(range(len(gradient))), tuple(gradient), (), len(closed))
    totals = [count * each for count, each in zip(found.paths, gradient, strict=True)]
    whole = sum(totals)
    if not math.isfinite(whole):
        raise ValueError("the gradients at the pictures are not finite numbers: the net diverged; take another")
    if whole == 0:
        raise ValueError("no gradient arrives at the pictures through any path, so none has a share; take another net")
    return replace(found, share=tuple(total / whole for total in totals))


def _chosen(blocks: Sequence[int], length: int, samples: int, chance: random.Random) -> Iterator[Collection[int]]:
    """`samples` sets of `length` of the blocks, or all that there are."""
    if math.comb(len(blocks), length) <= samples:
        yield from combinations(blocks, length)
        return
    for _ in range(samples):
        yield chance.sample(blocks, length)


class Paths:
    """A net's graph, cut at its blocks: gradients can be taken back along any path, again and again."""

    @torch.enable_grad()
    def __init__(self, net: nn.Module, images: torch.Tensor, labels: torch.Tensor):
        twin = copy.deepcopy(net).requires_grad_(False)
        inputs: dict[nn.Module, torch.Tensor] = {}
        outputs: dict[nn.Module, torch.Tensor] = {}
        blocks = {name: module for name, module in twin.named_modules() if isinstance(module, Block)}
        hooks = []
        for block in blocks.values():
            hooks.append(block.register_forward_pre_hook(lambda block, given: inputs.update({block: given[0]})))
            hooks.append(block.register_forward_hook(lambda block, _given, output: outputs.update({block: output})))
        self.images = images.detach().requires_grad_()
        loss = F.cross_entropy(twin(self.images), labels, reduction="sum")  # each picture's own, added up
        for hook in hooks:
            hook.remove()
        first, last = next(iter(blocks.values())), list(blocks.values())[-1]
        self._entry = inputs[first]
        (self._above,) = torch.autograd.grad(loss, outputs[last], retain_graph=True)
        self.blocks = [_Fork(name, block, inputs[block].detach()) for name, block in blocks.items()]

    def gradient(self, through: Collection[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """What arrives at the pictures along the path that goes through F of the blocks numbered `through`, from 0: of
        each picture its direction [N, 3, H, W], of norm 1, and the logarithm of its magnitude [N].
        """
        above, logs = _split(self._above, 0.0)
        for number in reversed(range(len(self.blocks))):
            above, logs = _split(self.blocks[number].back(above, number in through), logs)
        (below,) = torch.autograd.grad(self._entry, self.images, above, retain_graph=True)
        return _split(below, logs)

    def magnitude(self, through: Collection[int]) -> float:
        """The mean over the pictures of the gradient's norm."""
        return self.gradient(through)[1].double().exp().mean().item()


def _split(gradient: torch.Tensor, logs: torch.Tensor | float) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradient of each picture with norm 1, and the logarithm of what it had: through 54 blocks, float32 would run
    out of small numbers.
    """
    norms = gradient.flatten(1).norm(dim=1)
    return gradient / norms.clamp(min=1e-30)[:, None, None, None], logs + norms.log()


class _Fork:
    """A block with its two ways back."""

    def __init__(self, name: str, block: Block, x: torch.Tensor):
        self._inside, self._past = x.clone().requires_grad_(), x.clone().requires_grad_()
        self._fx = block.residual(self._inside)
        self._given = self._fx.detach().clone().requires_grad_()
        self._y = block.shortcut(self._past, self._given * 1)  # a plain shortcut passes it on, and a ReLU overwrites it
        self.can_pass = self._check(name, block)
        y = self._y * 1
        for step in block.last:
            y = getattr(block, step)(y)
        self._out = y

    def _check(self, name: str, block: Block) -> bool:
        """Whether there is a way past F. Raises DoesNotApply if the shortcut does something else than adding to F."""
        ones = torch.ones_like(self._y)
        to_x, to_fx = torch.autograd.grad(
            self._y, (self._past, self._given), ones, retain_graph=True, allow_unused=True
        )
        if to_fx is None or not torch.equal(to_fx, ones):
            raise DoesNotApply(
                f"{name} has a shortcut ({type(block.shortcut).__name__}) that is not F(x) plus something of x, so "
                "the gradient is no sum over paths; take a plain or residual net, such as one with shortcut='A'"
            )
        return to_x is not None

    def back(self, above: torch.Tensor, through: bool) -> torch.Tensor:
        """The gradient at x that comes through F, or, if it `can_pass`, the one through the shortcut alone."""
        (above,) = torch.autograd.grad(self._out, self._given, above, retain_graph=True) if through else (above,)
        if through:
            return torch.autograd.grad(self._fx, self._inside, above, retain_graph=True)[0]
        return torch.autograd.grad(self._out, self._past, above, retain_graph=True)[0]


def settings(at: str | int = TRAINED) -> dict[str, Any]:
    """Under which a result is kept."""
    return STANDARD | dict(at=at)


def measured(
    run: Run, at: str | int = TRAINED, data: str | Path | None = None, device: str | torch.device | None = None
) -> PathShare:
    """The share of gradient by path length of a run that is done, in evaluation mode (before the first iteration with
    settled statistics), with the STANDARD settings; from its folder if it was measured before. Raises as
    gradient_by_path_length does.
    """

    def measure() -> dict[str, Any]:
        shown = settled_subject(run, at, STANDARD["images"], STANDARD["split"], data, device)
        chosen = dict(samples=STANDARD["samples"], seed=STANDARD["seed"])
        found = gradient_by_path_length(shown.net, shown.images, shown.labels, **chosen)
        return dict(gradient=found.gradient, share=found.share, closed=found.closed)

    found = kept(run, "paths", settings(at), measure)
    closed = found.get("closed", 0)  # what was kept earlier is of nets without such blocks
    return PathShare(tuple(range(len(found["share"]))), tuple(found["gradient"]), tuple(found["share"]), closed)

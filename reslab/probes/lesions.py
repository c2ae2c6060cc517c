"""Lesions: what a trained net still knows when blocks are taken out or change places (Veit et al. 2016, section 4)."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..nets.blocks import Block
from ..nets.shortcuts import Plain
from ..runs import Run
from .results import kept
from .settling import settled_subject
from .when import TRAINED

STANDARD: dict[str, Any] = dict(images=1000, split="test")
BATCH = 250  # images at a time: larger ones leave the caches
ROOM = 2**29  # bytes for the activations that a study keeps; a deep net on larger images keeps every second, third ...


@dataclass(frozen=True)
class Lesion:
    """Top-1 error in percent without one block, by its name, such as stage1.block1."""

    name: str
    error: float


@dataclass(frozen=True)
class SingleLesions:
    """What each block alone is worth: errors in percent."""

    error: float  # of the whole net
    blocks: tuple[Lesion, ...]  # in the order in which they run
    chance: float  # of guessing


def without(block: Block, x: torch.Tensor) -> torch.Tensor:
    """What comes out for x [N, C, H, W] where `block` was deleted.

    Of a residual block the shortcut stays, and what comes after the merge: F(x) is 0 (Veit et al. 2016, section 4.1,
    which leaves a projection untouched too). A plain block has nothing to stay, and the next one gets x. The VGG there
    has as many channels in all layers, so that any can go; where a plain block changes the shape, x is made to fit by
    option A's map, which has no weights that could have learned anything, and which the residual twin has there.
    """
    shortcut = block.shortcut
    if isinstance(shortcut, Plain):
        return shortcut.identity(x)
    height, width = (-(-size // shortcut.stride) for size in x.shape[2:])
    nothing = x.new_zeros(len(x), height, width, shortcut.out_channels).permute(0, 3, 1, 2)  # channels last
    y = shortcut(x, nothing)
    for name in block.last:
        y = getattr(block, name)(y)
    return y


class LesionStudy:
    """A trained net, of either family, whose blocks can be deleted and can change places.

    `images` [N, 3, H, W] and `labels` [N] are on the device of the net. The study works on a copy in evaluation mode:
    the net stays as it was, and every question is answered from the whole net anew. What the last evaluation fed to
    each block is kept, so that the next one begins where the two part: to delete block i runs only what comes after it.

    Raises ValueError for a net without blocks.
    """

    def __init__(self, net: nn.Module, images: torch.Tensor, labels: torch.Tensor):
        self._net = copy.deepcopy(net).eval().to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
        self._blocks = {name: each for name, each in self._net.named_modules() if isinstance(each, Block)}
        if not self._blocks:
            raise ValueError("this net has no blocks to delete; lesions are for reslab.cifar_net and imagenet_net")
        self.blocks = tuple(self._blocks)
        self.labels = labels
        self.classes = self._net.fc.out_features
        self._batches = [_Batch(self._net, some, ROOM * len(some) // len(images)) for some in images.split(BATCH)]

    @property
    def chance(self) -> float:
        """The error of guessing, in percent."""
        return 100 * (1 - 1 / self.classes)

    def error(self, deleted: Iterable[str] = (), order: Sequence[str] | None = None) -> float:
        """Top-1 error in percent without the blocks `deleted`, the blocks running in this `order`, all of them named.

        Raises ValueError as `logits` does.
        """
        return 100 * (self.logits(deleted, order).argmax(1) != self.labels).double().mean().item()

    def logits(self, deleted: Iterable[str] = (), order: Sequence[str] | None = None) -> torch.Tensor:
        """What such a net says of the images: [N, classes].

        Raises ValueError for a name that is no block's, and for an order that leaves one out, or in which a block
        stands where another shape is needed.
        """
        deleted, order = frozenset(deleted), self.blocks if order is None else tuple(order)
        if unknown := sorted(deleted - set(self.blocks)):
            raise ValueError(f"{unknown[0]!r} is none of the net's blocks; they are {', '.join(self.blocks)}")
        if sorted(order) != sorted(self.blocks):
            raise ValueError("order must name each block once; a block that is to go belongs in deleted")
        for here, native in zip(order, self.blocks, strict=True):
            if self.shape(here) != self.shape(native):
                raise ValueError(f"{here} cannot stand in the place of {native}: their shapes differ")
        path = tuple((self._blocks[name], name in deleted) for name in order)
        return torch.cat([batch.logits(path) for batch in self._batches])

    @property
    def reshaping(self) -> tuple[str, ...]:
        """The blocks that change the shape: those that begin a stage."""
        return tuple(name for name, block in self._blocks.items() if block.shortcut.changes_shape)

    def shape(self, name: str) -> tuple[int, int, int]:
        """Channels of the block's input, of its output, and its stride."""
        shortcut = self._blocks[name].shortcut
        return shortcut.in_channels, shortcut.out_channels, shortcut.stride


class _Batch:
    """Some images on their way through a net, and what they were before some of its blocks."""

    def __init__(self, net: nn.Module, images: torch.Tensor, room: int):
        self.net, self.images, self.room = net, images, room
        self.path: tuple[tuple[Block, bool], ...] = ()  # that they last took
        self.kept: dict[int, torch.Tensor] = {}  # what went into the step of this number on that path

    @torch.inference_mode()
    def logits(self, path: tuple[tuple[Block, bool], ...]) -> torch.Tensor:
        """What a net of these steps says of them: blocks, and whether each is deleted."""
        if not self.kept:
            self.kept[0] = self._stem()
        common = next((i for i, (a, b) in enumerate(zip(self.path, path, strict=False)) if a != b), len(self.path))
        self.kept = {i: x for i, x in self.kept.items() if i <= common}
        self.path = ()  # until the end is reached: an interrupt leaves nothing that is wrong
        start = max(self.kept)
        x, every = self.kept[start], self._every(len(path))
        for i in range(start, len(path)):
            if i % every == 0:
                self.kept[i] = x
            block, gone = path[i]
            x = without(block, x) if gone else block(x)
        self.path = path
        if self.net.final is not None:
            x = self.net.final(x)
        return self.net.fc(self.net.pool(x).flatten(1))

    def _stem(self) -> torch.Tensor:
        """What the first block gets."""
        x = self.images
        for child in self.net.children():
            if any(isinstance(each, Block) for each in child.modules()):
                return x
            x = child(x)
        raise AssertionError("a study's net has blocks")

    def _every(self, steps: int) -> int:
        """1 if there is room for what goes into every step, 2 if for every second, and so on."""
        return max(1, -(-self.kept[0].nbytes * steps // self.room))


def single_lesions(study: LesionStudy) -> SingleLesions:
    """The error after deleting each single block. Veit et al. 2016, figure 3: deleting any layer of a VGG gives chance,
    no block of a residual net is missed but, a little, those that change the shape.
    """
    whole = study.error()
    found = [Lesion(name, study.error([name])) for name in reversed(study.blocks)]  # each begins where the last did
    return SingleLesions(whole, tuple(reversed(found)), study.chance)


def settings(at: str | int = TRAINED) -> dict[str, Any]:
    """Under which a result is kept."""
    return STANDARD if at == TRAINED else STANDARD | dict(at=at)


def measured(
    run: Run, at: str | int = TRAINED, data: str | Path | None = None, device: str | torch.device | None = None
) -> SingleLesions:
    """The single lesions of a run that is done, as trained or `at` another time (before the first iteration with
    settled statistics), with the STANDARD settings; from its folder if they were measured before.
    """

    def measure() -> dict[str, Any]:
        shown = settled_subject(run, at, **STANDARD, data=data, device=device)
        return asdict(single_lesions(LesionStudy(shown.net, shown.images, shown.labels)))

    found = kept(run, "lesions", settings(at), measure)
    return SingleLesions(found["error"], tuple(Lesion(**each) for each in found["blocks"]), found["chance"])

"""Counting a net's layers out loud: 1 + (3 + 4 + 23 + 3) × 3 + 1 = 101 (He et al. 2015, table 1)."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from .parts import Part, parts


@dataclass(frozen=True)
class LayerCount:
    """A net's depth as one counts it on the fingers. Convolutions and fully connected layers on the main path count."""

    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        return sum(part.layers for part in self.parts)

    @property
    def blocks(self) -> int:
        return sum(len(part.blocks) for part in self.parts if part.staged)

    @property
    def layers_per_block(self) -> int:
        """All blocks of a net have the same number of layers."""
        return len(next(part for part in self.parts if part.staged).blocks[0])

    @property
    def formula(self) -> str:
        staged = [part for part in self.parts if part.staged]
        first, last = (part.layers for part in (self.parts[0], self.parts[-1]))
        blocks = " + ".join(str(len(part.blocks)) for part in staged)
        ends = f"× {self.layers_per_block} + {last} ="
        return f"{first} + ({blocks}) {ends} {first} + {self.blocks} {ends} {self.total}"

    def aloud(self) -> Iterator[tuple[str, str, int]]:
        """(part, what it adds in words, how many there are then), part after part."""
        so_far = 0
        for part in self.parts:
            so_far += part.layers
            words = _times(part.layers, "layer")
            if part.staged:
                words = f"{_times(len(part.blocks), 'block')} of {_times(len(part.blocks[0]), 'layer')}: {part.layers}"
            yield part.name, words, so_far

    @property
    def words(self) -> str:
        """The count as sentences, and what was left out of it."""
        said = [
            f"{name} is {words}." if ":" not in words else f"{name} has {words}." for name, words, _ in self.aloud()
        ]
        return " ".join([*said, f"Together {self.total}.", self.uncounted])

    @property
    def uncounted(self) -> str:
        """What the count leaves out, in a sentence."""
        norms, projections = (sum(part.aside[kind] for part in self.parts) for kind in ("BatchNorm2d", "Conv2d"))
        beside = f" and {_times(projections, 'convolution')} on shortcuts" if projections else ""
        return f"Not counted: {_times(norms, 'batch norm')}{beside}, pooling and activations."

    def __str__(self) -> str:
        return f"{self.formula}\n{self.words}"


def count_layers(net: nn.Module) -> LayerCount:
    """The layers of one of our nets, counted from its modules: its weights may be on any device, meta included."""
    return LayerCount(parts(net))


def difference(shallow: LayerCount, deep: LayerCount) -> str:
    """Where the layers are that `deep` has and `shallow` has not, in a sentence."""
    more, blocks, layers = deep.total - shallow.total, deep.blocks - shallow.blocks, deep.layers_per_block
    change = f"{layers} layers a block instead of {shallow.layers_per_block}"
    begins = f"From {shallow.total} to {deep.total} layers:"
    if not blocks:
        each = layers - shallow.layers_per_block
        return f"{begins} the same {deep.blocks} blocks, but {change}; {deep.blocks} × {each} = {more} layers."
    grown = {
        b.name: len(b.blocks) - len(a.blocks)
        for a, b in zip(shallow.parts, deep.parts, strict=True)
        if len(b.blocks) != len(a.blocks)
    }
    where = [f"{n} in {name}" for name, n in grown.items()]
    where = f"all in {next(iter(grown))}" if len(grown) == 1 else _listed(where)
    same = layers == shallow.layers_per_block
    makes = f"{blocks} × {layers} = {more} layers" if same else f"and {change}; {more} layers"
    return f"{begins} {_times(blocks, 'more block')}, {where}; {makes}."


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"

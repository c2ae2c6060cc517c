"""The paper's table 1, rebuilt from the nets themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby

from torch import nn

from ..nets.anatomy import Anatomy, anatomy
from ..nets.family import PRINTED, SIZE
from ..nets.imagenet import ImageNetNet
from ..nets.parts import Part, parts

LINE = "1px solid var(--jp-border-color2, #d4d8de)"
CELL = f"padding:.5em;border:{LINE};text-align:center;vertical-align:middle;white-space:nowrap"
# Brackets of a matrix: a border at the sides, and short ones at the four corners.
CORNER = "linear-gradient(currentColor, currentColor)"
BRACKETS = (
    "display:inline-block;vertical-align:middle;line-height:1.45;padding:.1em .55em;border:solid currentColor;"
    f"border-width:0 1.5px;background:{CORNER} 0 0,{CORNER} 100% 0,{CORNER} 0 100%,{CORNER} 100% 100%;"
    "background-size:5px 1.5px;background-repeat:no-repeat"
)
QUIET = "color:var(--jp-ui-font-color2, #5b6472)"


@dataclass(frozen=True)
class Cell:
    """What stands in the table: lines in brackets, if there are several or `times` says how often, else plain words."""

    lines: tuple[str, ...]
    times: int = 0

    def __str__(self) -> str:
        return f"[{'; '.join(self.lines)}] × {self.times}" if self.times else ", ".join(self.lines)

    def html(self) -> str:
        lines = "<br>".join(map(escape, self.lines))
        return f'<span style="{BRACKETS}">{lines}</span>&ensp;× {self.times}' if self.times else lines


@dataclass(frozen=True)
class ArchitectureTable:
    """`rows` are (part, output size, a Cell for each net); prints as text, and a notebook shows a table."""

    nets: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Cell, ...]], ...]

    def cell(self, part: str, net: str) -> str:
        """What stands in the row of `part` in the column of `net`, such as "[3×3, 64; 3×3, 64] × 2"."""
        (cells,) = [cells for name, _, cells in self.rows if name == part]
        return str(cells[self.nets.index(net)])

    def __str__(self) -> str:
        lines = [("", "output", *self.nets), *((name, size, *map(str, cells)) for name, size, cells in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads = ("part", "output size", *self.nets)
        head = "".join(f'<th style="{CELL}">{escape(cell)}</th>' for cell in heads)
        body = ""
        for name, size, cells in self.rows:
            body += f'<tr><th style="{CELL};white-space:normal;min-width:5em">{escape(name)}</th>'
            body += f'<td style="{CELL};{QUIET}">{escape(size)}</td>'
            for cell, group in groupby(cells):  # what neighbours share is said once: what is left is where they differ
                body += f'<td style="{CELL}" colspan="{len(list(group))}">{cell.html()}</td>'
            body += "</tr>"
        style = "font-size:16px;border-collapse:collapse;margin:.5em 0"
        table = f'<table style="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        return f'<div style="overflow-x:auto">{table}</div>'


def architecture_table(nets: Mapping[int, ImageNetNet], size: int = SIZE) -> ArchitectureTable:
    """Table 1 of He et al. 2015 for `nets` by depth: blocks as [kernel, channels] read off the modules, output sizes
    and multiply-adds measured with one image of `size` pixels a side, and those that the paper prints beside them.

    The nets may be on any device; on "meta" it takes no arithmetic.
    """
    layers = {depth: anatomy(net, (3, size, size)) for depth, net in nets.items()}
    first, table = next(iter(nets.values())), next(iter(layers.values()))
    by_part = {depth: {part.name: part for part in parts(net)} for depth, net in nets.items()}
    rows = []
    for name, child in first.named_children():
        if isinstance(child, nn.MaxPool2d):
            cells = [_pooling(net.get_submodule(name)) for net in nets.values()]
        elif name in next(iter(by_part.values())):
            cells = [_cell(found[name]) for found in by_part.values()]
        else:  # the average pool stands beside fc, as in the paper
            continue
        rows.append((_names(name), _size(table, name), tuple(cells)))
    counted = [Cell((str(each.weighted_layers),)) for each in layers.values()]
    measured = [Cell((f"{each.multiply_adds / 1e9:.2f} × 10⁹",)) for each in layers.values()]
    printed = [Cell((f"{PRINTED[str(depth)]} × 10⁹",)) for depth in nets]
    rows += [
        ("layers, counted", "", tuple(counted)),
        ("multiply-adds, measured", "", tuple(measured)),
        ("FLOPs, as printed", "", tuple(printed)),
    ]
    return ArchitectureTable(tuple(f"{depth}-layer" for depth in nets), tuple(rows))


def _names(part: str) -> str:
    return dict(maxpool="max pool", fc="average pool, fc").get(part, part)


def _cell(part: Part) -> Cell:
    first = part.blocks[0]
    if isinstance(first[0], nn.Linear):
        return Cell((f"{first[0].in_features} → {first[0].out_features}",))
    if not part.staged:
        return Cell((_conv(first[0]), f"stride {first[0].stride[0]}"))
    return Cell(tuple(map(_conv, first)), len(part.blocks))


def _conv(layer: nn.Conv2d) -> str:
    return f"{'×'.join(map(str, layer.kernel_size))}, {layer.out_channels}"


def _pooling(pool: nn.MaxPool2d) -> Cell:
    return Cell((f"{pool.kernel_size}×{pool.kernel_size} max pool", f"stride {pool.stride}"))


def _size(table: Anatomy, part: str) -> str:
    """Height and width of what the last layer to run in this part puts out; of a vector 1×1."""
    shape = next(layer.output_shape for layer in reversed(table) if layer.name.split(".")[0] == part)
    return "×".join(map(str, shape[1:])) or "1×1"

"""The whole net as a strip: its stages as bars, each block a cell with its shortcut above it."""

import re
from dataclasses import dataclass, field
from html import escape

from torch import nn

from ..nets.anatomy import Anatomy
from ..nets.cifar import CifarNet
from ..nets.graph import block_graph
from ..nets.registry import Shortcut, is_a_users
from .svg import EDGE, INK, PAPER, QUIET, Drawing, accent, svg, text, text_width

STAGE, GAP = 200.0, 24.0  # widths of a stage's place and of the line to the next one
TALLEST, LEAST = 96.0, 22.0  # heights of the first stage's bar and of the lowest one
WIDEST, SMALLEST, ENDS = 44.0, 4.0, 5  # widths of a cell; how many are drawn at each end where there is a hatch
ENTRY = 22.0  # the least width of a cell whose dashes are to be seen
MIDDLE = 92.0  # y of the line through the net


def net_strip(net: CifarNet, anatomy: Anatomy, colour: str) -> Drawing:
    """The net from left to right: image, stem, stages, pool, classifier. A bar's height is the height of its maps; the
    arc over a block is solid where the shape stays, dashed where it changes, and missing where x is not used.

    `anatomy` is the net's layer table: all sizes are read off it.
    """
    shapes = {layer.name: layer.output_shape for layer in anatomy}
    return _Strip(net, shapes, accent(colour)).draw()


@dataclass
class _Strip:
    net: nn.Module
    shapes: dict[str, tuple[int, ...]]
    colour: str
    x: float = 10.0  # where the next part's room starts
    end: float | None = None  # of the part before
    parts: list[str] = field(default_factory=list)
    solid: dict[tuple, bool | None] = field(default_factory=dict)

    def draw(self) -> Drawing:
        stages = {n: s for n, s in self.net.named_children() if re.fullmatch(r"stage\d+", n)}
        first = next(m for m in self.net.modules() if isinstance(m, nn.Conv2d))
        image = (first.in_channels, *(s * size for s, size in zip(first.stride, self._shape("stem")[1:], strict=True)))
        self.tallest = max(image[1], *(self._shape(n)[1] for n in stages))
        self._box("input", "image", image, PAPER, 40)
        stem, (size, *_) = self._shape("stem"), first.kernel_size
        self._box("stem", f"{size}×{size} conv", stem, self._tint(), 26)
        for number, (name, stage) in enumerate(stages.items(), 1):
            self._stage(number, name, stage)
        self._round("pool", "avg pool", self._shape("pool"))
        self._round("fc", "fc", self._shape("fc"))
        said = ", ".join(f"stage {i} of {len(s)} blocks" for i, s in enumerate(stages.values(), 1))
        kinds = set(self.solid.values())
        arcs = {None: "no shortcut", True: "solid shortcuts where the shape stays", False: "dashed where it changes"}
        words = " and ".join(arcs[k] for k in (True, False, None) if k in kinds)
        return svg(self.parts, self.x + 10, 206, f"Net: image, stem, {said}, average pool, fc; {words}")

    def _shape(self, prefix: str) -> tuple[int, ...]:
        """What the last layer to run in this part of the net puts out."""
        return next(s for n, s in reversed(self.shapes.items()) if n == prefix or n.startswith(prefix + "."))

    def _height(self, shape: tuple[int, ...]) -> float:
        return max(LEAST, TALLEST * shape[1] / self.tallest)

    def _tint(self) -> str:
        return f"{PAPER};fill:color-mix(in srgb, {self.colour} 16%, {PAPER})"

    def _arrow(self, to: float) -> None:
        """The line from the part before to the one that starts here."""
        if self.end is not None:
            line = f'<path d="M{self.end:.5g} {MIDDLE:g}H{to - 7:.5g}" style="stroke:{INK};stroke-width:1.6"/>'
            self.parts.append(f'{line}<path d="M{to:.5g} {MIDDLE:g}l-9 -4.5v9z"/>')

    def _words(self, centre: float, first: str, second: str) -> None:
        self.parts.append(text(first, centre, 160, 15, "font-weight:600"))
        self.parts.append(text(second, centre, 182, 15, f"fill:{QUIET}"))

    def _op(self, name: str, kind: str, body: str) -> None:
        self.parts.append(f'<g class="reslab-op" data-op="{escape(name)}" data-kind="{kind}">{body}</g>')

    def _rect(self, x: float, width: float, height: float, fill: str, edge: str, corner: float = 3) -> str:
        return (
            f'<rect x="{x:.5g}" y="{MIDDLE - height / 2:.5g}" width="{width:.5g}" height="{height:.5g}"'
            f' rx="{min(corner, width / 4):.3g}" style="fill:{fill};stroke:{edge};stroke-width:1.2"/>'
        )

    def _place(self, width: float, *lines: str) -> float:
        """Takes room for a part and the words under it; the part's centre."""
        room = max(width + GAP, *(text_width(line, 15) + 6 for line in lines))
        centre = self.x + room / 2
        self._arrow(centre - width / 2)
        self.x, self.end = self.x + room, centre + width / 2
        return centre

    def _box(self, name: str, label: str, shape: tuple[int, ...], fill: str, width: float) -> None:
        size = f"{shape[0]} × {shape[1]}×{shape[2]}"
        centre = self._place(width, label, size)
        kind = "input" if name == "input" else "conv"
        self._op(
            name,
            kind,
            self._rect(centre - width / 2, width, self._height(shape), fill, INK if kind == "conv" else EDGE),
        )
        self._words(centre, label, size)

    def _round(self, name: str, label: str, shape: tuple[int, ...]) -> None:
        centre = self._place(26, label)
        self._op(name, name, self._rect(centre - 13, 26, 40, PAPER if name == "pool" else self._tint(), INK, 13))
        self._words(centre, label, str(shape[0]))

    def _stage(self, number: int, name: str, stage: nn.Module) -> None:
        blocks = [(f"{name}.{child}", block) for child, block in stage.named_children()]
        shape, count = self._shape(name), len(blocks)
        height, left = self._height(shape), self.x + GAP / 2
        entry = max(0.0, ENTRY - STAGE / count) if self._solid(blocks[0][1]) is False else 0.0
        pitch = min(WIDEST, (STAGE - entry) / count)
        shown = count
        if pitch < SMALLEST:  # too many to tell apart: the first and the last ones, and a hatch between
            pitch, shown = 8.0, 2 * ENDS
            entry = ENTRY - pitch if entry else 0.0
        hatch = STAGE - entry - shown * pitch if shown < count else 0.0
        self.x = left + (STAGE - entry - shown * pitch - hatch) / 2
        self._arrow(self.x)
        for i in range(shown):
            if hatch and i == ENDS:
                self._hatch(hatch, height)
            where, block = blocks[i if i < shown / 2 else i - shown]
            width = pitch + (entry if i == 0 else 0)
            cell = self._rect(self.x, width, height, self._tint(), INK if pitch > 6 else EDGE)
            self._op(where, "block", cell + self._arc(self.x, width, height, self._solid(block)))
            self.x += width
        self.end, self.x = self.x, left + STAGE + GAP / 2
        plural = "block" if count == 1 else "blocks"
        self._words(left + STAGE / 2, f"stage {number} · {count} {plural}", f"{shape[0]} × {shape[1]}×{shape[2]}")

    def _hatch(self, width: float, height: float) -> None:
        top = MIDDLE - height / 2
        lines = "".join(f"M{self.x + dx:.5g} {top:g}v{height:g}" for dx in range(4, int(width), 4))
        ground = self._rect(self.x, width, height, self._tint(), EDGE)
        self.parts.append(f'{ground}<path d="{lines}" style="stroke:{EDGE};stroke-width:1"/>')
        self.parts.append(text("⋯", self.x + width / 2, top - 12, 22))
        self.x += width

    def _arc(self, x: float, width: float, height: float, solid: bool | None) -> str:
        if solid is None:
            return ""
        top, rise = MIDDLE - height / 2 - 2, min(1.0 * width, 34)
        inset = min(1.0, width / 8)
        curve = f"C{x:.5g} {top - rise:.5g} {x + width:.5g} {top - rise:.5g} {x + width - inset:.5g} {top:.5g}"
        style = f"fill:none;stroke:{self.colour};stroke-width:{2.4 if width > 8 else 1.5}"
        dash = "" if solid else ";stroke-dasharray:4.5 3"
        return f'<path d="M{x + inset:.5g} {top:.5g}{curve}" style="{style}{dash}"/>'

    def _solid(self, block: nn.Module) -> bool | None:
        """As block_graph says; blocks that were made alike are traced once."""
        shortcut = next(m for m in block.modules() if isinstance(m, Shortcut))
        key = (type(block), type(shortcut), shortcut.in_channels, shortcut.out_channels, shortcut.stride)
        key += (shortcut.position,) if is_a_users(shortcut) else ()  # which may do something else further up
        if key not in self.solid:
            self.solid[key] = block_graph(block).solid
        return self.solid[key]

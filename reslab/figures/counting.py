"""A net's layers to count on the fingers: one bar a layer, block by block, part under part."""

from torch import nn

from ..nets.counting import LayerCount
from ..nets.parts import Weighted
from .svg import EDGE, PAPER, QUIET, Drawing, accent, svg, text

LEFT, RIGHT, ROW, TOP = 92.0, 230.0, 44.0, 30.0  # room for names and numbers, a row's height, where the first one is
BAR, INSIDE, BETWEEN = 5.0, 1.0, 5.0  # widths of a bar, and of the gaps between layers and between blocks
HEIGHTS = {1: 12, 3: 24, 7: 34}  # of a bar by its kernel
DEEPEST = 36 * (3 * BAR + 2 * INSIDE) + 35 * BETWEEN  # what conv4_x of 152 layers needs: one scale for all nets


def count_drawing(count: LayerCount, colour: str) -> Drawing:
    """Every layer that counts as a bar in `colour` "#rrggbb", low for a 1x1 convolution, high for a 3x3, round for a
    fully connected layer; behind each part what it adds, and the count so far. All nets have the same scale.
    """
    colour, parts = accent(colour), []
    end = LEFT + DEEPEST + 20
    parts += [text("adds", end + 60, 12, 15, f"fill:{QUIET}"), text("so far", end + 170, 12, 15, f"fill:{QUIET}")]
    for row, (part, (name, _, so_far)) in enumerate(zip(count.parts, count.aloud(), strict=True)):
        y, x = TOP + (row + 0.5) * ROW, LEFT
        rule = f"M0 {y + ROW / 2:g}H{end + RIGHT:g}"
        parts.append(f'<path d="{rule}" style="stroke:{EDGE};stroke-width:1;opacity:.6"/>')
        parts.append(text(name, 0, y, 16, "font-weight:600", "start"))
        bars = ""
        for block in part.blocks:
            for layer in block:
                bars += _bar(layer, x)
                x += BAR + INSIDE
            x += BETWEEN - INSIDE
        style = f"fill:{PAPER};stroke:{colour};stroke-width:{BAR:g}"
        parts.append(f'<g transform="translate({BAR / 2:g} {y:g})" style="{style}">{bars}</g>')
        blocks = len(part.blocks)
        adds = f"{blocks} × {len(part.blocks[0])} = {part.layers}" if part.staged else str(part.layers)
        parts.append(text(adds, end + 60, y, 16))
        parts.append(text(str(so_far), end + 170, y, 18, "font-weight:600"))
    height = TOP + len(count.parts) * ROW + 4
    return svg(parts, end + RIGHT, height, f"The layers of a net, one bar each: {count.formula}")


def _bar(layer: Weighted, x: float) -> str:
    """A bar around the line y = 0; in short, because there are hundreds of them."""
    if isinstance(layer, nn.Linear):
        return f'<circle data-layer="fc" cx="{x + 1.5:g}" cy="0" r="5" style="stroke-width:3"/>'
    height = HEIGHTS.get(layer.kernel_size[0], 24)
    return f'<path data-layer="{"×".join(map(str, layer.kernel_size))}" d="M{x:g} {-height // 2}v{height}"/>'

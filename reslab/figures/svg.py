"""What drawings share: the theme's colours, text of a known width, lines with round corners."""

import re
from dataclasses import dataclass
from html import escape

from .style import FONT

# JupyterLab's own colours, so that a drawing follows its light or dark theme.
INK = "var(--jp-ui-font-color1, #1f2430)"
QUIET = "var(--jp-ui-font-color2, #5b6472)"
PAPER = "var(--jp-layout-color1, #fff)"
EDGE = "var(--jp-border-color1, #b8bec8)"

WIDE, NARROW = set("mwMW→×−—@%⋯"), set("iljtfrI.,:;'/()[]| ")
RADIUS = 34  # of the arc's corners


@dataclass(frozen=True)
class Drawing:
    """An SVG that a notebook shows."""

    svg: str

    def __str__(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return self.svg


@dataclass(frozen=True)
class Row:
    """Drawings side by side, which shrink alike where there is little room."""

    drawings: tuple[Drawing, ...]

    def __str__(self) -> str:
        return "".join(map(_in_scale, self.drawings))

    def _repr_html_(self) -> str:
        return f'<div style="display:flex;gap:8px 40px;align-items:flex-start">{self}</div>'


def beside(*drawings: Drawing) -> Row:
    """The drawings from left to right, in one scale."""
    return Row(drawings)


def _in_scale(drawing: Drawing) -> str:
    """A drawing in a box as wide as it: side by side, two shrink alike."""
    width = re.search(r'viewBox="0 0 (\d+)', drawing.svg)[1]
    return f'<div style="flex:{width} 1 0;min-width:0;max-width:{width}px">{drawing}</div>'


def accent(colour: str) -> str:
    """`colour`, drawn towards the ink of the theme if it is so dark that it would vanish in a dark one."""
    share = max(0.0, 0.2 - _luminance(colour)) / 0.2 * 50
    return f"color-mix(in srgb, {INK} {share:.0f}%, {colour})" if share >= 1 else colour


def text_width(text: str, size: float) -> float:
    """An upper bound of the text's width in px, whatever sans serif font the machine has."""
    em = sum(0.88 if c in WIDE else 0.42 if c in NARROW else 0.72 if c.isupper() else 0.64 for c in text)
    return em * size


def text(words: str, x: float, y: float, size: float = 15, style: str = "", anchor: str = "middle") -> str:
    """One line of text, centred vertically on y."""
    css = f' style="{style}"' if style else ""
    where = f'x="{x:.5g}" y="{y + 0.35 * size:.5g}" font-size="{size:g}" text-anchor="{anchor}"'
    return f"<text {where}{css}>{escape(words)}</text>"


def svg(parts: list[str], width: float, height: float, sentence: str) -> Drawing:
    """The parts as one picture of this natural size that shrinks with its surroundings; `sentence` is for those who
    cannot see it.
    """
    said = escape(sentence)
    return Drawing(
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{said}" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' style="display:block;width:100%;max-width:{width:.0f}px;height:auto;fill:{INK};font-family:{escape(FONT)}">'
        f"<title>{said}</title>{''.join(parts)}</svg>"
    )


def path(points: list[tuple[float, float]], style: str, radius: float = RADIUS) -> str:
    """A line through the points with round corners."""
    d = f"M{points[0][0]:.5g} {points[0][1]:.5g}"
    for (ax, ay), (bx, by), (cx, cy) in zip(points, points[1:], points[2:], strict=False):
        before, after = abs(bx - ax) + abs(by - ay), abs(cx - bx) + abs(cy - by)
        r = min(radius, before, after) if before and after else 0
        if r:
            px, py = bx + (ax - bx) / before * r, by + (ay - by) / before * r
            qx, qy = bx + (cx - bx) / after * r, by + (cy - by) / after * r
            d += f"L{px:.5g} {py:.5g}Q{bx:.5g} {by:.5g} {qx:.5g} {qy:.5g}"
    return f'<path d="{d}L{points[-1][0]:.5g} {points[-1][1]:.5g}" style="fill:none;{style}"/>'


def _luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

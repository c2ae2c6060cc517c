"""A block as a drawing: what its graph says, from top to bottom, with the shortcut as an arc at its side."""

from dataclasses import dataclass, field
from html import escape

from torch import nn

from ..nets.graph import BlockGraph, block_graph
from .layout import ARMS, Layout, Shape, label_size
from .svg import EDGE, INK, PAPER, QUIET, RADIUS, Drawing, accent, path, svg, text

MERGES = dict(add="addition", multiply="multiplication", concat="concatenation")


def block_drawing(block: nn.Module, colour: str, title: str = "") -> Drawing:
    """The block as it computes, x at the top: F's layers, the shortcut as an arc in `colour` "#rrggbb" (solid where the
    shape stays, dashed where it changes, none in the plain net), their merge, and what comes after.
    """
    graph = block_graph(block)
    place = Layout(graph, title)
    strokes = _Strokes(place, accent(colour))
    parts = strokes.lines() + [_shape(shape, accent(colour)) for shape in place.shapes.values()] + strokes.words(title)
    return svg(parts, place.width, place.height, _sentence(graph))


def _sentence(graph: BlockGraph) -> str:
    def labels(*lanes: str) -> str:
        return ", ".join(op.label for op in graph.lane(*lanes)) or "nothing"

    said = f"Block: {labels('before', 'residual')}; "
    if graph.solid is None:
        return said + "no shortcut"
    own = graph.lane("shortcut")
    plain = "x" if any(op.kind == "other" and len(op.inputs) > 1 for op in graph.lane("after")) else "identity"
    said += f"shortcut: {labels('shortcut') if own else plain}, {'solid' if graph.solid else 'dashed'}"
    after = [MERGES.get(op.kind, op.label) if len(op.inputs) > 1 else op.label for op in graph.lane("after")]
    return said + (f"; merged by {', then '.join(after)}" if after else "")


@dataclass
class _Strokes:
    """The lines between the shapes, and the words beside them."""

    place: Layout
    accent: str
    parts: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        place, graph = self.place, self.place.graph
        spine = [s for s in place.shapes.values() if s.column == "spine"]
        ends_in_spine = graph.output in place.ops and graph.output not in place.shortcut
        y = place.start + 12
        skips = place.skips()
        above = "x"
        for shape in spine:
            if above in shape.op.inputs:
                big = shape.op.kind == "conv" or len(shape.op.inputs) > 1
                self._line([(place.centre, y), (place.centre, shape.top)], arrow=big or shape is spine[0])
            above, y = shape.op.name, shape.bottom
        if ends_in_spine:
            self._line([(place.centre, y), (place.centre, place.height - 36)], arrow=True)
        for i, (name, op) in enumerate(skips):
            a, b = place.shapes[name], place.shapes[op.name]
            x = place.centre - (place.side - place.centre) - 14 - 18 * i
            self._line(
                [(place.centre, a.bottom + 5), (x, a.bottom + 5), (x, b.y), (b.x - b.width / 2, b.y)], arrow=True
            )
        if graph.solid is not None:
            self._shortcut()
        return self.parts

    def _shortcut(self) -> None:
        place, graph = self.place, self.place.graph
        out = place.at["arc"]
        dash = "" if graph.solid else "stroke-dasharray:9 7;"
        start = (place.centre, place.fork)
        ends = (lambda s: (s.x + s.width / 2, s.y))(place.shapes[place.readers[-1].name]) if place.readers else None
        way = [start, (out, place.fork)]
        way += [(out, ends[1]), ends] if ends else [(out, place.height - 20), (place.centre + 14, place.height - 20)]
        for i, op in enumerate(place.inner):
            shape, x = place.shapes[op.name], place.side + 16 + 20 * i
            self._line([start, (x, start[1]), (x, shape.y), (shape.x + shape.width / 2, shape.y)], dash, 3, True)
        for shape in place.shapes.values():
            for name in shape.op.inputs:
                aside = shape.column == "gate" or (name in place.shapes and place.shapes[name].column == "gate")
                if aside or (name in place.arc and shape.column == "spine" and shape.op is not place.readers[-1]):
                    self._gate(name, shape)
        self._line(way, dash, 3.5, True)
        self.parts.append(f'<circle cx="{start[0]:.5g}" cy="{start[1]:.5g}" r="4.5" style="fill:{self.accent}"/>')

    def _gate(self, name: str, to: Shape) -> None:
        place = self.place
        if name == place.graph.split or name not in place.shapes:
            self._line([(to.x - RADIUS, place.fork), (to.x, place.fork), (to.x, to.top)], "", 2.5)
            return
        source = place.shapes[name]
        if source.column == to.column:
            self._line([(to.x, source.bottom), (to.x, to.top)], "", 2.5)
        elif abs(source.y - to.y) < 1:
            self._line([(source.x + source.width / 2, to.y), (to.x - to.width / 2, to.y)], "", 2.5, True)
        else:
            end = to.x + (1 if to.x < source.x else -1) * to.width / 2
            self._line([(source.x, source.bottom), (source.x, to.y), (end, to.y)], "", 2.5, True)

    def _line(self, points, extra: str | None = None, width: float = 1.8, arrow: bool = False) -> None:
        colour = INK if extra is None else self.accent
        (ax, ay), (bx, by) = points[-2:]
        dx, dy = ((bx > ax) - (bx < ax), 0) if ay == by else (0, 1)
        tip = points[-1]
        if arrow:
            points = [*points[:-1], (bx - 8 * dx, by - 8 * dy)]
        self.parts.append(path(points, f"stroke:{colour};stroke-width:{width:g};{extra or ''}"))
        if arrow:
            half = 4 + width / 2
            x, y = tip[0] - 10 * dx, tip[1] - 10 * dy
            sides = f"L{x - half * dy:.5g} {y - half * dx:.5g}L{x + half * dy:.5g} {y + half * dx:.5g}"
            d = f"M{tip[0]:.5g} {tip[1]:.5g}{sides}Z"
            self.parts.append(f'<path d="{d}" style="fill:{colour}"/>')

    def words(self, title: str) -> list[str]:
        place, graph = self.place, self.place.graph
        words = [text(title, 14, 22, 17, "font-weight:600", "start")] if title else []
        words.append(text("x", place.centre, place.start, 20, "font-style:italic"))
        words.append(text("y", place.centre, place.height - 20, 20, "font-style:italic"))
        if graph.solid is None:
            y = (place.fork + place.height) / 2 - 30
            words.append(text("no shortcut", place.side + 22, y, 15, f"fill:{QUIET}", "start"))
        elif not place.arc and place.readers:
            last = place.readers[-1]
            y = (place.fork + place.shapes[last.name].y) / 2
            words.append(
                text("identity" if last.kind != "other" else "x", place.at["arc"] + 12, y, 15, f"fill:{QUIET}", "start")
            )
        for shape in place.shapes.values():
            if shape.op.kind == "sigmoid" and shape.column == "gate":
                words.append(text("g", shape.x + 12, shape.bottom + 12, 17, "font-style:italic", "start"))
        return words


def _shape(shape: Shape, colour: str) -> str:
    op, x, y = shape.op, shape.x, shape.y
    on_arc = shape.column != "spine"
    stroke = colour if on_arc else INK if op.kind == "conv" or len(op.inputs) > 1 or shape.circle else EDGE
    fill = f"{PAPER};fill:color-mix(in srgb, {colour} 16%, {PAPER})" if op.kind == "conv" else PAPER
    style = f"fill:{fill};stroke:{stroke};stroke-width:{1.8 if op.kind == 'conv' or shape.circle else 1.5:g}"
    if shape.circle:
        body = f'<circle cx="{x:.5g}" cy="{y:.5g}" r="{shape.height / 2:g}" style="{style}"/>'
        if arms := ARMS.get(op.label):
            d = "".join(f"M{x - a:.5g} {y - b:.5g}L{x + a:.5g} {y + b:.5g}" for a, b in arms)
            body += f'<path d="{d}" style="stroke:{INK};stroke-width:2.2"/><title>{escape(op.label)}</title>'
        else:
            body += text(op.label, x, y - 1, 18)
    else:
        corner = 8 if op.kind == "conv" else 14
        body = (
            f'<rect x="{x - shape.width / 2:.5g}" y="{shape.top:.5g}" width="{shape.width:.5g}"'
            f' height="{shape.height:g}" rx="{corner}" style="{style}"/>'
        )
        bold = "font-weight:600" if op.kind == "conv" and not on_arc else ""
        first = y - 9.5 * (len(shape.lines) - 1)
        body += "".join(text(line, x, first + 19 * i, label_size(op), bold) for i, line in enumerate(shape.lines))
    return f'<g class="reslab-op" data-op="{escape(op.name)}" data-kind="{op.kind}">{body}</g>'

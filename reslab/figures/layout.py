"""Where a block's operations stand in its drawing."""

from dataclasses import dataclass
from itertools import pairwise

from ..nets.graph import BlockGraph, Op
from .svg import RADIUS, text_width

CONV = 172  # a convolution's least width on the spine, so that it seldom changes from net to net
# The signs in circles, as lines from the centre: half of each.
ARMS = {"+": ((0, 8), (8, 0)), "−": ((8, 0),), "×": ((6, 6), (6, -6))}


@dataclass
class Shape:
    """An operation's place: its centre and size, and whether it is a circle."""

    op: Op
    column: str  # spine, gate, arc
    lines: list[str]
    width: float
    height: float
    circle: bool = False
    x: float = 0
    y: float = 0

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2


class Layout:
    """Where everything stands: F and what follows in the spine, gates beside it, the way of x itself outside."""

    def __init__(self, graph: BlockGraph, title: str):
        self.graph = graph
        self.ops = {op.name: op for op in graph.ops}
        self.shortcut = {op.name for op in graph.lane("shortcut")}
        # What reads x or the shortcut's values for the merge.
        self.readers = [op for op in graph.lane("after") if any(self._from_shortcut(n) for n in op.inputs)]
        self.arc = self._arc()
        self.start = 58.0 if title else 22.0  # of the label x
        self.shapes = {op.name: self._new(op) for op in self.ops.values()}
        self._columns(title)
        self._rows()

    def _from_shortcut(self, name: str) -> bool:
        return name == self.graph.split or name in self.shortcut

    def _cost(self, name: str) -> int:
        """How gate-like the way from x to this value is."""
        if name not in self.shortcut:
            return 0
        op = self.ops[name]
        return (op.kind in ("sigmoid", "one-minus")) + min(self._cost(n) for n in op.inputs)

    def _arc(self) -> list[str]:
        """The operations on the way of x itself to the last merge, in order."""
        ends = self.readers[-1].inputs if self.readers else (self.graph.output,)
        ends = [n for n in ends if self._from_shortcut(n)]
        chain: list[str] = []
        while ends:
            best = min(ends, key=self._cost)
            if best not in self.shortcut:
                break
            chain.append(best)
            ends = list(self.ops[best].inputs)
        return chain[::-1]

    def _new(self, op: Op) -> Shape:
        column = "arc" if op.name in self.arc else "gate" if op.name in self.shortcut else "spine"
        if op.kind == "sigmoid" or op.label in ARMS:
            return Shape(op, column, [op.label], 32, 32, circle=True)
        lines, size = [op.label], label_size(op)
        limit = 112 if column != "spine" else 400 if op.kind == "conv" else 150
        if text_width(op.label, size) > limit and " " in op.label:
            words = op.label.split(" ")
            halves = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
            lines = list(min(halves, key=lambda pair: max(text_width(line, size) for line in pair)))
        inside = max(text_width(line, size) for line in lines) + 22
        least = (CONV if op.kind == "conv" else 76) if column == "spine" else 60
        height = (40 if op.kind == "conv" and column == "spine" else 28) + 19 * (len(lines) - 1)
        return Shape(op, column, lines, max(inside, least), height)

    def _columns(self, title: str) -> None:
        def half(column: str) -> float:
            return max((s.width / 2 for s in self.shapes.values() if s.column == column), default=0)

        convs = [s for s in self.shapes.values() if s.column == "spine" and s.op.kind == "conv"]
        for shape in convs:
            shape.width = max(s.width for s in convs)
        spine, gate, arc = half("spine"), half("gate"), half("arc")
        # x read more than once by the merge: the other lines run between the spine and the gates.
        self.inner = [op for op in self.readers if self.graph.split in op.inputs][: None if self.arc else -1]
        skips = 18 * len(self.skips())
        edge = spine + 20 * len(self.inner)
        beside = 26 + 2 * gate if gate else 10
        offsets = dict(spine=0.0, gate=edge + 26 + gate, arc=edge + beside + max(arc + 18, 44))
        right = offsets["arc"] + (arc + 4 if self.arc else 16 + text_width("identity", 15))
        if self.graph.solid is None:
            right = spine + 30 + text_width("no shortcut", 15)
        # Always the same place for the spine, so that it stands still while a learner changes the shortcut.
        self.centre = 14 + skips + max(spine, CONV / 2)
        self.width = max(350.0, self.centre + right + 12, text_width(title, 17) + 28)
        self.at = {column: self.centre + offset for column, offset in offsets.items()}
        self.side = self.centre + spine
        for shape in self.shapes.values():
            shape.x = self.at[shape.column]

    def skips(self) -> list[tuple[str, Op]]:
        """Values of the spine that are read by another operation there than the next one."""
        spine = [op for op in self.ops.values() if op.name not in self.shortcut]
        before = {op.name: first.name for first, op in pairwise(spine)}
        outside = {self.graph.split, *self.shortcut}
        late = {op.name for op in self.readers}
        return [
            (name, op)
            for op in spine
            for name in op.inputs
            if name != before.get(op.name, "x") and not (name in outside and op.name in late) and name != "x"
        ]

    def _rows(self) -> None:
        self.fork = self.start + 28  # where the shortcut leaves
        bottom: dict[str, float] = {}
        for op in self._order():
            shape = self.shapes[op.name]
            if shape.column == "spine":
                top = bottom.get("spine", self.start + 12) + self._gap(shape)
                if op.name == self.graph.split:
                    self.fork = top + shape.height + 16
            else:
                last = bottom.get(shape.column, self.fork + RADIUS - 10)
                top = last + (28 if any(self.ops[n].kind == "sigmoid" for n in op.inputs if n in self.ops) else 16)
            for source in (self.shapes[n] for n in op.inputs if n in self.shortcut):
                if source.column != shape.column:
                    level = source.column == "gate" and shape.column == "arc"
                    lowest = source.y if level else source.bottom + RADIUS - 6
                    top = max(top, lowest - shape.height / 2)
            for name in self.waits.get(op.name, ()):
                top = max(top, self.shapes[name].y + 10)
            shape.y = top + shape.height / 2
            bottom[shape.column] = shape.bottom
        self.height = max(s.bottom for s in self.shapes.values()) + 62
        strict = {name: shape.y for name, shape in self.shapes.items()}
        self._relax()
        columns = [[s for s in self.shapes.values() if s.column == column] for column in self.at]
        if any(b.top - a.bottom < 8 for column in columns for a, b in pairwise(sorted(column, key=lambda s: s.y))):
            for name, y in strict.items():  # a user's shortcut so intricate that there is no room to move
                self.shapes[name].y = y

    def _gap(self, shape: Shape) -> float:
        first = not any(n in self.ops for n in shape.op.inputs) or self.graph.split in shape.op.inputs
        if shape.op.lane in ("before", "residual") and first:
            return 42
        return 20 if shape.op.kind == "conv" or len(shape.op.inputs) > 1 else 10

    def _order(self) -> list[Op]:
        """As they run; but a gate's value turns to the spine before the gate's column goes on below it."""
        self.waits: dict[str, list[str]] = {}
        for name in self.shortcut:
            to_spine = [op.name for op in self.readers if name in op.inputs]
            own = [op for op in self.ops.values() if name in op.inputs and op.name in self.shortcut]
            for op in own:
                self.waits[op.name] = [r for r in to_spine if not self._depends(r, op.name)]
        order: list[Op] = []
        todo = list(self.ops.values())
        while todo:
            done = {op.name for op in order} | {"x"}
            ready = (op for op in todo if {*op.inputs, *self.waits.get(op.name, ())} <= done)
            order.append(next(ready))
            todo.remove(order[-1])
        return order

    def _depends(self, name: str, on: str) -> bool:
        return name == on or any(n in self.ops and self._depends(n, on) for n in self.ops[name].inputs)

    def _relax(self) -> None:
        """Moves what has room below it half of the way down, so that it stands in the middle of its arc."""
        side = [s for s in self.shapes.values() if s.column != "spine"]
        gates, arc = [s for s in side if s.column == "gate"], [s for s in side if s.column == "arc"]
        outward = [s for s in gates if self._reader(s, arc)]
        if outward:
            # A gate's last value goes straight across to the arc.
            self._sink(outward[-1:], self._reader(outward[-1], arc).y - outward[-1].y)
        if (
            outward
            and self.readers
            and not any(self._reader(s, [self.shapes[op.name] for op in self.readers]) for s in gates)
        ):
            room = self.shapes[self.readers[-1].name].y - RADIUS - max(s.bottom for s in side)
            self._sink(side, max(0, room / 2))
        upper = [s for s in gates if s not in outward]
        met = next((s for s in arc if any(n in self.shapes and n not in self.arc for n in s.op.inputs)), None)
        self._centre(upper, outward[0].top - 26 if outward else self.height)
        self._centre([s for s in arc if not met or s.y < met.y], met.top - 12 if met else self.height)

    def _reader(self, shape: Shape, among: list[Shape]) -> Shape | None:
        return next((s for s in among if shape.op.name in s.op.inputs), None)

    def _centre(self, run: list[Shape], limit: float) -> None:
        """Sinks a run of one column by half of the room that it has above `limit` and above what reads it."""
        if not run:
            return
        room = limit - run[-1].bottom
        names = {s.op.name for s in run}
        for reader in (s for s in self.shapes.values() if s.column != run[0].column and names & set(s.op.inputs)):
            lowest = max(s.bottom for s in run if s.op.name in reader.op.inputs)
            room = min(room, reader.y - RADIUS - lowest)
        if not self.readers:
            room = min(room, max(s.bottom for s in self.shapes.values()) - run[-1].bottom)
        self._sink(run, max(0, room / 2))

    @staticmethod
    def _sink(run: list[Shape], by: float) -> None:
        for shape in run:
            shape.y += by


def label_size(op: Op) -> float:
    return 16 if op.kind == "conv" and op.lane in ("before", "residual", "after") else 15

"""Drawings of blocks and nets: well-formed, without overlaps, and with what the modules have."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import pytest
import torch
from torch import nn

from reslab.figures.drawing import block_drawing
from reslab.figures.strip import net_strip
from reslab.figures.svg import accent
from reslab.nets import ORDERS, SHORTCUTS, Shortcut, anatomy, cifar_net
from reslab.nets.blocks import BLOCKS
from reslab.nets.graph import block_graph

SVG = "{http://www.w3.org/2000/svg}"
BLUE = "#0072b2"


class DependsOnData(Shortcut):
    def merge(self, x, fx):
        return fx + x if x.sum() > 0 else fx


class Interpolates(Shortcut):
    def build(self):
        self.gate = nn.Conv2d(self.in_channels, self.out_channels, 1, self.stride)

    def merge(self, x, fx):
        carried = self.identity(x)
        return carried + torch.sigmoid(self.gate(x)) * (fx - carried)


class IgnoresF(Shortcut):
    def merge(self, x, fx):
        return self.identity(x)


class Squeezes(Shortcut):
    def build(self):
        self.pool, self.conv = nn.AdaptiveAvgPool2d(1), nn.Conv2d(self.out_channels, self.out_channels, 1)

    def merge(self, x, fx):
        return fx * torch.sigmoid(self.conv(self.pool(fx))) + self.identity(x)


class OnlyGates(Shortcut):
    """Ignores F, reads x before and after a gate, and the gate's value twice."""

    def build(self):
        self.gate = nn.Conv2d(self.in_channels, self.out_channels, 1, self.stride)

    def merge(self, x, fx):
        g = torch.sigmoid(self.gate(1 - x))
        return (1 - g) * self.identity(x) * g


USERS = {cls.__name__: cls for cls in (DependsOnData, Interpolates, IgnoresF, OnlyGates, Squeezes)}


def make(block="basic", shortcut="A", stride=1, order="original"):
    kind = BLOCKS[block]
    cls = {**SHORTCUTS, **USERS}[shortcut] if isinstance(shortcut, str) else shortcut
    return kind(16 * kind.expansion, 16 * stride, stride, cls, order)


def draw(*args, **kwargs) -> ET.Element:
    return ET.fromstring(str(block_drawing(make(*args, **kwargs), BLUE, "a title")))


def boxes(root: ET.Element) -> dict[str, tuple[float, float, float, float]]:
    found = {}
    for group in root.iter(f"{SVG}g"):
        if (rect := group.find(f"{SVG}rect")) is not None:
            x, y, width, height = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
        else:
            circle = group.find(f"{SVG}circle")
            x, y, r = (float(circle.get(k)) for k in ("cx", "cy", "r"))
            x, y, width, height = x - r, y - r, 2 * r, 2 * r
        found[group.get("data-op")] = (x, y, x + width, y + height)
    return found


def arcs(root: ET.Element) -> list[ET.Element]:
    return [p for p in root.iter(f"{SVG}path") if "stroke-width:3.5" in p.get("style", "")]


VARIANTS = [(b, s, stride, "original") for b in BLOCKS for s in (*SHORTCUTS, *USERS) for stride in (1, 2)]
VARIANTS += [("bottleneck", s, stride, o) for o in ORDERS for s in ("B", "exclusive-gating") for stride in (1, 2)]


@pytest.mark.parametrize(("block", "shortcut", "stride", "order"), VARIANTS)
def test_every_operation_is_drawn_once_inside_the_picture_and_over_no_other(block, shortcut, stride, order):
    root = draw(block, shortcut, stride, order)
    places = boxes(root)
    assert list(places) and set(places) == {op.name for op in block_graph(make(block, shortcut, stride, order)).ops}
    width, height = map(float, root.get("viewBox").split()[2:])
    for x0, y0, x1, y1 in places.values():
        assert x0 >= 4 and y0 >= 4 and x1 <= width - 4 and y1 <= height - 4
    for (a, p), (b, q) in combinations(places.items(), 2):
        apart = p[2] + 4 <= q[0] or q[2] + 4 <= p[0] or p[3] + 4 <= q[1] or q[3] + 4 <= p[1]
        assert apart, f"{a} and {b} overlap"


@pytest.mark.parametrize(("block", "shortcut", "stride", "order"), VARIANTS)
def test_no_line_runs_through_a_box_that_it_does_not_belong_to(block, shortcut, stride, order):
    root = draw(block, shortcut, stride, order)
    on_shortcut = {op.name for op in block_graph(make(block, shortcut, stride, order)).lane("shortcut")}
    spine = {n: b for n, b in boxes(root).items() if n not in on_shortcut}
    for path in arcs(root):
        points = [tuple(map(float, p)) for p in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d"))]
        for (ax, ay), (bx, by) in pairwise(points):
            for name, (x0, y0, x1, y1) in spine.items():
                crosses = min(ax, bx) < x1 and max(ax, bx) > x0 and min(ay, by) < y1 and max(ay, by) > y0
                assert not crosses, f"the arc runs through {name}"


def test_solid_dashed_or_no_arc():
    (solid,), (dashed,) = arcs(draw()), arcs(draw(stride=2))
    assert "dasharray" not in solid.get("style") and "dasharray" in dashed.get("style")
    plain = draw(shortcut="none")
    assert arcs(plain) == [] and "no shortcut" in "".join(plain.itertext())
    assert "0072b2" not in "".join(p.get("style", "") for p in plain.iter(f"{SVG}path"))


def test_operations_stand_in_their_order_from_top_to_bottom():
    graph, places = block_graph(make("bottleneck", "B", 2)), boxes(draw("bottleneck", "B", 2))
    for lanes in (("residual", "after"), ("shortcut",)):
        tops = [places[op.name][1] for op in graph.lane(*lanes)]
        assert tops == sorted(tops)


@pytest.mark.parametrize("shortcut", ["none", "A", "C", "scaled", "rezero", "concat"])
def test_the_main_path_stands_still_while_the_shortcut_changes(shortcut):
    assert boxes(draw(shortcut=shortcut, stride=2))["conv1"] == boxes(draw(stride=2))["conv1"]


def test_it_says_in_a_sentence_what_is_drawn():
    root = draw(shortcut="B", stride=2)
    sentence = (
        "Block: 3×3 conv, 32, /2, BN, ReLU, 3×3 conv, 32, BN; shortcut: 1×1 conv, 32, /2, BN, dashed;"
        " merged by addition, then ReLU"
    )
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.find(f"{SVG}title").text == sentence
    assert "shortcut: identity, solid" in draw().get("aria-label")
    assert draw(shortcut="none").get("aria-label").endswith("no shortcut")


def test_what_cannot_be_traced_is_drawn_with_its_name_and_not_called_an_identity():
    root = draw(shortcut="DependsOnData")
    words = list(root.itertext())
    assert "DependsOnData" in words and "identity" not in words
    assert len(arcs(root)) == 1 and "identity" not in root.get("aria-label")


def test_names_are_escaped_and_text_is_large():
    odd = type("A<b>&\"'", (DependsOnData,), {})
    drawing = block_drawing(make(shortcut=odd), BLUE, "<script>")
    root = ET.fromstring(drawing.svg)
    assert "A<b>&\"'" in list(root.itertext()) and "<script>" in list(root.itertext())
    assert all(float(t.get("font-size")) >= 15 for t in root.iter(f"{SVG}text"))
    assert drawing._repr_html_() == str(drawing) == str(block_drawing(make(shortcut=odd), BLUE, "<script>"))


def test_a_dark_accent_is_drawn_towards_the_ink_of_the_theme():
    assert accent("#56b4e9") == "#56b4e9"
    assert "color-mix" in accent("#00304d") and "#00304d" in accent("#00304d")


def strip(depth: int, shortcut: str = "A", **kwargs) -> ET.Element:
    net = cifar_net(depth, shortcut, **kwargs)
    return ET.fromstring(str(net_strip(net, anatomy(net), BLUE)))


def cells(root: ET.Element) -> dict[str, ET.Element]:
    return {g.get("data-op"): g for g in root.iter(f"{SVG}g") if g.get("data-kind") == "block"}


@pytest.mark.parametrize("depth", [8, 20, 56, 110])
def test_a_strip_has_every_block_and_dashes_at_the_entries_of_stages_2_and_3(depth):
    net = cifar_net(depth)
    found = cells(strip(depth))
    assert list(found) == [n for n, _ in net.named_modules() if re.fullmatch(r"stage\d\.block\d+", n)]
    dashed = [n for n, g in found.items() if "dasharray" in g.find(f"{SVG}path").get("style")]
    assert dashed == ["stage2.block1", "stage3.block1"]


def test_a_strip_of_a_plain_net_has_no_arcs():
    assert all(g.find(f"{SVG}path") is None for g in cells(strip(20, "none")).values())


def test_sizes_in_a_strip_are_those_that_the_net_puts_out():
    words = list(strip(29, "B", width=8, block="bottleneck", num_classes=7).itertext())
    for size in ("3 × 32×32", "8 × 32×32", "32 × 32×32", "64 × 16×16", "128 × 8×8", "128", "7", "stage 2 · 3 blocks"):
        assert size in words


def test_a_strip_of_1202_layers_shows_both_ends_of_each_stage():
    root = strip(1202, width=1)
    found = cells(root)
    assert {"stage1.block1", "stage1.block200", "stage3.block200"} <= set(found) and len(found) < 60
    assert "stage 3 · 200 blocks" in list(root.itertext()) and "⋯" in list(root.itertext())
    widths = [float(g.find(f"{SVG}rect").get("width")) for g in found.values()]
    assert min(widths) >= 4


@pytest.mark.parametrize("depth", [8, 56, 1202])
def test_cells_of_a_strip_do_not_overlap_and_fit(depth):
    root = strip(depth, width=1)
    places = sorted(boxes(root).values())
    assert all(p[2] <= q[0] + 0.05 for p, q in pairwise(places))
    assert places[0][0] >= 0 and places[-1][2] <= float(root.get("viewBox").split()[2]) <= 1010

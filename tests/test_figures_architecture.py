"""Table 1, the bars of costs and the bars of layers, against the paper's table typed by hand."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise

import pytest
import torch

from reslab import imagenet_net
from reslab.figures import architecture_table, cost_bars, cost_table, error_table, stride_table
from reslab.figures.counting import BAR, RIGHT, count_drawing
from reslab.nets.counting import count_layers
from reslab.nets.family import NetCost, imagenet_family

BASIC = "[3×3, {0}; 3×3, {0}] × {1}"
BOTTLENECK = "[1×1, {0}; 3×3, {0}; 1×1, {2}] × {1}"
BLOCKS = {  # He et al. 2015, table 1
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


@pytest.fixture(scope="module")
def table():
    return architecture_table(imagenet_family(stride_on="1x1"))


@pytest.mark.parametrize("depth", BLOCKS)
def test_table_1_has_the_papers_blocks(table, depth):
    form = BASIC if depth < 50 else BOTTLENECK
    for number, times in enumerate(BLOCKS[depth]):
        width = 64 * 2**number
        assert table.cell(f"conv{number + 2}_x", f"{depth}-layer") == form.format(width, times, 4 * width)
    assert table.cell("conv1", f"{depth}-layer") == "7×7, 64, stride 2"
    assert table.cell("layers, counted", f"{depth}-layer") == str(depth)


def test_table_1_has_the_papers_sizes_and_flops(table):
    sizes = {name: size for name, size, _ in table.rows if size}
    assert list(sizes.values()) == ["112×112", "56×56", "56×56", "28×28", "14×14", "7×7", "1×1"]
    printed, measured = (
        [float(str(cell).split(" ")[0]) for cell in next(cells for name, _, cells in table.rows if name == row)]
        for row in ("FLOPs, as printed", "multiply-adds, measured")
    )
    assert printed == [1.8, 3.6, 3.8, 7.6, 11.3]
    assert measured == pytest.approx(printed, abs=0.07)


def test_table_1_follows_the_nets_and_not_a_template():
    with torch.device("meta"):
        small = imagenet_net(18, num_classes=10, width=8, stem="cifar")
    table = architecture_table({18: small}, size=32)
    assert table.cell("conv2_x", "18-layer") == "[3×3, 8; 3×3, 8] × 2"
    assert table.cell("conv1", "18-layer") == "3×3, 8, stride 1"
    assert table.cell("average pool, fc", "18-layer") == "64 → 10"
    assert [size for name, size, _ in table.rows if name == "conv5_x"] == ["4×4"]
    assert "max pool" not in str(table)


class Cells(HTMLParser):
    """The number of columns that each row of a page's table spans."""

    def __init__(self, page: str):
        super().__init__()
        self.rows: list[int] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append(0)
        elif tag in ("td", "th"):
            self.rows[-1] += int(dict(attributes).get("colspan", 1))


def test_html_joins_what_neighbours_share_and_fills_every_row(table):
    page = table._repr_html_()
    assert set(Cells(page).rows) == {7}
    conv4 = next(row for row in page.split("<tr>") if "conv4_x" in row)
    conv5 = next(row for row in page.split("<tr>") if "conv5_x" in row)
    assert conv4.count("</td>") == 6 and conv5.count("</td>") == 4  # 50, 101 and 152 differ in conv4_x, not in conv5_x


@pytest.mark.parametrize("depth", [18, 101, 152])
def test_every_layer_is_one_bar(depth):
    drawing = str(count_drawing(count_layers(imagenet_family()[depth]), "#005b42"))
    bars = [bar for bar in ET.fromstring(drawing).iter() if "data-layer" in bar.attrib]
    kinds = [bar.get("data-layer") for bar in bars]
    assert len(bars) == depth and kinds.count("7×7") == kinds.count("fc") == 1
    assert kinds.count("1×1") == (0 if depth == 18 else 2 * (depth - 2) // 3)
    rows = [group for group in ET.fromstring(drawing).iter() if len(group) and group[0].get("data-layer")]
    assert [len(row) for row in rows] == [part.layers for part in count_layers(imagenet_family()[depth]).parts]
    places = [[float(re.match(r"M(\S+) ", bar.get("d"))[1]) for bar in row] for row in rows[:-1]]
    assert all(b - a >= BAR for row in places for a, b in pairwise(row))  # none hides another
    width = float(re.search(r'viewBox="0 0 (\d+)', drawing)[1])
    assert max(max(row) for row in places) + BAR < width - RIGHT  # nor the numbers behind them


COSTS = [
    NetCost("plain-18", "plain", 18, 11_515_688, 1_794_805_760, 1.8),
    NetCost("ResNet-18", "residual", 18, 11_689_512, 1_814_073_344, 1.8, 11_689_512),
    NetCost("VGG-19", "vgg", 19, 143_667_240, 19_632_062_464, 19.6),
]


def test_bars_are_the_costs():
    figure = cost_bars(COSTS)
    adds, weights, printed = figure.data
    assert list(adds.x) == [1.79480576, 1.814073344, 19.632062464] and list(printed.x) == [1.8, 1.8, 19.6]
    assert list(weights.x) == [11.515688, 11.689512, 143.66724]
    assert list(adds.y) == list(weights.y) == [cost.name for cost in COSTS]
    assert len(set(adds.marker.color)) == 3


def test_tables_show_what_is_known():
    table = cost_table(COSTS)
    assert list(table[0])[3:] == ["torchvision's", "multiply-adds", "in the paper"]
    assert list(table[1].values())[1:4] == ["18", "11,689,512", "11,689,512"] and table[0]["torchvision's"] == ""
    assert list(cost_table([NetCost("x", "residual", 18, 5, 7)])[0]) == ["net", "layers", "parameters", "multiply-adds"]
    pair = NetCost("ResNet-50", "residual", 50, 9, 4_000_000_000, 3.8), NetCost("x", "residual", 50, 9, 5_000_000_000)
    assert list(stride_table([pair])[0].values())[3:] == ["+1.000 × 10⁹ (25.0 %)", "0", "3.8 × 10⁹"]


def test_errors_are_the_papers():
    rows = {row["layers"]: list(row.values())[1:] for row in error_table()}  # shared/FACTS.md, section 3
    assert rows == {
        "18": ["27.94", "27.88", "", ""],
        "34": ["28.54 / 10.02", "25.03 / 7.76", "24.52 / 7.46", "24.19 / 7.40"],
        "50": ["", "", "22.85 / 6.71", ""],
        "101": ["", "", "21.75 / 6.05", ""],
        "152": ["", "", "21.43 / 5.71", ""],
    }

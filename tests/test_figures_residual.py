"""The residual block's figures against numbers computed here."""

import base64
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from reslab.figures import (
    as_table,
    beside,
    block_drawing,
    block_weights,
    feature_maps,
    identity_curves,
    relative_change,
    sensitivity_curves,
)
from reslab.figures.maps import EDGE, NEGATIVE, POSITIVE
from reslab.figures.sensitivity import percent
from reslab.lessons.identity import Lesson
from reslab.nets import SHORTCUTS
from reslab.nets.blocks import BasicBlock
from reslab.probes import Sensitivity


def words(figure) -> str:
    return figure.layout.title.text + " ".join(note.text for note in figure.layout.annotations)


# The articles' example


def test_the_articles_example():
    figure = relative_change(5, 5.1, 5.2)
    h, f = figure.data
    assert list(h.x) == [5.1, 5.2] and list(f.x) == [0.1, 0.2] and list(f.text) == ["0.1", "0.2"]
    told = words(figure)
    assert "changes by 2.0 %" in told and "F changes by 100 %: 51 times as much" in told and "x = 5" in told


@pytest.mark.parametrize(
    ("before", "after", "expected"), [(5.1, 5.2, 100 / 51), (0.1, 0.2, 100), (-2, -1, 50), (2, 0, 100), (3, 3, 0)]
)
def test_percent(before, after, expected):
    assert percent(before, after) == pytest.approx(expected)


def test_a_change_from_zero_has_no_percentage():
    assert percent(0, 0.1) == math.inf
    told = words(relative_change(5, 5, 5.1))
    assert "F changes by infinitely many percent<" in told and "times" not in told
    told = words(relative_change(5, 5.1, 5.1))
    assert "F changes by 0.0 %<" in told and "times" not in told


# Sensitivities


def test_sensitivities_are_lines_block_by_block():
    trained = [Sensitivity("stage1.block1", 1.0, 0.5), Sensitivity("stage1.block2", 1.2, 0.4)]
    trained.append(Sensitivity("stage2.block1", 0.9, 0.9))
    fresh = [Sensitivity(block.name, 2 * block.of_f, block.of_h) for block in trained]
    figure = sensitivity_curves({"trained": trained, "fresh": fresh})
    lines = {(trace.meta["net"], trace.meta["kind"]): list(trace.y) for trace in figure.data}
    assert lines["trained", "F"] == [1.0, 1.2, 0.9] and lines["trained", "H"] == [0.5, 0.4, 0.9]
    assert lines["fresh", "F"] == [2.0, 2.4, 1.8]
    assert "trained: F changes 1.0 to 3.0 times as much as H" in figure.layout.title.text
    assert [note.text for note in figure.layout.annotations] == ["stage1", "stage2"]


# Weights


def test_the_chart_of_weights_has_the_papers_two_numbers():
    figure = block_weights(256, 64)
    basic, bottleneck = (trace for trace in figure.data if trace.meta["kind"] == "chosen")
    assert (basic.x, basic.y, bottleneck.y) == ((256,), (1_179_648,), (69_632,))
    assert "1,179,648 weights against 69,632, a factor of 16.94" in figure.layout.title.text
    lines = [trace for trace in figure.data if trace.meta["kind"] == "line"]
    for trace, factor in zip(lines, (18, 17 / 16), strict=True):
        assert list(trace.y) == [factor * count**2 for count in trace.x] and 2048 in trace.x


def test_the_lines_keep_the_share_inside():
    figure = block_weights(1000, 50)
    bottleneck = [trace for trace in figure.data if trace.meta["kind"] == "line"][1]
    assert list(bottleneck.x) == [1000]  # none of the round numbers is a multiple of 20
    assert bottleneck.y[0] == 2 * 1000 * 50 + 9 * 50**2


# The lesson


def test_curves_of_the_lesson_are_medians_with_a_band():
    random = np.random.default_rng(0)
    lessons = [Lesson(s, seed, *random.uniform(0.01, 1, (2, 5))) for seed in (0, 1, 2) for s in ("none", "A")]
    figure = identity_curves(lessons)
    for shortcut in ("none", "A"):
        mine = np.stack([lesson.residual for lesson in lessons if lesson.shortcut == shortcut])
        traces = {
            t.meta["kind"]: t for t in figure.data if t.meta["shortcut"] == shortcut and t.meta["what"] != "distance"
        }
        np.testing.assert_allclose(traces["median"].y, np.sort(mine, 0)[1])
        np.testing.assert_allclose(traces["band"].y, [*mine.max(0), *mine.min(0)[::-1]])
    assert "n = 3 seeds" in figure.layout.title.text and figure.layout.yaxis.type == "log"


def test_what_reaches_the_identity_stays_on_the_logarithmic_axis():
    figure = identity_curves([Lesson("A", 0, np.array([1.0, 0.0]), np.array([1.0, 0.0]))])
    assert all(min(trace.y) == 1e-7 for trace in figure.data)


# Maps


def pixels(figure) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(figure.data[0].source.split(",")[1]))))


def test_maps_show_sign_and_size_and_frame_what_is_empty():
    maps = torch.zeros(3, 2, 2)
    maps[1, 0, 0], maps[2, 1, 1] = 4.0, -2.0
    sheet = pixels(feature_maps({"x": maps, "half": maps[:, :1, :1]}))
    scale = 900 // 8 - 6
    scale //= 2  # pixels of the map: two of them side by side
    across = 2 * scale + 2 + 6
    top = 40 + 1  # under the name, inside the frame
    assert tuple(sheet[40, 0]) == EDGE and tuple(sheet[top, 1]) == (255, 255, 255)
    assert tuple(sheet[top, across + 1]) == POSITIVE
    half = tuple(round(255 + (end - 255) / 2) for end in NEGATIVE)
    assert np.allclose(sheet[top + 2 * scale - 1, 2 * across + 2 * scale], half, atol=1)


def test_a_picture_keeps_its_colours():
    picture = torch.tensor([[[10]], [[200]], [[30]]], dtype=torch.uint8)
    sheet = pixels(feature_maps({"picture": picture, "x": torch.ones(1, 1, 1)}))
    assert tuple(sheet[41, 1]) == (10, 200, 30)


@pytest.mark.parametrize("rows", [{}, {"x": torch.zeros(2, 2)}])
def test_maps_of_other_shapes_are_refused(rows):
    with pytest.raises(ValueError, match=r"allowed: at least one, each \[C, H, W\]"):
        feature_maps(rows)


# Small things


def test_drawings_stand_side_by_side():
    block = BasicBlock(4, 4, 1, SHORTCUTS["A"])
    drawings = [block_drawing(block, "#0072b2", title) for title in ("one", "two")]
    page = beside(*drawings)._repr_html_()
    assert page.count("<svg") == 2 and page.index("one") < page.index("two") and "display:flex" in page


def test_a_table_is_markdown():
    table = as_table([{"net": "a|b", "error": 1.5}, {"net": "c", "error": None}])
    assert str(table).splitlines() == ["| net | error |", "| :--- | ---: |", "| a\\|b | 1.5 |", "| c | None |"]
    assert table._repr_markdown_() == str(table) == repr(table) and table[0]["error"] == "1.5"
    for rows in ([], [{"a": 1}, {"b": 1}]):
        with pytest.raises(ValueError, match="at least one row, and the same columns"):
            as_table(rows)

"""The lesions' figures against the numbers that they were given."""

import numpy as np
import pytest

from reslab import RunConfig
from reslab.figures import lesion_bars, lesion_curves, net_colour, net_label
from reslab.probes import Damage, Lesion, SingleLesions

BLOCKS = [f"stage{stage}.block{block}" for stage in (1, 2, 3) for block in (1, 2)]
PLAIN = SingleLesions(20.0, tuple(Lesion(name, 80.0 + i) for i, name in enumerate(BLOCKS)), 90.0)
RESIDUAL = SingleLesions(12.0, tuple(Lesion(name, 13.0 + i) for i, name in enumerate(BLOCKS)), 90.0)
SHORT = SingleLesions(10.0, tuple(Lesion(name, 50.0) for name in BLOCKS[::2]), 90.0)
A, B, C = (RunConfig(depth=d, shortcut=s) for d, s in ((14, "none"), (14, "A"), (8, "A")))
NETS = {A: PLAIN, B: RESIDUAL}
DAMAGES = [Damage(0, (12.0,), (1.0,)), Damage(2, (20.0, 40.0), (0.9, 0.7)), Damage(4, (70.0, 99.0), (0.6, 0.4))]


def traces(figure, **meta):
    return [trace for trace in figure.data if meta.items() <= trace.meta.items()]


def lines(figure) -> list[float]:
    """Heights of the horizontal lines."""
    return [shape.y0 for shape in figure.layout.shapes if shape.y0 == shape.y1]


def test_bars_are_the_errors_and_lines_the_whole_nets_and_guessing():
    figure = lesion_bars(NETS)
    for (config, net), bars in zip(NETS.items(), figure.data, strict=True):
        assert (bars.name, list(bars.y)) == (net_label(config), [block.error for block in net.blocks])
        assert list(bars.customdata) == BLOCKS and bars.marker.color == net_colour(config)
        assert [bool(shape) for shape in bars.marker.pattern.shape] == [False, False, True, False, True, False]
    assert sorted(lines(figure)) == [12, 20, 90] and figure.layout.barmode == "group"
    told = [note.text for note in figure.layout.annotations]
    assert {"20.0 %", "12.0 %", "guessing", "stage1", "stage2", "stage3"} <= set(told)


def test_nets_of_other_blocks_get_a_row_of_their_own():
    figure = lesion_bars(NETS | {C: SHORT})
    assert [bars.xaxis for bars in figure.data] == ["x", "x", "x2"]
    assert figure.layout.height > lesion_bars(NETS).layout.height and sorted(lines(figure)) == [10, 12, 20, 90, 90]


def test_numbers_at_the_side_do_not_cover_each_other():
    close = {A: PLAIN, B: SingleLesions(20.5, PLAIN.blocks, 90.0)}
    notes = {note.text: note.y for note in lesion_bars(close).layout.annotations}
    assert abs(notes["20.0 %"] - notes["20.5 %"]) > 8 and sorted(lines(lesion_bars(close))) == [20, 20.5, 90]


def test_curves_are_the_mean_over_draws_with_a_band():
    figure = lesion_curves({B: DAMAGES})
    (mean,), (band,) = traces(figure, kind="mean"), traces(figure, kind="band")
    assert list(mean.x) == [0, 2, 4] and list(mean.y) == [12, 30, 84.5]
    spread = [0, np.std([20, 40], ddof=1), np.std([70, 99], ddof=1)]
    high = [12, 30 + spread[1], 100]  # no error is larger
    np.testing.assert_allclose(band.y, [*high, 84.5 - spread[2], 30 - spread[1], 12])
    (draws,) = traces(figure, kind="draws")
    assert list(zip(draws.x, draws.y, strict=True)) == [(0, 12), (2, 20), (2, 40), (4, 70), (4, 99)]
    assert "each of 2 random draws" in figure.layout.title.text and lines(figure) == [90]


def test_reorderings_stand_beside_against_kendalls_tau_from_one_downwards():
    figure = lesion_curves({A: DAMAGES, B: DAMAGES}, {B: DAMAGES}, chance=75.0)
    (mean,) = traces(figure, kind="mean", graph="order")
    assert list(mean.x) == pytest.approx([1, 0.8, 0.5]) and list(mean.y) == [12, 30, 84.5]
    (draws,) = traces(figure, kind="draws", graph="order")
    assert list(draws.x) == [1.0, 0.9, 0.7, 0.6, 0.4] and not traces(figure, kind="band", graph="order")
    assert figure.layout.xaxis2.autorange == "reversed" and lines(figure) == [75, 75]
    assert [trace.name for trace in figure.data if trace.showlegend is not False] == ["plain-14", "ResNet-14"]


def test_without_lesions_there_is_a_sentence():
    for figure in (lesion_bars({}), lesion_curves({})):
        assert "No lesions yet" in figure.layout.annotations[0].text

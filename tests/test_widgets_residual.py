"""The residual block's sliders, moved as a hand would, without a browser."""

import pytest

from reslab.widgets import RelativeChange, TwoBlocks


def title(panel) -> str:
    return panel.plot.figure["layout"]["title"]["text"]


def test_moving_x_or_h_changes_the_figure():
    panel = RelativeChange(live=True)
    assert "F changes by 100 %: 51 times as much" in title(panel)
    panel.controls["x"].value = 5.0999999999999996
    assert "infinitely many" in title(panel)
    panel.controls["x"].value = 0
    assert "F changes by 2.0 %, as much as H" in title(panel)
    panel.controls["after"].value = 10.2  # beyond the slider's end: it stops there
    assert panel.values == dict(x=0, before=5.1, after=10)


def test_values_beyond_ten_fit_the_sliders():
    assert RelativeChange(x=50, before=51, after=52, live=True).controls["x"].max == 52


def test_the_share_inside_stays_until_it_is_moved():
    panel = TwoBlocks(live=True)
    assert "a factor of 16.94" in title(panel)
    panel.controls["outer"].value = 1024
    assert panel.controls["inner"].value == 256 == panel.pair.inner and "a factor of 16.94" in title(panel)
    panel.controls["inner"].value = 64
    assert (panel.pair.outer, panel.pair.inner) == (1024, 64)
    assert "1,024 channels, 64 inside the bottleneck" in title(panel)
    panel.controls["outer"].value = 16
    assert panel.controls["inner"].value == 1 and max(panel.controls["inner"].options) == 16


def test_the_drawings_follow():
    panel = TwoBlocks(live=True)
    panel.controls["outer"].value = 512
    drawn = panel._drawing.value
    assert "3×3 conv, 512" in drawn and "1×1 conv, 128" in drawn and "bottleneck: 278,528 weights" in drawn


def test_unusual_channels_are_among_the_options():
    panel = TwoBlocks(300, 75, live=True)
    assert panel.controls["outer"].value == 300 and panel.controls["inner"].value == 75
    with pytest.raises(ValueError, match="multiple"):
        TwoBlocks(300, 64, live=True)


@pytest.mark.parametrize(
    ("panel", "told"), [(RelativeChange, "sliders for x and for both"), (TwoBlocks, "sliders for the channels of x")]
)
def test_without_a_front_end_there_is_the_figure_and_a_sentence(panel, told):
    made = panel(live=False)
    figure, note = made.still()
    assert figure == made.figure and told in note.data and not hasattr(made, "widget")
    assert ("<svg" in note.data) == (panel is TwoBlocks)

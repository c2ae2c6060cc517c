"""The score's slider, moved as a hand would, without a browser."""

import pytest

from reslab.detection.matching import trade
from reslab.figures import detected_boxes, trade_curves
from reslab.widgets import Detections

from .detection_fixtures import CLASSES, PLAIN, RESIDUAL, picture, random_case

FOUND, TARGETS = random_case(1, pictures=6)
OTHER, _ = random_case(2, pictures=6)
PICTURES = [picture(96, seed) for seed in range(6)]
NETS = {PLAIN: FOUND, RESIDUAL: OTHER}


def panel(**options):
    return Detections(PICTURES, NETS, TARGETS, CLASSES, **options)


def drawn(score: float, first: int = 0):
    few = slice(first, first + 4)
    found = {net: its[few] for net, its in NETS.items()}
    return detected_boxes(PICTURES[few], found, TARGETS[few], CLASSES, score).data


def title(shown, plot: str) -> str:
    return shown.plots[plot].figure["layout"]["title"]["text"]


def test_moving_the_score_changes_boxes_and_trade():
    shown = panel(live=True)
    assert shown.boxes.data == drawn(0.5) and "at least 0.50" in title(shown, "boxes")
    shown.controls["score"].value = 0.8
    assert shown.boxes.data == drawn(0.8) and "at least 0.80" in title(shown, "boxes")
    trades = {net: trade(its, TARGETS) for net, its in NETS.items()}
    assert shown.trade == trade_curves(trades, 0.8) and "at a score of 0.80" in title(shown, "trade")


def test_other_pictures_have_the_same_trade():
    shown = panel(live=True)
    before = shown.plots["trade"].figure
    assert shown.controls["first"].max == 3
    shown.controls["first"].value = 3
    assert shown.boxes.data == drawn(0.5, 2) and shown.plots["trade"].figure is before


def test_sliders_wait_until_they_rest():
    assert not any(control.continuous_update for control in panel(live=True).controls.values())


def test_a_score_to_begin_with():
    assert "at least 0.20" in title(panel(score=0.2, live=True), "boxes")


def test_few_pictures_need_no_way_on():
    shown = Detections(PICTURES[:2], {PLAIN: FOUND[:2]}, TARGETS[:2], CLASSES, live=True)
    assert shown.controls["first"].max == 1 and len(shown.boxes.layout.images) == 2


def test_without_a_front_end_a_low_and_a_high_score_stand_there():
    made = panel(live=False)
    low, high, trades, hint = made.still()
    assert (low.data, high.data) == (drawn(0.2), drawn(0.8))
    assert trades == trade_curves(made.trades) and "In JupyterLab" in hint.data and not hasattr(made, "widget")


def test_without_pictures_there_is_a_sentence():
    with pytest.raises(ValueError, match="no picture"):
        Detections([], {PLAIN: []}, [], CLASSES, live=False)

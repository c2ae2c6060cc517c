"""Which detections are right, by hand and against pycocotools."""

import numpy as np
import pytest
import torch

from reslab.detection.matching import matched, trade
from reslab.detection.metrics import precision_recall

from .detection_fixtures import CLASSES, boxes, random_case, target

DISK, SQUARE = 1, 2


def test_the_surest_box_on_an_object_finds_it_and_a_second_one_is_wrong():
    there = target((0, 0, 20, 20, DISK), (50, 50, 70, 70, SQUARE))
    found = boxes((1, 1, 21, 21, DISK, 0.6), (0, 0, 20, 20, DISK, 0.5), (50, 50, 70, 70, DISK, 0.9))
    matching = matched(found, there)
    assert matching.right.tolist() == [True, False, False] and matching.by.tolist() == [0, -1]
    assert matching.missed(torch.tensor([True, True, True])).tolist() == [False, True]
    assert matching.missed(torch.tensor([False, True, True])).tolist() == [True, True]


def test_a_box_finds_the_free_object_that_it_overlaps_most():
    there = target((0, 0, 20, 20, DISK), (4, 0, 24, 20, DISK))
    found = boxes((1, 0, 21, 20, DISK, 0.9), (1, 0, 21, 20, DISK, 0.8), (1, 0, 21, 20, DISK, 0.7))
    matching = matched(found, there)
    assert matching.by.tolist() == [0, 1] and matching.right.tolist() == [True, True, False]


@pytest.mark.parametrize(("shift", "right"), [(6, True), (7, False)])
def test_half_is_enough(shift, right):
    """Of 20 pixels shifted by 6, 14 are shared by 26: 0.54; by 7, 13 by 27: 0.48."""
    matching = matched(boxes((shift, 0, 20 + shift, 20, DISK, 0.9)), target((0, 0, 20, 20, DISK)))
    assert matching.right.tolist() == [right]


def test_a_difficult_object_is_neither_wanted_nor_held_against_its_finders():
    there = target((0, 0, 20, 20, DISK), (50, 50, 70, 70, DISK), difficult=(0,))
    found = boxes((0, 0, 20, 20, DISK, 0.9), (1, 0, 21, 20, DISK, 0.8), (30, 30, 40, 40, DISK, 0.7))
    matching = matched(found, there)
    assert matching.ignored.tolist() == [True, True, False] and not matching.right.any()
    assert matching.missed(torch.tensor([True] * 3)).tolist() == [False, True]
    made = trade([found], [there])
    assert made.objects == 1 and made.at(0.0) == (0, 1, 1)


def test_the_trade_by_hand():
    """Two pictures, three objects: right 0.9, wrong 0.8, right 0.6, wrong 0.3."""
    there = [target((0, 0, 20, 20, DISK), (50, 0, 70, 20, SQUARE)), target((0, 0, 30, 30, DISK))]
    found = [boxes((0, 0, 20, 20, DISK, 0.6), (50, 0, 70, 20, DISK, 0.8)), boxes((60, 60, 80, 80, DISK, 0.3))]
    found[1] = boxes((60, 60, 80, 80, DISK, 0.3), (0, 0, 30, 30, DISK, 0.9))
    made = trade(found, there)
    assert made.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4])
    assert made.recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    at = {threshold: made.at(threshold) for threshold in (0.95, 0.9, 0.7, 0.5, 0.1)}
    assert at == {0.95: (0, 0, 3), 0.9: (1, 0, 2), 0.7: (1, 1, 2), 0.5: (2, 1, 1), 0.1: (2, 2, 1)}


@pytest.mark.parametrize("difficult", [0.0, 0.4])
def test_the_trade_of_a_class_is_the_curve_that_pycocotools_draws(difficult):
    found, targets = random_case(1, difficult=difficult)
    curves = precision_recall([vars(each) for each in found], targets, CLASSES)
    for label, name in enumerate(CLASSES, 1):
        of = [boxes(*_rows(each, each.labels == label)) for each in found]
        there = [{key: value[each["labels"] == label] for key, value in each.items()} for each in targets]
        made = trade(of, there)
        right = made.right.double().cumsum(0).numpy()
        precision, recall = right / np.arange(1, len(right) + 1), right / made.objects
        low, high = (  # a recall that is a step but for rounding may count as reached or not
            np.array([max(precision[recall >= step + by], default=0.0) for step in np.linspace(0, 1, 101)])
            for by in (1e-6, -1e-6)
        )
        drawn = curves[name].precision.numpy()
        assert (low - 1e-6 <= drawn).all() and (drawn <= high + 1e-6).all() and (low == high).mean() > 0.9


def _rows(found, which):
    table = torch.cat([found.boxes, found.labels[:, None], found.scores[:, None]], 1)
    return [tuple(row) for row in table[which].tolist()]


def test_nothing_found_and_nothing_there():
    matching = matched(boxes(), target())
    assert len(matching.right) == len(matching.by) == 0
    made = trade([boxes()], [target((0, 0, 9, 9, DISK))])
    assert made.at(0.5) == (0, 0, 1) and len(made.precision) == 0
    with pytest.raises(ValueError, match="no picture"):
        trade([], [])

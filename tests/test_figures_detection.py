"""Detection's figures against the boxes and numbers that they were given."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from reslab import RunConfig, RunStore
from reslab.detection.matching import trade
from reslab.detection.metrics import precision_recall
from reslab.figures import (
    detected_boxes,
    detection_curves,
    detection_table,
    net_colour,
    precision_recall_curves,
    proposed_boxes,
    roi_maps,
    trade_curves,
)
from reslab.figures.boxes import Pen, Sheet

from .detection_fixtures import CLASSES, PLAIN, RESIDUAL, boxes, picture, random_case, target

DISK, SQUARE, STAR = 1, 2, 3
THERE = [target((10, 10, 40, 40, DISK), (50, 50, 90, 90, STAR)), target((20, 20, 60, 50, SQUARE))]
FOUND = [
    boxes((12, 10, 40, 42, DISK, 0.9), (50, 52, 90, 90, SQUARE, 0.7), (60, 0, 90, 20, DISK, 0.3)),
    boxes((20, 22, 60, 50, SQUARE, 0.6)),
]
PICTURES = [picture(96, 0), picture(96, 1)]


def of(figure, **meta):
    return [trace for trace in figure.data if trace.meta and meta.items() <= trace.meta.items()]


def count(figure, kind: str) -> int:
    """Boxes of a kind: each is five points and a gap."""
    return sum(len(trace.x) for trace in of(figure, kind=kind)) // 6


def names(figure) -> list[str]:
    return [name for trace in of(figure, kind="names") for name in trace.text]


@pytest.mark.parametrize(
    ("threshold", "right", "wrong", "missed"), [(0.1, 2, 2, 1), (0.5, 2, 1, 1), (0.65, 1, 1, 2), (0.95, 0, 0, 3)]
)
def test_boxes_are_right_or_wrong_and_objects_missed(threshold, right, wrong, missed):
    figure = detected_boxes(PICTURES, {RESIDUAL: FOUND}, THERE, CLASSES, threshold)
    assert [count(figure, kind) for kind in ("right", "wrong", "missed")] == [right, wrong, missed]
    told = [note.text for note in figure.layout.annotations]
    assert told == [f"<b>ResNet-18</b>: {right} right, {wrong} wrong, {missed} missed"]
    assert f"at least {threshold:.2f}" in figure.layout.title.text


def test_names_say_class_score_and_verdict():
    assert sorted(names(detected_boxes(PICTURES, {PLAIN: FOUND}, THERE, CLASSES, 0.5))) == [
        "✓ disk 0.90",
        "✓ square 0.60",
        "✗ square 0.70",
    ]


def test_each_net_has_a_row_and_the_legend_one_entry_a_kind():
    figure = detected_boxes(PICTURES, {PLAIN: FOUND, RESIDUAL: FOUND}, THERE, CLASSES)
    assert len(figure.layout.images) == 4 and count(figure, "right") == 4
    tops = [image.y for image in figure.layout.images]
    assert tops[0] == tops[1] < tops[2] == tops[3]
    assert sorted(trace.name for trace in figure.data if trace.showlegend is not False) == ["missed", "right", "wrong"]


def test_more_pictures_than_a_row_holds_go_on_in_the_next():
    many = detected_boxes(PICTURES * 3, {PLAIN: FOUND * 3}, THERE * 3, CLASSES)
    assert [(image.x > 0, image.y > 200) for image in many.layout.images] == [
        (False, False),
        *[(True, False)] * 3,
        (False, True),
        (True, True),
    ]


def test_the_pictures_are_those_that_were_given():
    plain = torch.zeros(3, 40, 80, dtype=torch.uint8)
    plain[0], plain[2] = 200, 90
    (image,) = detected_boxes([plain], {PLAIN: [boxes()]}, [target()], CLASSES).layout.images
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(image.source.partition(",")[2]))), dtype=int)
    assert shown.shape == (40, 80, 3) and abs(shown - [200, 0, 90]).max() < 6  # JPEG
    assert image.sizex == 2 * image.sizey


def test_a_box_lies_where_it_lies_in_the_picture():
    sheet = Sheet()
    spot = sheet.place(picture(50), 100, 30, 200)  # four times as large
    sheet.draw(Pen("mine", "#112233"), 0, spot, torch.tensor([[5.0, 10, 15, 20]]))
    (drawn,) = of(sheet.finished("title", "told"), kind="mine")
    assert list(drawn.x)[:4] == [120, 160, 160, 120] and list(drawn.y)[:4] == [70, 70, 110, 110]


def test_names_lie_in_the_picture_and_not_on_each_other():
    crowd = boxes(*((x, y, x + 30, y + 30, STAR, 0.9 - x / 1000) for x in (0, 3, 62) for y in (0, 64)))
    figure = detected_boxes(PICTURES[:1], {PLAIN: [crowd]}, [target()], CLASSES, 0.5)
    places = [(x, y) for trace in of(figure, kind="names") for x, y in zip(trace.x, trace.y, strict=True)]
    (image,) = figure.layout.images
    assert len(places) == 6 and all(image.y < y <= image.y + image.sizey for _, y in places)
    assert all(x >= image.x - 2 for x, _ in places)
    wide = 7.6 * len("✗ star 0.90")
    for i, (x, y) in enumerate(places):
        assert all(abs(x - a) >= wide or abs(y - b) >= 15 for a, b in places[:i])


def test_nothing_to_draw_is_a_sentence():
    for pictures, found in (([], {PLAIN: []}), (PICTURES, {})):
        with pytest.raises(ValueError, match="nothing to draw"):
            detected_boxes(pictures, found, THERE, CLASSES)
    with pytest.raises(ValueError, match="no box"):
        roi_maps(PICTURES[0], {})
    for figure in (trade_curves({}), precision_recall_curves({}), detection_curves([])):
        assert "yet" in figure.layout.annotations[0].text


def test_proposals_cover_more_objects_the_more_there_are():
    there = THERE[0]
    best_first = [(80, 0, 95, 15), (11, 10, 40, 40), (0, 80, 20, 95), (52, 50, 90, 90), (50, 50, 90, 90)]
    its = boxes(*((*box, 1, 0.9 - i / 10) for i, box in enumerate(best_first)))
    shuffled = [3, 0, 4, 1, 2]
    its.boxes, its.scores = its.boxes[shuffled], its.scores[shuffled]
    figure = proposed_boxes(PICTURES[0], {PLAIN: its}, there, counts=(1, 2, 100))
    told = [note.text for note in figure.layout.annotations]
    assert told == ["<b>plain-18</b>, best 1: 0 of 2 covered", "best 2: 1 of 2 covered", "best 5: 2 of 2 covered"]
    (best,), (rest,), (missed,) = (
        of(figure, kind=kind) for kind in ("the best on an object", "another proposal", "an object that none covers")
    )
    assert sorted(best.meta["pictures"]) == [1, 2, 2] and sorted(missed.meta["pictures"]) == [0, 0, 1]
    assert sorted(rest.meta["pictures"]) == [0, 1, 2, 2, 2]


def test_the_maps_of_boxes_share_a_scale():
    maps = torch.zeros(2, 8, 14, 14)
    maps[0, 3], maps[1, 3, 2, 5], maps[:, 5] = 1.0, 4.0, 0.5
    boxes_ = {"disk": ((10, 10, 40, 40), maps[0]), "ground": ((50, 0, 90, 20), maps[1])}
    figure = roi_maps(PICTURES[0], boxes_)
    assert "14×14" in figure.layout.title.text and "channels 3, 5, " in figure.layout.title.text
    told = [note.text for note in figure.layout.annotations]
    assert told[1:] == ["<b>disk</b>: 30×30 pixels", "<b>ground</b>: 40×20 pixels"]
    first, second = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(image.source.partition(",")[2]))), dtype=int)
        for image in figure.layout.images[1:]
    )
    cell = 82 / 14
    dark, quarter, white = second[int(2.5 * cell) + 1, int(5.5 * cell) + 1], first[41, 41], second[41, 41]
    assert dark.tolist() == [0, 48, 77] and white.tolist() == [255] * 3
    assert quarter.tolist() == [round(255 + (end - 255) / 4) for end in (0, 48, 77)]


def test_the_trade_has_a_point_where_the_threshold_is():
    found, targets = random_case(3)
    made = trade(found, targets)
    figure = trade_curves({PLAIN: made, RESIDUAL: made}, 0.7)
    (chosen,) = of(figure, net="ResNet-18", kind="chosen")
    right, wrong, missed = made.at(0.7)
    assert list(chosen.x) == [right / (right + missed)] and list(chosen.y) == [right / (right + wrong)]
    assert chosen.marker.color == net_colour(RESIDUAL)
    (curve,) = of(figure, net="plain-18", kind="curve")
    assert np.isclose(curve.x, chosen.x[0]).any() and (np.diff(curve.x) > 0).all() and len(curve.x) <= 200
    assert not of(trade_curves({PLAIN: made}, 1.01), kind="chosen")


def test_a_line_of_an_f_score_has_that_harmonic_mean():
    for line in of(trade_curves({PLAIN: trade(*random_case(3))}), kind="F"):
        means = 2 * np.array(line.x) * line.y / (np.array(line.x) + line.y)
        np.testing.assert_allclose(means, means[0])


def test_a_panel_a_class_with_its_average_precision():
    found, targets = random_case(4)
    curves = precision_recall([vars(each) for each in found], targets, CLASSES)
    figure = precision_recall_curves({PLAIN: curves, RESIDUAL: {"star": curves["star"]}})
    assert [trace.meta["name"] for trace in of(figure, net="plain-18")] == list(curves)
    assert [trace.meta["name"] for trace in of(figure, net="ResNet-18")] == ["star"]
    told = {note.text for note in figure.layout.annotations}
    assert {f"{curve.average:.1f}" for curve in curves.values()} | {f"<b>{name}</b>" for name in CLASSES} <= told
    mean = sum(curve.average for curve in curves.values()) / 3
    assert f"plain-18 {mean:.1f}, ResNet-18 {curves['star'].average:.1f}" in figure.layout.title.text
    assert [trace.showlegend for trace in figure.data] == [True, False, False, True]


@pytest.fixture
def runs(tmp_path):
    """Two seeds of a plain net and one of its twin, at mAP@.5 of 40, 44 and 60."""
    made = []
    for shortcut, seed, map50 in (("none", 0, 40.0), ("none", 1, 44.0), ("A", 0, 60.0)):
        run = RunStore(tmp_path).create(RunConfig(18, shortcut, "smoke", seed, task="detection"))
        row = dict(epoch=1.0, lr=0.1, train_loss=2.0, train_error=9.0, seconds=1.0, images_per_second=1.0)
        rows = [
            row | dict(iteration=i, test_loss=3.0 / i, test_error=100 - map50, map50=map50 * i / 4, map=map50 * i / 8)
            for i in (2, 4)
        ]
        run.write_metrics(rows)
        made.append(run)
    return made


def test_curves_are_the_columns_of_the_runs(runs):
    figure = detection_curves(runs)
    (mean,) = of(figure, net="plain-18", what="map50", kind="mean")
    assert list(mean.x) == [2, 4] and list(mean.y) == [21, 42] and mean.xaxis == "x2"
    (loss,) = of(figure, net="ResNet-18", what="test_loss", kind="mean")
    assert list(loss.y) == [1.5, 0.75] and loss.xaxis == "x" and loss.line.color == net_colour(RESIDUAL)
    (band,) = of(figure, net="plain-18", what="map50", kind="band")
    assert band.y[1] == pytest.approx(42 + 8**0.5) and not of(figure, net="ResNet-18", kind="band")
    assert "plain-18 42.0 / 21.0, ResNet-18 60.0 / 30.0" in figure.layout.title.text
    assert [trace.name for trace in figure.data if trace.showlegend] == ["plain-18", "ResNet-18"]


def test_the_papers_tables_stand_beside_ours_as_what_they_are(runs):
    """shared/FACTS.md, section 3: P15 tables 7 and 8."""
    rows = detection_table(runs)
    printed = [(row["tested on"], row["measure"], row["percent"], row["gain"]) for row in rows[:4]]
    assert printed == [
        ("VOC 07 test", "mAP@.5", "73.2 → 76.4", "+3.2"),
        ("VOC 12 test", "mAP@.5", "70.4 → 73.8", "+3.4"),
        ("COCO val", "mAP@.5", "41.5 → 48.4", "+6.9"),
        ("COCO val", "mAP@[.5,.95]", "21.2 → 27.2", "+6.0"),
    ]
    assert all("VGG-16 → ResNet-101" in row["nets"] and "ImageNet" in row["trained on"] for row in rows[:4])
    ours, strict = rows[4:]
    assert ours["nets"] == "plain-18 (n = 2) → ResNet-18 (n = 1)" and "scenes, smoke" in ours["trained on"]
    assert (ours["percent"], ours["gain"]) == ("42.0 ± 2.8 → 60.0", "+18.0")
    assert (strict["measure"], strict["percent"]) == ("mAP@[.5,.95]", "21.0 ± 1.4 → 30.0")


def test_a_net_without_a_twin_stands_alone_and_an_unfinished_one_not_at_all(runs):
    runs[2].write_metrics(runs[2].metrics[:1])
    assert [(row["nets"], row["gain"]) for row in detection_table(runs)[4:]] == [("plain-18 (n = 2)", "")] * 2
    assert len(detection_table()) == 4


def test_a_run_of_another_task_is_named(tmp_path):
    run = RunStore(tmp_path).create(RunConfig(8, "A", "smoke"))
    names = ["epoch", "lr", "train_loss", "train_error", "test_loss", "test_error", "seconds", "images_per_second"]
    run.write_metrics([dict.fromkeys(names, 1.0) | dict(iteration=12)])
    for figure in (detection_curves, detection_table):
        with pytest.raises(ValueError, match="ResNet-8 was trained for classification"):
            figure([run])

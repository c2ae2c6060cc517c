"""Average precision against examples counted by hand, and against VOC's way of matching written down plainly."""

import pytest
import torch

from reslab.detection.metrics import mean_average_precision, precision_recall

CLASSES = ("cat", "dog")
NOTHING = dict(boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long), scores=torch.zeros(0))


def found(*boxes: tuple[tuple[float, ...], int, float]) -> dict[str, torch.Tensor]:
    places, labels, scores = zip(*boxes, strict=True)
    return dict(boxes=torch.tensor(places).float(), labels=torch.tensor(labels), scores=torch.tensor(scores))


def wanted(*boxes: tuple[tuple[float, ...], int], difficult: tuple[int, ...] = ()) -> dict[str, torch.Tensor]:
    places, labels = zip(*boxes, strict=True)
    hard = torch.tensor([index in difficult for index in range(len(labels))])
    return dict(boxes=torch.tensor(places).float(), labels=torch.tensor(labels), difficult=hard)


def test_an_example_counted_by_hand():
    """Three cats and, by falling score: right, wrong, right. Precision is 1 up to a recall of 1/3, then 2/3 up to 2/3,
    then 0. Of the 101 recalls 34 are up to 1/3 and 33 more up to 2/3.
    """
    a, b, c, nowhere = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10), (70, 70, 90, 90)
    detections = [found((a, 1, 0.9), (nowhere, 1, 0.8)), found((b, 1, 0.7))]
    targets = [wanted((a, 1)), wanted((b, 1), (c, 1))]
    expected = 100 * (34 * 1 + 33 * 2 / 3) / 101
    scores = mean_average_precision(detections, targets)
    assert scores == pytest.approx(dict(map50=expected, map=expected))  # right is exactly right, so at any overlap
    curves = precision_recall(detections, targets, CLASSES)
    assert list(curves) == ["cat"]  # of dogs there is nothing to say
    cat = curves["cat"]
    assert cat.average == pytest.approx(expected)
    assert cat.recall.tolist() == pytest.approx([level / 100 for level in range(101)])
    assert cat.precision.tolist() == pytest.approx([1.0] * 34 + [2 / 3] * 33 + [0.0] * 34)
    assert cat.score.tolist() == pytest.approx([0.9] * 34 + [0.7] * 33 + [0.0] * 34)


def test_the_stricter_average_counts_overlaps_from_a_half_to_95_percent():
    """An overlap of 70 % is right at five of the ten thresholds: 0.5, 0.55, 0.6, 0.65 and 0.7, where it is just so."""
    detections, targets = [found(((0, 0, 10, 7.001), 1, 0.9))], [wanted(((0, 0, 10, 10), 1))]
    assert mean_average_precision(detections, targets) == pytest.approx(dict(map50=100.0, map=50.0))
    assert precision_recall(detections, targets, CLASSES, iou=0.75)["cat"].average == 0


def test_the_mean_is_over_the_classes_that_there_are():
    a, b = (0, 0, 10, 10), (20, 0, 30, 10)
    targets = [wanted((a, 1), (b, 2))]
    assert mean_average_precision([found((a, 1, 0.9))], targets)["map50"] == pytest.approx(50)
    curves = precision_recall([found((a, 1, 0.9))], targets, CLASSES)
    assert {name: curve.average for name, curve in curves.items()} == pytest.approx(dict(cat=100, dog=0))
    mistaken = [found((a, 1, 0.9), (b, 1, 0.8))]  # of which there is no object: a dog taken for a cat
    assert list(precision_recall(mistaken, [wanted((b, 2))], CLASSES)) == ["dog"]
    assert mean_average_precision([NOTHING], targets)["map50"] == 0


def test_a_difficult_object_is_neither_missed_nor_a_mistake_however_often_it_is_found():
    easy, hard = (0, 0, 10, 10), (20, 0, 30, 10)
    targets = [wanted((hard, 1), (easy, 1), difficult=(0,))]
    assert mean_average_precision([found((easy, 1, 0.5))], targets)["map"] == pytest.approx(100)
    often = [found((hard, 1, 0.9), ((20, 0, 30, 9.9), 1, 0.8), ((20, 0, 30, 9.8), 1, 0.7), (easy, 1, 0.5))]
    assert mean_average_precision(often, targets)["map50"] == pytest.approx(100)
    assert mean_average_precision(often, [wanted((hard, 1), (easy, 1))])["map50"] < 100
    inside = [found(((22, 2, 25, 5), 1, 0.9), (easy, 1, 0.5))]  # which finds nothing, so it is a mistake
    assert mean_average_precision(inside, targets)["map50"] == pytest.approx(50)


def test_in_a_picture_without_objects_everything_found_is_a_mistake():
    a = (0, 0, 10, 10)
    empty = dict(boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    assert mean_average_precision([found((a, 1, 0.5)), NOTHING], [wanted((a, 1)), empty])["map50"] == pytest.approx(100)
    surer = [found((a, 1, 0.5)), found((a, 1, 0.9))]
    assert mean_average_precision(surer, [wanted((a, 1)), empty])["map50"] == pytest.approx(50)


def overlap(a: list[float], b: list[float]) -> float:
    width, height = (max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def voc_average_precision(detections: list[dict], targets: list[dict], label: int) -> float:
    """Everingham et al. 2010, section 4.2, as their development kit has it; recalls in hundredths, as COCO's."""
    objects = [
        [
            (box, hard)
            for box, kind, hard in zip(*(t[name].tolist() for name in ("boxes", "labels", "difficult")), strict=True)
            if kind == label
        ]
        for t in targets
    ]
    rows = [
        (score, picture, box)
        for picture, d in enumerate(detections)
        for box, kind, score in zip(*(d[name].tolist() for name in ("boxes", "labels", "scores")), strict=True)
        if kind == label
    ]
    count = sum(not hard for each in objects for _, hard in each)
    right, wrong, taken, points = 0, 0, set(), []
    for _, picture, box in sorted(rows, key=lambda row: -row[0]):
        candidates = [(overlap(box, place), index) for index, (place, _) in enumerate(objects[picture])]
        best, index = max(candidates, default=(0.0, -1))
        if best >= 0.5 and objects[picture][index][1]:
            continue  # difficult: as if it had not been found
        hit = best >= 0.5 and (picture, index) not in taken
        taken |= {(picture, index)} if hit else set()
        right, wrong = right + hit, wrong + (not hit)
        points.append((right / count, right / (right + wrong)))
    levels = [level / 100 for level in range(101)]
    return 100 * sum(max((p for r, p in points if r >= level - 1e-9), default=0.0) for level in levels) / 101


@pytest.mark.parametrize("seed", range(5))
def test_it_is_vocs_matching(seed):
    """Objects far apart, each found up to three times, some difficult: where none shares a detection with another,
    VOC's way of matching and COCO's are the same.
    """
    generator = torch.Generator().manual_seed(seed)
    detections, targets = [], []
    for _ in range(6):
        corners = torch.cartesian_prod(torch.arange(3.0), torch.arange(2.0)) * 40
        boxes = torch.cat([corners, corners + 20], 1)
        labels = torch.randint(1, 3, (6,), generator=generator)
        difficult = torch.rand(6, generator=generator) < 0.3
        moved = torch.cat([boxes + 3 * torch.randn(6, 4, generator=generator) for _ in range(3)])
        kept = torch.rand(18, generator=generator) < 0.5
        given = torch.where(torch.rand(18, generator=generator) < 0.2, 3 - labels.repeat(3), labels.repeat(3))
        scores = torch.rand(18, generator=generator)
        detections.append(dict(boxes=moved[kept], labels=given[kept], scores=scores[kept]))
        targets.append(dict(boxes=boxes, labels=labels, difficult=difficult))
    curves = precision_recall(detections, targets, CLASSES)
    expected = [voc_average_precision(detections, targets, label) for label in (1, 2)]
    assert [curves[name].average for name in CLASSES] == pytest.approx(expected)
    assert 10 < sum(expected) / 2 < 90, "an easy or a hopeless example tests little"
    assert mean_average_precision(detections, targets)["map50"] == pytest.approx(sum(expected) / 2, abs=1e-4)

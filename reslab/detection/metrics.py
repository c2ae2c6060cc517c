"""How good detections are: mean average precision, and precision by recall, as COCO's own code counts them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torchmetrics.detection import MeanAveragePrecision

Boxes = Mapping[str, torch.Tensor]

# In float64, as COCO has them: torchmetrics' own are float32, and a recall of exactly 0.2 does not reach 0.2 there.
OVERLAPS = [percent / 100 for percent in range(50, 100, 5)]
RECALLS = [percent / 100 for percent in range(101)]

# COCO's code looks at no object with an area of more than 1e10: it is neither found nor missed, and no more is what
# finds it. That is what VOC does with an object that it calls difficult.
NOT_COUNTED = 2e10


@dataclass(frozen=True)
class Curve:
    """One class's precision by recall. `precision[i]` is the best at a recall of `recall[i]` or more, 0 where the
    recall is not reached, and `score[i]` the threshold that reaches it; float64 [101] each, in 0..1.
    """

    recall: torch.Tensor
    precision: torch.Tensor
    score: torch.Tensor

    @property
    def average(self) -> float:
        """The average precision in percent: the mean over the 101 recalls. (VOC 07's own has 11 of them.)"""
        return 100 * float(self.precision.mean())


def mean_average_precision(detections: Sequence[Boxes], targets: Sequence[Boxes]) -> dict[str, float]:
    """`map50` and `map` in percent: average precision, mean over the classes that there are, where a box counts as
    found from an intersection over union of 0.5 on, and the mean over 0.5, 0.55 ... 0.95 (COCO's).

    `detections` are a dict a picture: boxes [n, 4] (x1, y1, x2, y2), labels [n], scores [n]. So are `targets`: boxes,
    labels, and "difficult", bool [n], where there are objects that are neither to be found nor to be held against who
    finds them (Everingham et al. 2010, section 3.1).
    """
    found = _measured(detections, targets, OVERLAPS)
    return dict(map50=100 * float(found["map_50"]), map=100 * float(found["map"]))


def precision_recall(
    detections: Sequence[Boxes], targets: Sequence[Boxes], classes: Sequence[str], iou: float = 0.5
) -> dict[str, Curve]:
    """A curve for each of the `classes` (label 1 is the first one) that there is an object of; the rest as in
    mean_average_precision. A box counts as found from an intersection over union of `iou` on.
    """
    found = _measured(detections, targets, [iou], extended_summary=True)
    recall = torch.tensor(RECALLS, dtype=torch.float64)
    curves = {}
    for index, label in enumerate(found["classes"].reshape(-1).tolist()):
        # [thresholds, recalls, classes, areas, most detections]: of all areas, and of up to 100 a picture.
        precision, score = (found[name][0, :, index, 0, -1].double() for name in ("precision", "scores"))
        if precision[0] >= 0:  # -1 where there is no object of this class
            curves[classes[label - 1]] = Curve(recall, precision, score)
    return curves


def _measured(
    detections: Sequence[Boxes], targets: Sequence[Boxes], overlaps: list[float], **options: Any
) -> dict[str, torch.Tensor]:
    metric = MeanAveragePrecision(iou_thresholds=overlaps, rec_thresholds=RECALLS, **options)
    counted = [_counted(target, len(found["labels"])) for target, found in zip(targets, detections, strict=True)]
    metric.update([dict(found) for found in detections], counted)
    return metric.compute()


def _counted(target: Boxes, found: int) -> dict[str, torch.Tensor]:
    """A picture's objects, the difficult ones as such that are not counted, and one copy of each for every detection,
    since each may find it.
    """
    boxes, labels = target["boxes"].float(), target["labels"]
    difficult = target.get("difficult", torch.zeros_like(labels, dtype=torch.bool))
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    copies = torch.where(difficult, max(found, 1), 1)
    whole = dict(boxes=boxes, labels=labels, area=torch.where(difficult, NOT_COUNTED, area))
    return {name: value.repeat_interleave(copies, 0) for name, value in whole.items()}

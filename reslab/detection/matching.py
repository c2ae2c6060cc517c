"""Which detections are right: each is held against the objects of its class, the surest first.

An object is found by the first detection that overlaps it enough, and once found it is taken, so a second box on it is
wrong. What a detection is does therefore not depend on those below it: one matching serves every score threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

IOU = 0.5  # the overlap that counts as found: intersection over union


class Boxes(Protocol):
    """What a detector says of a picture, see reslab.detection.looking.Detections."""

    boxes: torch.Tensor  # float [n, 4], x1 y1 x2 y2 in pixels
    labels: torch.Tensor  # int64 [n], from 1
    scores: torch.Tensor  # float [n]


Target = Mapping[str, torch.Tensor]  # boxes [m, 4], labels [m] and, where it is known, difficult [m]


@dataclass(frozen=True)
class Matching:
    """What became of a picture's detections and of its objects; the detections in the order in which they were given.

    A detection is right, wrong, or, on a "difficult" object, `ignored`, as in Pascal VOC: neither. `by` is the
    detection that found each object, -1 for none; `wanted` are the objects that count.
    """

    right: torch.Tensor  # bool [n]
    ignored: torch.Tensor  # bool [n]
    by: torch.Tensor  # int64 [m]
    wanted: torch.Tensor  # bool [m]

    def missed(self, shown: torch.Tensor) -> torch.Tensor:
        """The objects [m] that count and that none of the detections in `shown` (bool [n]) has found."""
        found = (self.by >= 0) & torch.cat([shown, torch.tensor([False])])[self.by]
        return self.wanted & ~found


def matched(found: Boxes, target: Target, iou: float = IOU) -> Matching:
    """Holds a picture's detections against its objects: of those of its class that overlap it by at least `iou` and are
    not taken, a detection finds the one that it overlaps most, one that counts before a difficult one (as COCO's
    evaluation does).
    """
    from torchvision.ops import box_iou  # here: it takes a second

    boxes, labels = target["boxes"].cpu().float(), target["labels"].cpu()
    difficult = target.get("difficult", torch.zeros(len(labels), dtype=torch.bool)).cpu()
    scores = found.scores.cpu()
    overlaps = box_iou(found.boxes.cpu().float(), boxes)
    overlaps[found.labels.cpu()[:, None] != labels] = 0
    right, ignored = torch.zeros(len(scores), dtype=torch.bool), torch.zeros(len(scores), dtype=torch.bool)
    by = torch.full((len(labels),), -1)
    for i in scores.argsort(descending=True, stable=True).tolist():
        possible = (overlaps[i] >= iou) & ((by < 0) | difficult)
        counting = possible & ~difficult
        if counting.any():
            object_ = (overlaps[i] * counting).argmax()
            by[object_], right[i] = i, True
        elif possible.any():
            ignored[i] = True
    return Matching(right, ignored, by, ~difficult)


@dataclass(frozen=True)
class Trade:
    """Precision against recall as the score threshold moves, over many pictures and all classes together."""

    scores: torch.Tensor  # [n], falling
    right: torch.Tensor  # bool [n]
    objects: int

    def at(self, threshold: float) -> tuple[int, int, int]:
        """How many detections of at least this score are right, how many are wrong, and how many objects are missed."""
        shown = int((self.scores >= threshold).sum())
        right = int(self.right[:shown].sum())
        return right, shown - right, self.objects - right

    @property
    def precision(self) -> torch.Tensor:
        """Of the detections down to each score, the share that is right [n]."""
        return self.right.cumsum(0) / torch.arange(1, len(self.right) + 1)

    @property
    def recall(self) -> torch.Tensor:
        """Of the objects, the share that is found by then [n]."""
        return self.right.cumsum(0) / max(self.objects, 1)


def trade(found: Sequence[Boxes], targets: Sequence[Target], iou: float = IOU) -> Trade:
    """The trade over pictures: of each, what was found and what is there. Raises ValueError for no pictures."""
    if not found:
        raise ValueError("there is no picture to measure on; give at least one, with its objects")
    matchings = [matched(its, target, iou) for its, target in zip(found, targets, strict=True)]
    keep = [~each.ignored for each in matchings]
    scores = torch.cat([its.scores.cpu()[kept] for its, kept in zip(found, keep, strict=True)])
    right = torch.cat([each.right[kept] for each, kept in zip(matchings, keep, strict=True)])
    order = scores.argsort(descending=True, stable=True)
    return Trade(scores[order], right[order], sum(int(each.wanted.sum()) for each in matchings))

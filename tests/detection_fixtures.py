"""Pictures with objects, and what a detector might say of them: placed by hand, or at random."""

from types import SimpleNamespace

import torch

from reslab import RunConfig
from reslab.detection.matching import Boxes, Target

CLASSES = ("disk", "square", "star")
PLAIN, RESIDUAL = (RunConfig(depth=18, shortcut=s, profile="smoke", task="detection") for s in ("none", "A"))


def boxes(*rows: tuple[float, ...]) -> Boxes:
    """Detections, each (x1, y1, x2, y2, label, score)."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return SimpleNamespace(boxes=table[:, :4], labels=table[:, 4].long(), scores=table[:, 5])


def target(*rows: tuple[float, ...], difficult: tuple[int, ...] = ()) -> Target:
    """Objects, each (x1, y1, x2, y2, label); `difficult` are the numbers of those that are."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)
    hard = torch.tensor([i in difficult for i in range(len(rows))], dtype=torch.bool)
    return dict(boxes=table[:, :4], labels=table[:, 4].long(), difficult=hard)


def random_case(seed: int, pictures: int = 40, difficult: float = 0.0) -> tuple[list[Boxes], list[Target]]:
    """Objects, and detections that are near them, doubled, of another class or nowhere."""
    draw = torch.Generator().manual_seed(seed)

    def at_random(count: int) -> torch.Tensor:
        corner = 60 * torch.rand(count, 2, generator=draw)
        return torch.cat([corner, corner + 15 + 25 * torch.rand(count, 2, generator=draw)], 1)

    found, targets = [], []
    for number in range(pictures):
        count = 1 + number % 4
        there, labels = at_random(count), torch.randint(1, 1 + len(CLASSES), (count,), generator=draw)
        near = there.repeat(2, 1) + 4 * torch.randn(2 * count, 4, generator=draw)
        said = torch.where(torch.rand(2 * count, generator=draw) < 0.8, labels.repeat(2), 1)
        elsewhere, guess = at_random(5), torch.randint(1, 1 + len(CLASSES), (5,), generator=draw)
        scores = torch.rand(2 * count + 5, generator=draw)
        both = torch.cat([near, elsewhere]), torch.cat([said, guess])
        found.append(SimpleNamespace(boxes=both[0], labels=both[1], scores=scores))
        hard = torch.rand(count, generator=draw) < difficult
        targets.append(dict(boxes=there, labels=labels, difficult=hard))
    return found, targets


def picture(side: int = 96, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (3, side, side), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)

"""What a loss surface is computed of: one frozen plan, which names the grid that is kept."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..when import TRAINED, check_at

RANDOM, PATH = "random", "path"
SPLITS, PRECISIONS = ("train", "test"), ("fp32", "bf16")


@dataclass(frozen=True)
class Plan:
    """A grid of points on a plane, or a line, through a run's net. Wrong values raise ValueError."""

    points: int = 25  # on each axis
    span: float = 1.0  # see axis
    images: int = 2000
    split: str = "train"
    # Or "path", the principal plane of training's path; or "RUN,RUN" or "0,350": see through. What was recorded of
    # training is projected on these. At iteration 0 running statistics say nothing yet: there batch norm does nothing.
    plane: str = RANDOM
    dimensions: int = 2  # 1 is a line
    seed: int = 0  # of random directions
    precision: str = "bf16"  # losses to 1 %, in two thirds of the time of "fp32" and more: see Evaluator
    at: str | int = TRAINED  # or "initial", or an iteration after which the run recorded its weights: see subject

    def __post_init__(self):
        for name, value, fits, allowed in (
            ("points", self.points, self.points >= 2, "2 or more"),
            ("span", self.span, self.span > 0, "above 0"),
            ("images", self.images, self.images >= 1, "1 or more"),
            ("split", self.split, self.split in SPLITS, ", ".join(SPLITS)),
            ("dimensions", self.dimensions, self.dimensions in (1, 2), "1, 2"),
            ("precision", self.precision, self.precision in PRECISIONS, ", ".join(PRECISIONS)),
        ):
            if not fits:
                raise ValueError(f"{name}={value!r} is not possible; allowed: {allowed}")
        check_at(self.at)
        if self.plane not in (RANDOM, PATH) and len(self.through) != 2:
            raise ValueError(
                f"plane={self.plane!r} is not possible; allowed: random, path, or two runs or recorded iterations, as "
                "RUN,RUN or 0,350"
            )
        if self.dimensions == 1 and self.plane != RANDOM:
            raise ValueError(f"plane={self.plane!r} has two dimensions; a line is plane='random', dimensions=1")

    @property
    def through(self) -> tuple[str, ...]:
        """What else the plane goes through, if it does: the ids of two more runs, or two iterations after which this
        run recorded its weights, or one of each.
        """
        return () if self.plane in (RANDOM, PATH) else tuple(id.strip() for id in self.plane.split(",") if id.strip())

    @property
    def name(self) -> str:
        """Of the grid's folder: in words, and a digest of every field."""
        kind = f"random-s{self.seed}" if self.plane == RANDOM else "through" if self.through else self.plane
        fields = {name: value for name, value in self.to_dict().items() if name != "at" or value != TRAINED}
        digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:8]
        return f"{kind}-{'x'.join([str(self.points)] * self.dimensions)}-{digest}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | dict(span=float(self.span))

    def axes(self, known: Sequence[tuple[float, float]]) -> list[list[float]]:
        """The coordinates along each axis, in order.

        Of a random plane from -span to span: a step of 1 is as large as the net's own filters. Of another one the box
        around the `known` points, larger by a quarter of it, times `span`, at each side.
        """
        if self.plane == RANDOM:
            return [_spaced(0.0, self.span, self.points)] * self.dimensions
        boxes = [(min(values), max(values)) for values in zip(*known, strict=True)]
        largest = max(high - low for low, high in boxes)
        halves = [(high - low or largest) / 2 for low, high in boxes]
        return [
            _spaced((low + high) / 2, half * (1 + self.span / 2), self.points)
            for (low, high), half in zip(boxes, halves, strict=True)
        ]


def _spaced(middle: float, half: float, points: int) -> list[float]:
    return [middle + half * (2 * i / (points - 1) - 1) for i in range(points)]

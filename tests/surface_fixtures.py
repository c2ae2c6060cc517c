"""Loss surfaces in closed form."""

import math
from collections.abc import Callable, Sequence

from reslab.probes.surface import PathPoint, Surface


def make_surface(
    loss: Callable[[float, float], float] = lambda x, y: 0.1 + x**2 + 2 * y**2,
    name: str = "ResNet-20",
    points: int = 5,
    line: bool = False,
    missing: Sequence[tuple[int, int]] = (),
    directions: str = "two random directions, filter-normalised, seed 0",
    path: Sequence[tuple[int, float, float]] = (),
) -> Surface:
    """`loss` over [-1, 1] x [-1, 1], the error ten times as much; `missing` are (row, column)."""
    x = [2 * i / (points - 1) - 1 for i in range(points)]
    y = [0.0] if line else x
    grid = [[math.nan if (j, i) in missing else loss(at, up) for i, at in enumerate(x)] for j, up in enumerate(y)]
    losses = tuple(map(tuple, grid))
    errors = tuple(tuple(min(100.0, 10 * value) if value == value else value for value in row) for row in grid)
    return Surface(
        name, tuple(x), tuple(y), losses, errors, 500, "train", directions, tuple(PathPoint(*p) for p in path)
    )

"""Loss surfaces in closed form."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from reslab.probes.surface import PathPoint, Plan, Surface
from reslab.probes.surface.grid import FOLDER, Grid
from reslab.runs import Run


def bowl(x: float, y: float) -> float:
    return 0.1 + x**2 + 2 * y**2


def make_surface(
    loss: Callable[[float, float], float] = bowl,
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


def begin_grid(run: Run, plan: Plan, name: str = "ResNet-20") -> Grid:
    """The grid that `reslab surface` would begin for a run, without the net."""
    grid = Grid(run.path / FOLDER / plan.name)
    axis = plan.axes([(0.0, 0.0)])[0]
    shown = dict(net=name, images=plan.images, split=plan.split, words="two random directions", share=None, path=[])
    grid.begin(dict(run=run.id, plan=plan.to_dict(), x=axis, y=axis) | shown)
    return Grid(grid.folder)


def fill_grid(
    run: Run, plan: Plan, points: int | None = None, loss: Callable[[float, float], float] = bowl, **begun
) -> None:
    """Its first so many points, from the middle outwards, or all of them, as another process would write them."""
    grid = begin_grid(run, plan, **begun)
    count = len(grid.order) if points is None else points
    found = {point: (loss(*grid.place(point)), 10.0) for point in grid.order[:count]}
    tile = next(iter(grid.look()[1]))
    grid.keep(replace(tile, claims=0), "other", found)
    if count == len(grid.order):
        grid.finish(found)

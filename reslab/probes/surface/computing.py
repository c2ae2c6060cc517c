"""The loss surface of a run: what is missing is computed, and kept in the run folder."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...runs import Run
from ..recorded import recorded_iterations, recorded_weights
from ..results import kept
from ..subject import subject
from .evaluator import Evaluator
from .grid import FOLDER, Grid
from .plan import PATH, RANDOM, Plan
from .plane import Plane, plane_through, principal_plane, project, random_plane
from .result import Surface
from .weights import vector
from .worker import Report, compute

STANDARD: dict[str, Any] = dict(points=15, span=1.0, images=500, split="train", precision="fp32")


def surface(
    run: Run,
    plan: Plan | None = None,
    data: str | Path | None = None,
    device: str | torch.device | None = None,
    report: Report | None = None,
    **fields,
) -> Surface:
    """The loss surface around a run's trained net, as `plan` says, or a Plan of `fields`: points=25, span=1.0 ...

    What is there already is not computed again, and other processes, on this machine or another one that sees the
    store, may compute it at the same time: the result is the same, up to rounding where their CPUs or GPUs differ
    (bfloat16 is float32 where there are no products of it). `report` is told (points done, points, note).
    Raises ValueError for a plan that is not possible, a run that is not done, or runs of different nets; DataError if
    the images cannot be had.
    """
    plan = plan or Plan(**fields)
    grid = Grid(run.path / FOLDER / plan.name)
    if grid.header is None or grid.look()[1]:
        seen = subject(run, images=plan.images, split=plan.split, data=data, device=device)
        plane = plane_of(run, plan, seen.net)
        if grid.header is None:
            grid.begin(_header(run, plan, plane, seen.name, len(seen.labels)))
            grid = Grid(grid.folder)
        with Evaluator(seen.net, seen.images, seen.labels, plan.precision) as evaluate:
            compute(grid, lambda x, y: evaluate(plane.at(x, y)), report)
    return grid.surface()


def read_surface(run: Run, plan: Plan | None = None, **fields) -> Surface | None:
    """What is there of the surface that `surface` computes, NaN elsewhere; None if nobody has begun."""
    grid = Grid(run.path / FOLDER / (plan or Plan(**fields)).name)
    return None if grid.header is None else grid.surface()


def measured(run: Run, data: str | Path | None = None, device: str | torch.device | None = None) -> Surface:
    """The surface around a trained run with the STANDARD settings, on a random plane, from its folder if it is there.

    Raises ValueError for a run that is not done.
    """
    plan = Plan(**STANDARD)

    def measure() -> dict[str, Any]:
        found = surface(run, plan, data, device)
        return dict(x=found.x, y=found.y, loss=found.loss, error=found.error)

    kept(run, "surface", STANDARD, measure)
    return read_surface(run, plan)


def plane_of(run: Run, plan: Plan, net: nn.Module | None = None) -> Plane:
    """The plane of a plan for this run; the other runs of "RUN,RUN" are in the same store. Raises as `surface` does."""
    net = run.net() if net is None else net
    if plan.plane == RANDOM:
        return random_plane(net, plan.seed, plan.dimensions)
    if plan.plane == PATH:
        recorded = {iteration: recorded_weights(run, iteration) for iteration in recorded_iterations(run)}
        return principal_plane(net, recorded)
    return plane_through(net, [Run(run.path.parent / id).weights() for id in plan.runs])


def _header(run: Run, plan: Plan, plane: Plane, name: str, images: int) -> dict[str, Any]:
    """What grid.json says: the plan, and all that is needed to draw the surface without its net."""
    net = run.net()
    path, words, known = [], plane.words, [(0.0, 0.0)]
    if plan.plane == PATH:
        for iteration in recorded_iterations(run):
            path.append([iteration, *project(plane, vector(net, recorded_weights(run, iteration)))])
        known += [(x, y) for _, x, y in path]
    for id in plan.runs:
        known.append(project(plane, vector(net, Run(run.path.parent / id).weights())))
    if plan.runs:
        words += f": {', '.join((run.id, *plan.runs))}"
    x, *y = plan.axes(known)
    shown = dict(net=name, images=images, split=plan.split, words=words, share=plane.share)
    return dict(run=run.id, plan=plan.to_dict(), **shown, x=x, y=y[0] if y else [0.0], path=path)

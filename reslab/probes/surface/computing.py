"""The loss surface of a run: what is missing is computed, and kept in the run folder."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...precision import BF16, FP32
from ...runs import Run
from ..recorded import recorded_iterations, recorded_weights
from ..settling import settled_subject
from ..subject import Subject, net_at
from .evaluator import Evaluator
from .grid import FOLDER, Grid
from .plan import PATH, RANDOM, Plan
from .plane import Plane, plane_through, principal_plane, project, random_plane
from .result import Surface
from .weights import State, vector
from .worker import Report, compute


def surface(
    run: Run,
    plan: Plan | None = None,
    data: str | Path | None = None,
    device: str | torch.device | None = None,
    report: Report | None = None,
    **fields,
) -> Surface:
    """The loss surface around a run's net, as `plan` says, or a Plan of `fields`: points=25, span=1.0 ...

    An untrained net has no running statistics yet: it gets those of the images that the loss is over.

    What is there already is not computed again, and other processes, on this machine or another one that sees the
    store, may compute it at the same time: the result is the same, up to rounding where their CPUs or GPUs differ.
    What "bf16" is computed in is what the first of them has (see Evaluator); all others follow. `report` is told
    (points done, points, note). Raises ValueError for a plan that is not possible, a run that is not done, runs of
    different nets, or a grid that was begun in a precision that this device does not have; DataError if the images
    cannot be had.
    """
    plan = plan or Plan(**fields)
    grid = Grid(run.path / FOLDER / plan.name)
    if grid.header is None or grid.look()[1]:
        seen = settled_subject(run, plan.at, plan.images, plan.split, data, device)
        net = seen.net
        plane = plane_of(run, plan, net)
        if grid.header is None:
            header = _header(run, plan, plane, net, seen.name, len(seen.labels))
            grid.begin(header | dict(computed_in=_evaluator(seen, plan.precision).computed_in))
            grid = Grid(grid.folder)
        with _as_begun(grid, plan, seen) as evaluate:
            compute(grid, lambda x, y: evaluate(plane.at(x, y)), report)
    return grid.surface()


def read_surface(run: Run, plan: Plan | None = None, **fields) -> Surface | None:
    """What is there of the surface that `surface` computes, NaN elsewhere; None if nobody has begun."""
    grid = Grid(run.path / FOLDER / (plan or Plan(**fields)).name)
    return None if grid.header is None else grid.surface()


def plane_of(run: Run, plan: Plan, net: nn.Module | None = None) -> Plane:
    """The plane of a plan for this run; other runs that it goes through are in the same store. Raises as `surface`
    does.
    """
    net = net_at(run, plan.at) if net is None else net
    if plan.plane == RANDOM:
        return random_plane(net, plan.seed, plan.dimensions)
    if plan.plane == PATH:
        recorded = {iteration: recorded_weights(run, iteration) for iteration in recorded_iterations(run)}
        return principal_plane(net, recorded)
    return plane_through(net, _others(run, plan))


def _evaluator(seen: Subject, precision: str) -> Evaluator:
    return Evaluator(seen.net, seen.images, seen.labels, precision)


def _as_begun(grid: Grid, plan: Plan, seen: Subject) -> Evaluator:
    """In what the points that are there were computed in. Raises ValueError if this device does not have it."""
    begun = grid.header.get("computed_in", plan.precision)
    evaluator = _evaluator(seen, FP32 if begun == FP32 else BF16)
    if evaluator.computed_in != begun:
        raise ValueError(
            f"the grid {grid.folder.name} was begun in {begun}, which this device does not have; go on where it was "
            "begun, or give precision='fp32', which is another grid"
        )
    return evaluator


def _others(run: Run, plan: Plan) -> list[State]:
    """The two other states that a plane goes through: of this run after an iteration, or of another run's trained
    net.
    """
    return [
        recorded_weights(run, int(each)) if each.isdigit() else Run(run.path.parent / each).weights()
        for each in plan.through
    ]


def _header(run: Run, plan: Plan, plane: Plane, net: nn.Module, name: str, images: int) -> dict[str, Any]:
    """What grid.json says: the plan, and all that is needed to draw the surface without its net."""
    path, words, known = [], plane.words, [(0.0, 0.0)]
    if plan.plane != RANDOM:
        for iteration in recorded_iterations(run):
            path.append([iteration, *project(plane, vector(net, recorded_weights(run, iteration)))])
        known += [(x, y) for _, x, y in path]
    for state in _others(run, plan):
        known.append(project(plane, vector(net, state)))
    if plan.through:
        names = [f"iteration {each}" if each.isdigit() else each for each in plan.through]
        words += f": {', '.join((run.id, *names))}"
    x, *y = plan.axes(known)
    shown = dict(net=name, images=images, split=plan.split, words=words, share=plane.share)
    return dict(run=run.id, plan=plan.to_dict(), **shown, x=x, y=y[0] if y else [0.0], path=path)

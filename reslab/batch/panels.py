"""A study's nets in groups that one figure each can show."""

from collections.abc import Mapping
from typing import Any

from ..training.config import RunConfig
from .grid import Grid, points, told
from .spec import Experiment

MOST_NETS = 8  # in a figure: with more, reslab.figures no longer names the curves


def panels(
    experiment: Experiment,
    profile: str | None = None,
    seeds: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    opt_in: bool = False,
) -> dict[str, list[RunConfig]]:
    """The study's configs in groups, each under a heading that says what is in it.

    One group if there are few nets. Otherwise one for each part of the grid, with the nets of the original block
    (option A, original order, with batch norm) in every one to hold the others against; a part with too many nets is
    divided by the axis with the fewest values, as figure 6 of He et al. 2015 has plain nets left and residual nets
    right. Raises ValueError as Experiment.configs does.
    """
    configs = experiment.configs(profile, seeds, overrides, opt_in)
    if len({config.for_any_seed for config in configs}) <= MOST_NETS:
        return {"All nets": configs}
    grids = experiment.grids_in(profile, overrides, opt_in)
    usual = dict(shortcut="A", activation_order="original", norm="batch")
    original = [c for c in configs if all(getattr(c, name) == value for name, value in usual.items())]
    original = original if len(grids) > 1 else []
    groups = {}
    for part in [part for grid in grids for part in _divided(grid)]:
        wanted = {RunConfig(profile=configs[0].profile, **point) for point in points(part)}
        mine = [config for config in configs if config.for_any_seed in wanted]
        groups[told(part)] = mine + [config for config in original if config not in mine]
    return groups


def _divided(grid: Grid) -> list[Grid]:
    axes = sorted((len(values), name) for name, values in grid.items() if len(values) > 1)
    if len(points(grid)) <= MOST_NETS or len(axes) < 2:
        return [grid]
    _, name = axes[0]
    return [{name: (value,)} | {n: v for n, v in grid.items() if n != name} for value in grid[name]]

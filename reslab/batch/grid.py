"""Grids: RunConfig fields, each with its values, and every combination of them."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, get_origin

from ..names import assignment, check_names
from ..training.config import RunConfig
from .lines import yaml_value

FIELDS = [field.name for field in fields(RunConfig) if field.name != "found"]  # that one is found by looking
LISTS = {field.name for field in fields(RunConfig) if get_origin(field.type) is tuple}  # a list is one value of these
BY_OPTION = {"profile": "--profile", "seed": "--seeds"}  # fields that a grid does not hold, and what sets them

Grid = Mapping[str, tuple[Any, ...]]  # field -> its values, in order


def as_axis(name: str, value: Any) -> tuple[Any, ...]:
    """The values that `name: value` gives a field: a list's items, or it. Raises ValueError for an empty list."""
    several = isinstance(value, list) and (name not in LISTS or any(isinstance(item, list) for item in value))
    if several and not value:
        raise ValueError(f"{name}=[] leaves nothing to run; give at least one value")
    return tuple(value) if several else (value,)


def check_fields(names: Iterable[str]) -> None:
    """Raises ValueError for a name that is no RunConfig field, or is one that an option sets."""
    for name in names:
        if name in BY_OPTION:
            raise ValueError(f"{name!r} is not for the grid; set it with {BY_OPTION[name]}")
        check_names([name], [field for field in FIELDS if field not in BY_OPTION], "RunConfig")


def points(grid: Grid) -> list[dict[str, Any]]:
    """Every combination of the values, the last field running fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def told(grid: Grid) -> str:
    """The grid in words, such as "depth 56; shortcut A, B"."""
    return "; ".join(f"{name} {', '.join(map(str, values))}" for name, values in grid.items())


def parse_parameters(assignments: Iterable[str]) -> dict[str, Any]:
    """{"depth": 20} from "depth=20", values read as YAML. Raises ValueError for what is not NAME=VALUE or is twice."""
    parameters = {}
    for given in assignments:
        name, text = assignment(given, "-p")
        if name in parameters:
            raise ValueError(f"-p {name}=... is there twice; for several values write -p '{name}=[..., ...]'")
        parameters[name] = yaml_value(text)
    return parameters

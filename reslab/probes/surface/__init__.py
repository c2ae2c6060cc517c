"""The loss around a net's weights, after Li et al. 2018 (1712.09913)."""

from importlib import import_module
from typing import Any

from .result import PathPoint, Surface

__all__ = [
    "Evaluator",
    "PathPoint",
    "Plan",
    "Plane",
    "Surface",
    "extremes",
    "plane_of",
    "plane_through",
    "principal_plane",
    "project",
    "random_plane",
    "read_surface",
    "surface",
]

# Imported when they are used: figures import this package, and it imports probes that import figures.
_HOMES = dict(
    Evaluator="evaluator",
    Plan="plan",
    Plane="plane",
    extremes="hessian",
    plane_of="computing",
    plane_through="plane",
    principal_plane="plane",
    project="plane",
    random_plane="plane",
    read_surface="computing",
    surface="computing",
)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

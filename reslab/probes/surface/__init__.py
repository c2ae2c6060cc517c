"""The loss around a net's weights, after Li et al. 2018 (1712.09913)."""

from .result import PathPoint, Surface

__all__ = ["PathPoint", "Surface"]

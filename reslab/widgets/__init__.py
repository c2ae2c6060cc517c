"""Controls for notebooks and Voila: ipywidgets wired to run folders and figures, with no logic of their own."""

from .explorer import Explorer, explorer
from .residual import RelativeChange, TwoBlocks
from .watching import Watch, watch

__all__ = ["Explorer", "RelativeChange", "TwoBlocks", "Watch", "explorer", "watch"]

"""Controls for notebooks and Voila: ipywidgets wired to run folders and figures, with no logic of their own."""

from .counting import Counting
from .denoising import Denoising
from .detection import Detections
from .explorer import Explorer, explorer
from .lesions import Lesions
from .naming import Naming
from .passage import Passage
from .residual import RelativeChange, TwoBlocks
from .surface import LossSurface
from .watching import Watch, watch

__all__ = [
    "Counting",
    "Denoising",
    "Detections",
    "Explorer",
    "Lesions",
    "LossSurface",
    "Naming",
    "Passage",
    "RelativeChange",
    "TwoBlocks",
    "Watch",
    "explorer",
    "watch",
]

"""Pure functions from runs and images to plotly figures: they never show, never train and read only their arguments."""

from .bench import speed
from .curves import error_curves
from .finals import final_errors
from .images import image_grid
from .style import net_colour, net_label
from .table import summary_table
from .timing import timing
from .verdicts import verdict_intervals

__all__ = [
    "error_curves",
    "final_errors",
    "image_grid",
    "net_colour",
    "net_label",
    "speed",
    "summary_table",
    "timing",
    "verdict_intervals",
]

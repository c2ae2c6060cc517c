"""Pure functions from runs and images to plotly figures: they never show, never train and read only their arguments."""

from .architecture import architecture_table
from .bench import speed
from .costs import cost_bars, cost_listing, stride_listing
from .curves import error_curves
from .finals import final_errors
from .images import image_grid
from .stage_maps import stage_maps
from .style import net_colour, net_label
from .table import summary_table
from .timing import timing
from .verdicts import verdict_intervals

__all__ = [
    "architecture_table",
    "cost_bars",
    "cost_listing",
    "error_curves",
    "final_errors",
    "image_grid",
    "net_colour",
    "net_label",
    "speed",
    "stage_maps",
    "stride_listing",
    "summary_table",
    "timing",
    "verdict_intervals",
]

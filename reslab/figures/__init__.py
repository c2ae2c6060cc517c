"""Pure functions from runs and images to plotly figures: they never show, never train and read only their arguments."""

from .architecture import architecture_table
from .bench import speed
from .cells import as_table
from .costs import cost_bars, cost_table, error_table, stride_table
from .curves import error_curves
from .denoised import denoised_pictures
from .denoising import denoising_curves, noise_levels
from .detection import detected_boxes, proposed_boxes, roi_maps
from .detection_curves import detection_curves, precision_recall_curves, trade_curves
from .drawing import block_drawing
from .finals import final_errors
from .gradients import correlation_curves, path_shares, signal_history
from .identity import identity_curves
from .images import image_grid
from .inside import response_curves, signal_curves
from .lesions import lesion_bars, lesion_curves
from .maps import feature_maps
from .profile import loss_profile
from .published_detection import detection_table
from .sensitivity import relative_change, sensitivity_curves
from .split import split_bars, split_drawing, split_table
from .stage_maps import stage_maps
from .style import net_colour, net_label
from .surface import loss_contours, loss_surfaces
from .svg import beside
from .table import summary_table
from .tasks import run_curves, training_examples
from .timing import timing
from .verdicts import verdict_intervals
from .weights import block_weights

__all__ = [
    "architecture_table",
    "as_table",
    "beside",
    "block_drawing",
    "block_weights",
    "correlation_curves",
    "cost_bars",
    "cost_table",
    "denoised_pictures",
    "denoising_curves",
    "detected_boxes",
    "detection_curves",
    "detection_table",
    "error_curves",
    "error_table",
    "feature_maps",
    "final_errors",
    "identity_curves",
    "image_grid",
    "lesion_bars",
    "lesion_curves",
    "loss_contours",
    "loss_profile",
    "loss_surfaces",
    "net_colour",
    "net_label",
    "noise_levels",
    "path_shares",
    "precision_recall_curves",
    "proposed_boxes",
    "relative_change",
    "response_curves",
    "roi_maps",
    "run_curves",
    "sensitivity_curves",
    "signal_curves",
    "signal_history",
    "speed",
    "split_bars",
    "split_drawing",
    "split_table",
    "stage_maps",
    "stride_table",
    "summary_table",
    "timing",
    "trade_curves",
    "training_examples",
    "verdict_intervals",
]

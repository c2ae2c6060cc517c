"""What goes on inside a net: probes look at it and leave it as it was."""

from .damage import Damage, random_lesions, reorderings, swappable
from .inputs import block_inputs
from .layers import Layer, weighted_layers
from .lesions import Lesion, LesionStudy, SingleLesions, single_lesions
from .paths import PathShare, gradient_by_path_length
from .probing import PROBES, Probe, Probed, lacking, probe
from .recorded import recorded_iterations, recorded_signals
from .responses import Response, responses
from .results import kept, result, results
from .sensitivity import Sensitivity, sensitivities
from .settling import settled, settled_subject
from .shattering import Correlation, brown, gradient_correlation
from .signals import Signal, gradient_reach, gradient_spread, signals, without_norm
from .stages import stage_outputs, strongest
from .subject import Subject, net_at, subject
from .surface import PathPoint, Surface
from .survival import Survival, survival

__all__ = [
    "PROBES",
    "Correlation",
    "Damage",
    "Layer",
    "Lesion",
    "LesionStudy",
    "PathPoint",
    "PathShare",
    "Probe",
    "Probed",
    "Response",
    "Sensitivity",
    "Signal",
    "SingleLesions",
    "Subject",
    "Surface",
    "Survival",
    "block_inputs",
    "brown",
    "gradient_by_path_length",
    "gradient_correlation",
    "gradient_reach",
    "gradient_spread",
    "kept",
    "lacking",
    "net_at",
    "probe",
    "random_lesions",
    "recorded_iterations",
    "recorded_signals",
    "reorderings",
    "responses",
    "result",
    "results",
    "sensitivities",
    "settled",
    "settled_subject",
    "signals",
    "single_lesions",
    "stage_outputs",
    "strongest",
    "subject",
    "survival",
    "swappable",
    "weighted_layers",
    "without_norm",
]

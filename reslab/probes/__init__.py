"""What goes on inside a net: probes look at it and leave it as it was."""

from .inputs import block_inputs
from .layers import Layer, weighted_layers
from .paths import PathShare, gradient_by_path_length
from .responses import Response, responses
from .results import kept, result, results
from .sensitivity import Sensitivity, sensitivities
from .settling import settled
from .shattering import Correlation, brown, gradient_correlation
from .signals import Signal, gradient_reach, gradient_spread, signals, without_norm
from .stages import stage_outputs, strongest
from .subject import Subject, net_at, subject
from .survival import Survival, survival

__all__ = [
    "Correlation",
    "Layer",
    "PathShare",
    "Response",
    "Sensitivity",
    "Signal",
    "Subject",
    "Survival",
    "block_inputs",
    "brown",
    "gradient_by_path_length",
    "gradient_correlation",
    "gradient_reach",
    "gradient_spread",
    "kept",
    "net_at",
    "responses",
    "result",
    "results",
    "sensitivities",
    "settled",
    "signals",
    "stage_outputs",
    "strongest",
    "subject",
    "survival",
    "weighted_layers",
    "without_norm",
]

"""What goes on inside a net: probes look at it and leave it as it was."""

from .inputs import block_inputs
from .layers import Layer, weighted_layers
from .results import kept, result, results
from .sensitivity import Sensitivity, sensitivities
from .stages import stage_outputs, strongest
from .subject import Subject, net_at, subject
from .survival import Survival, survival

__all__ = [
    "Layer",
    "Sensitivity",
    "Subject",
    "Survival",
    "block_inputs",
    "kept",
    "net_at",
    "result",
    "results",
    "sensitivities",
    "stage_outputs",
    "strongest",
    "subject",
    "survival",
    "weighted_layers",
]

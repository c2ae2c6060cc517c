"""What goes on inside a net: probes look at it and leave it as it was."""

from .inputs import block_inputs
from .sensitivity import Sensitivity, sensitivities
from .stages import stage_outputs, strongest
from .survival import Survival, survival

__all__ = [
    "Sensitivity",
    "Survival",
    "block_inputs",
    "sensitivities",
    "stage_outputs",
    "strongest",
    "survival",
]

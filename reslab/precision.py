"""In which numbers a net computes: bfloat16 is used where the device multiplies it, and is float32 elsewhere."""

from functools import cache

import torch

FP32, BF16 = PRECISIONS = ("fp32", "bf16")


@cache
def multiplies_bf16(device: torch.device) -> bool:
    """Whether `device` has products of bfloat16.

    Where it has not, torch emulates them: on a CPU with AVX2 and nothing wider a convolution then takes twelve times
    as long as in float32.
    """
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return True


def computed_in(precision: str, device: torch.device) -> str:
    """What a net of this `precision` computes in on `device`: "fp32" or "bf16"."""
    return BF16 if precision == BF16 and multiplies_bf16(device) else FP32


def precisions_of(device: torch.device) -> tuple[str, ...]:
    """Those that differ on `device`."""
    return tuple(precision for precision in PRECISIONS if computed_in(precision, device) == precision)


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Layers inside compute in `precision`, or in what `device` has for it; weights stay float32.

    There is no cache of bf16 weights: each is used once a step, and a CUDA graph could not follow it.
    """
    enabled = computed_in(precision, device) == BF16
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)

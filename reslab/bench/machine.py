"""What the machine can do: matrix products and copies a second, and what it is called."""

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..training.provenance import git
from .clock import timed

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
SIDE = {"cpu": 2048, "cuda": 8192}  # of the square matrices: large enough for the device to be busy
COPIED = {"cpu": 1 << 28, "cuda": 1 << 30}  # bytes: far more than the caches hold
TRIES = 3  # the best one counts: a limit is what can be reached


def matrix_rate(precision: str, device: torch.device, side: int | None = None) -> float:
    """Operations a second (FLOP/s) in a product of square matrices, in "fp32" or "bf16"; `side` is a multiple of 32."""
    side, dtype = side or SIDE[device.type], DTYPES[precision]
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    # The same product written as a 1x1 convolution: on some CPUs oneDNN's convolution uses wider instructions than the
    # BLAS behind `a @ b`, and a limit that a convolution can pass would be none.
    pixels = a.view(1, 32, side // 32, side).permute(0, 3, 1, 2)  # channels last: a row of `a` is a pixel's channels
    kernels = b.t().contiguous().view(side, side, 1, 1)
    with torch.inference_mode():
        best = min(_best(lambda: a @ b, device), _best(lambda: torch.conv2d(pixels, kernels), device))
    return 2 * side**3 / best


def copy_rate(device: torch.device, size: int | None = None) -> float:
    """Bytes a second, read plus written, in a copy of `size` bytes."""
    size = size or COPIED[device.type]
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)
    return 2 * size / _best(lambda: target.copy_(source), device)


def _best(work: Callable[[], object], device: torch.device) -> float:
    work()  # touches new memory, lets the library choose its algorithm
    return min(timed(work, device) for _ in range(TRIES))


def describe(device: torch.device) -> dict[str, Any]:
    """Names, counts and versions that a measurement needs beside it."""
    cpu = _cpu_name()
    return dict(
        cpu=cpu,
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        device=str(device),
        device_name=torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        torch=torch.__version__,
        python=platform.python_version(),
    )


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")  # Linux only; elsewhere `platform` knows a name
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def source() -> dict[str, Any]:
    """Git commit of reslab's source, whether it was changed since, and today's date."""
    changes = git("status", "--porcelain", "--untracked-files=no")
    return dict(
        commit=git("rev-parse", "HEAD"),
        dirty=None if changes is None else bool(changes),
        date=time.strftime("%Y-%m-%d"),
    )

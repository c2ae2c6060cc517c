"""Where a run's numbers come from."""

import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ..files import write_json
from ..precision import computed_in
from ..runs import Run
from .config import RunConfig


def git(*arguments: str) -> str | None:
    """Output of a git command in the source tree, None without git or outside a checkout."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def versions() -> dict[str, Any]:
    """Git commit and dirty flag, and the versions of what computes."""
    tracked = (
        git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    )  # not just inside another project's tree
    changes = git("status", "--porcelain", "--untracked-files=no") if tracked else None
    return dict(
        git_commit=git("rev-parse", "HEAD") if tracked else None,
        git_dirty=None if changes is None else bool(changes),
        reslab=version("reslab"),
        torch=torch.__version__,
        torchvision=version("torchvision"),
        python=sys.version.split()[0],
        platform=platform.platform(),
    )


def provenance(
    config: RunConfig, fingerprint: dict[str, Any], device: torch.device, compiled: bool, processes: int
) -> dict[str, Any]:
    """Git commit and dirty flag, versions, device, processes, threads of each, compiled, the precision that it computes
    in (see reslab.precision) and data fingerprint of a sitting.
    """
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return dict(
        started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **versions(),
        device=str(device),
        device_name=name,
        processes=processes,
        threads=torch.get_num_threads(),
        compiled=compiled,
        precision=computed_in(config.precision, device),
        dataset_fingerprint=fingerprint,
    )


def keep(run: Run, now: dict[str, Any], first: dict[str, Any]) -> None:
    """Writes provenance.json: `now` at the first sitting; later `first`, which is what is there already, with what is
    different now added to its `resumed` list.
    """
    if first:
        changed = {name: value for name, value in now.items() if first.get(name) != value}
        first = first | dict(resumed=[*first.get("resumed", []), changed])
    write_json(run.path / "provenance.json", first or now)

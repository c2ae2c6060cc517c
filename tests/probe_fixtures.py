"""A probe as its module makes one, that nobody has to wait for: PROBES["fake"] = FAKE in a test."""

from pathlib import Path
from typing import Any

import torch

from reslab import Run
from reslab.probes.probing import Probe
from reslab.probes.results import kept
from reslab.probes.when import DoesNotApply

STANDARD = dict(images=3, split="test")
FAKE = Probe("tests.probe_fixtures", "initial")
asked: list[tuple[str, str, Any, Any]] = []  # run, at, data and device, each time that it really measured
BAD_DEPTH, OTHER_DEPTH = 20, 32  # of nets that it cannot be put to, and that it does not apply to


def settings(at: str) -> dict[str, Any]:
    return STANDARD | dict(at=at)


def measured(
    run: Run, at: str = "trained", data: str | Path | None = None, device: str | torch.device | None = None
) -> float:
    def measure() -> dict[str, float]:
        if run.config.depth == BAD_DEPTH:
            raise ValueError(f"{run.id} has twenty layers; take another net")
        if run.config.depth == OTHER_DEPTH:
            raise DoesNotApply("thirty-two layers have nothing fake in them")
        asked.append((run.id, at, data, device))
        return dict(depth=run.config.depth)

    return kept(run, "fake", settings(at), measure)["depth"]

"""What a run recorded of itself while it trained: see reslab.training.recording."""

import csv
import io
from typing import TYPE_CHECKING, Any

from ..files import names, read
from ..runs import Run
from ..training.recording import SIGNALS, SUFFIX, WEIGHTS

if TYPE_CHECKING:
    import torch


def recorded_signals(run: Run) -> list[dict[str, Any]]:
    """The rows of signals.csv, record by record and layer by layer: iteration, layer, variance and gradient, as in
    `signals`; none if the run did not record them.
    """
    rows = csv.DictReader(io.StringIO((read(run.path / SIGNALS) or b"").decode()))
    kinds = dict(iteration=int, layer=str, variance=float, gradient=float)
    return [{name: kind(row[name]) for name, kind in kinds.items()} for row in rows]


def recorded_iterations(run: Run) -> list[int]:
    """The iterations at which the run recorded its weights, in order."""
    found = [name for name in names(run.path / WEIGHTS) if name.endswith(SUFFIX)]
    return sorted(int(name.removesuffix(SUFFIX)) for name in found if not name.startswith("."))


def recorded_weights(run: Run, iteration: int) -> "dict[str, torch.Tensor]":
    """The state dict of the net after this iteration. Raises ValueError if it was not recorded."""
    from safetensors.torch import load

    content = read(run.path / WEIGHTS / f"{iteration:06}{SUFFIX}")
    if content is None:
        recorded = ", ".join(map(str, recorded_iterations(run)))
        has = f"it has those of {recorded}" if recorded else "train it in another store with record=['weights']"
        raise ValueError(f"at={iteration}: {run.id} did not record its weights then; {has}")
    return load(content)

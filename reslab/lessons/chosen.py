"""The runs that a notebook looks into."""

from collections.abc import Sequence
from pathlib import Path

from ..catalog import resolve
from ..runs import Run, RunStore
from ..training.config import RunConfig
from ..training.loop import train
from ..training.progress import ProgressBar


def chosen_runs(
    store: str | Path,
    ids: str | Sequence[str],
    configs: Sequence[RunConfig],
    data: str | Path | None = None,
    record: str | Sequence[str] = (),
) -> list[Run]:
    """Runs that are done: those of `ids` (a part of an id or a run folder's path will do; several in one text with
    commas, as papermill's -p gives them), each once, or, if there are none, those of `configs`, in that order.

    What the store does not have of `configs` is trained now, with a bar, and records what `record` says. Raises
    ValueError for an id that is no run, and for a run that is not done; what train() raises if it has to train.
    """
    place = RunStore(store)
    ids = [each.strip() for each in ids.split(",") if each.strip()] if isinstance(ids, str) else ids
    if ids:
        runs = list({run.id: run for run in (resolve(place, each) for each in ids)}.values())
    else:
        runs = [train(each, place, data=data, record=record, progress=ProgressBar(each.id)) for each in configs]
    for run in runs:
        if run.state != "done":
            raise ValueError(f"{run.id} is {run.state}: only a run that is done can be looked into; train it first")
    return runs

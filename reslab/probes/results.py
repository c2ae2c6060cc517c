"""What probes found, kept in the run folder: measured once, then read by figures and claims."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..files import Place, names, read, read_many, write_json
from ..runs import Run
from .when import TRAINED

FOLDER = "probes"  # in the run folder


def kept(run: Run, probe: str, settings: dict[str, Any], measure: Callable[[], Any]) -> Any:
    """What `measure()` gives, JSON-ready, from the run folder if it was measured with these `settings` before.

    The file is probes/PROBE-DIGEST.json, with the settings, the result and where it comes from. Raises ValueError for a
    run that is not done, because its weights are not final, unless the settings say `at` which other time it is about.
    """
    if settings.get("at", TRAINED) == TRAINED:
        check_done(run)
    settings = json.loads(json.dumps(settings))
    path = _place(run, probe, settings)
    content = read(path)
    if content is not None:
        return json.loads(content)["result"]
    result = json.loads(json.dumps(measure()))
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, dict(probe=probe, settings=settings, result=result, measured=_now()))
    return result


def check_done(run: Run) -> None:
    """Raises ValueError for a run whose weights are not final."""
    if run.state != "done":
        raise ValueError(f"{run.id} is {run.state}: a probe's result is kept for a run that is done; train it first")


def _place(run: Run, probe: str, settings: dict[str, Any]) -> Place:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    return run.path / FOLDER / f"{probe}-{digest}.json"


def _now() -> dict[str, Any]:
    from ..training.provenance import versions  # here, because readers need no torch

    return dict(at=time.strftime("%Y-%m-%dT%H:%M:%S%z"), **versions())


def results(run: Run, probe: str) -> list[dict[str, Any]]:
    """All that is kept of this probe: each with its settings and its result."""
    found = [name for name in names(run.path / FOLDER) if name.startswith(f"{probe}-") and name.endswith(".json")]
    contents = read_many([run.path / FOLDER / name for name in found])
    return [json.loads(content) for content in contents if content is not None]


def result(run: Run, probe: str, settings: dict[str, Any]) -> Any | None:
    """What is kept of this probe with exactly these settings; None if it was not measured."""
    settings = json.loads(json.dumps(settings))
    return next((each["result"] for each in results(run, probe) if each["settings"] == settings), None)


def found_in(runs: Sequence[Run], probe: str, settings: dict[str, Any]) -> list[Any | None]:
    """`result` of each run; from an object store all at the same time."""
    settings = json.loads(json.dumps(settings))
    contents = read_many([_place(run, probe, settings) for run in runs])
    return [None if content is None else json.loads(content)["result"] for content in contents]

"""A study's numbers in two small files that can be committed: what experiments/results/ holds."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..files import write_atomically, write_json
from ..runs import COLUMNS, TASK_COLUMNS, Run, metrics


def export(runs: Iterable[Run], stem: Path, probes: Sequence[str] = ()) -> tuple[Path, Path]:
    """Writes STEM.csv, every log point of every run, and STEM.json, each run's config, provenance and final numbers,
    and what these probes, with their standard settings, found in it.

    Returns the two paths. Together they hold the curves, and the commit and versions that made them; of plugins and
    folders of pictures the names, since where they are is this machine's.
    """
    runs = sorted(runs, key=lambda run: run.id)
    table, facts = Path(f"{stem}.csv"), Path(f"{stem}.json")
    table.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(table, as_csv(runs))
    found = _found(runs, probes)
    write_json(
        facts,
        {
            run.id: dict(config=_config(run), provenance=run.provenance, final=run.final) | its
            for run, its in zip(runs, found, strict=True)
        },
    )
    return table, facts


def _found(runs: Sequence[Run], probes: Sequence[str]) -> list[dict[str, Any]]:
    """Of each run its results by probe, if there are any."""
    if not probes:
        return [{}] * len(runs)
    from ..probes.probing import PROBES
    from ..probes.results import found_in

    columns = [found_in(runs, name, PROBES[name].settings()) for name in probes]
    named = [{n: r for n, r in zip(probes, row, strict=True) if r is not None} for row in zip(*columns, strict=True)]
    return [dict(probes=its) if its else {} for its in named]


def _config(run: Run) -> dict[str, Any]:
    values = run.config.for_any_seed.to_dict() | dict(seed=run.config.seed)
    return values | dict(plugins=[Path(plugin).name for plugin in values["plugins"]])


def as_csv(runs: Iterable[Run]) -> str:
    """Every log point of every run: the columns of metrics.csv, and the run's id before them."""
    text = io.StringIO()
    runs = list(runs)
    rows = [dict(run=run.id) | row for run, its in zip(runs, metrics(runs), strict=True) for row in its]
    own = [name for name in TASK_COLUMNS if any(name in row for row in rows)]
    writer = csv.DictWriter(text, ["run", *COLUMNS, *own], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

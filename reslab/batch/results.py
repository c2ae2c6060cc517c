"""A study's numbers in two small files that can be committed: what experiments/results/ holds."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..files import write_atomically, write_json
from ..runs import COLUMNS, TASK_COLUMNS, Run, metrics


def export(runs: Iterable[Run], stem: Path) -> tuple[Path, Path]:
    """Writes STEM.csv, every log point of every run, and STEM.json, each run's config, provenance and final numbers.

    Returns the two paths. Together they hold the curves, and the commit and versions that made them; of plugins and
    folders of pictures the names, since where they are is this machine's.
    """
    runs = sorted(runs, key=lambda run: run.id)
    table, facts = Path(f"{stem}.csv"), Path(f"{stem}.json")
    table.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(table, as_csv(runs))
    write_json(
        facts,
        {run.id: dict(config=_config(run), provenance=run.provenance, final=run.final) for run in runs},
    )
    return table, facts


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

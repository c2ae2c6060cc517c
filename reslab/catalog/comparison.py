"""Runs side by side: where they differ in config and provenance, how they ended, and whether they are the same bits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..files import must_read, read_many
from ..runs import COLUMNS, TASK_COLUMNS, Run, metrics, states

TIME_COLUMNS = ("seconds", "images_per_second")  # never the same twice


@dataclass(frozen=True)
class Comparison:
    """What `compare` found; every list has one item a run, in the order in which they were given.

    `config` and `provenance` hold the fields that differ, `finals` the columns of the last log point. `metrics` and
    `weights` say of each run but the first how it compares with the first; they are "the same bits" where it does.
    """

    ids: list[str]
    config: dict[str, list[Any]]
    provenance: dict[str, list[Any]]
    finals: dict[str, list[Any]]
    metrics: list[str]
    weights: list[str]


def compare(runs: Sequence[Run]) -> Comparison:
    """Compares runs with the first of them. Raises ValueError for fewer than two."""
    if len(runs) < 2:
        raise ValueError("comparing takes two runs or more")
    first, *others = runs
    rows, state = metrics(runs), dict(zip(runs, states(runs), strict=True))
    provenances = read_many([run.path / "provenance.json" for run in runs])
    return Comparison(
        ids=[run.id for run in runs],
        config=_differences(_configs(runs)),
        provenance=_differences([_flat(json.loads(text or "{}")) for text in provenances]),
        finals={name: [row[-1].get(name) if row else None for row in rows] for name in _columns(rows)},
        metrics=[_metrics(rows[0], other) for other in rows[1:]],
        weights=[_weights(first, other, state) for other in others],
    )


def _columns(rows: Sequence[list[dict[str, Any]]]) -> list[str]:
    """All runs' columns, and those that the task of one of them has."""
    return [*COLUMNS, *(name for name in TASK_COLUMNS if any(its and name in its[-1] for its in rows))]


def _configs(runs: Sequence[Run]) -> list[dict[str, Any]]:
    given = [json.loads(text) for text in map(must_read, [run.path / "config.json" for run in runs])]
    if all(config.keys() == given[0].keys() for config in given):
        return given
    # Some are from before there was a field: RunConfig knows what they did then.
    return [run.config.to_dict() | config for config, run in zip(given, runs, strict=True)]


def _flat(provenance: dict[str, Any]) -> dict[str, Any]:
    """Nested values under names such as dataset_fingerprint.train; of later sittings, how many there were."""
    flat = {}
    for name, value in provenance.items():
        nested = value if isinstance(value, dict) else {}
        flat |= {f"{name}.{key}": item for key, item in nested.items()} or {name: value}
    if "resumed" in flat:
        flat["resumed"] = len(flat["resumed"])
    return flat


def _differences(values: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for value in values for name in value)
    side_by_side = {name: [value.get(name) for value in values] for name in names}
    return {name: row for name, row in side_by_side.items() if any(item != row[0] for item in row)}


def _metrics(first: list[dict[str, Any]], other: list[dict[str, Any]]) -> str:
    if not (first and other):
        return "no log point yet"
    pairs = zip(*([_timeless(row) for row in rows] for rows in (first, other)), strict=False)
    for one, two in pairs:
        if one != two:
            return f"differ from iteration {min(one['iteration'], two['iteration']):,} on"
    if len(first) == len(other):
        return "the same bits"
    return f"the same bits up to iteration {min(first[-1]['iteration'], other[-1]['iteration']):,}, where one ends"


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in TIME_COLUMNS}


def _weights(first: Run, other: Run, state: Mapping[Run, str]) -> str:
    unfinished = [run.id for run in (first, other) if state[run] != "done"]
    if unfinished:
        return f"not there: {' and '.join(unfinished)} not done"
    # numpy's, because torch would take a second. Not the files' bytes: they hold the run's id.
    from safetensors.numpy import load

    one, two = (load(must_read(run.path / "weights.safetensors")) for run in (first, other))
    if {name: (t.shape, t.dtype) for name, t in one.items()} != {name: (t.shape, t.dtype) for name, t in two.items()}:
        return "of another net"
    if all(one[name].tobytes() == two[name].tobytes() for name in one):
        return "the same bits"
    largest = max(float(abs(one[name].astype(float) - two[name].astype(float)).max(initial=0)) for name in one)
    return f"differ, by up to {largest:.3g}"

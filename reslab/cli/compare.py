"""`reslab runs compare`."""

import json as json_module
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from ..catalog import resolve
from ..catalog.comparison import Comparison, compare
from ..runs import RunStore
from .options import Store
from .sentences import sentences
from .tables import show

app = typer.Typer(add_completion=False)


@app.command()
def compare_command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Ids, parts of ids, or paths.")],
    store: Store = None,
    json: Annotated[bool, typer.Option("--json", help="For programs: an object, on stdout.")] = False,
) -> None:
    """What is different between runs: config, provenance, final numbers, and whether they are the same bits."""
    with sentences("Stopped."):
        root = RunStore(store)
        found = compare([resolve(root, given) for given in runs])
        print(json_module.dumps(asdict(found), indent=1)) if json else _print(found)


def _print(found: Comparison) -> None:
    numbers = {name: [_number(value) for value in values] for name, values in found.finals.items()}
    for title, side_by_side in (
        ("Config", found.config),
        ("Provenance", found.provenance),
        ("Last log point", numbers),
    ):
        if side_by_side:
            _table(title, found.ids, side_by_side)
        else:
            print(f"{title}: the same")
        print()
    first, *others = found.ids
    for id, metrics, weights in zip(others, found.metrics, found.weights, strict=True):
        print(f"{id} against {first}")
        print(f"  metrics, but for the time columns: {metrics}")
        print(f"  weights: {weights}")


def _table(title: str, ids: Sequence[str], side_by_side: Mapping[str, Sequence[Any]]) -> None:
    show([title, *ids], [[name, *map(_text, values)] for name, values in side_by_side.items()])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_module.dumps(value)

"""A table of runs: which curves are drawn, and which two runs are compared."""

import math
import re
from pathlib import Path
from typing import Any

import anywidget
import traitlets

KINDS = ("text", "number", "state", "progress")
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


class RunTable(anywidget.AnyWidget):
    """Runs to sort, filter, tick and compare. Sorting and filter belong to the view; ticks and the pair are traits.

    `columns` are dicts: key, label, kind (one of KINDS), and as one likes digits (decimal places) and unit. `rows` are
    dicts: id (str), colour ("#rrggbb") and the columns' keys. A "progress" is a share, 0 to 1. None, and a number that
    is not finite, is shown as a dash. `shown` are the ids of the ticked rows, in the rows' order; `pair` are the ids
    under comparison, at most two, the older first. Both hold ids of present rows only: give `rows` first or together,
    and an id that is not there, of a run deleted meanwhile for instance, is left out.

    Traits are replaced, not changed in place; setting an equal value sends nothing. Raises traitlets.TraitError for a
    column or row that lacks something, an id or key that is there twice, and a pair of more than two.
    """

    _esm = Path(__file__).with_name("table.js")
    _css = Path(__file__).with_name("table.css")

    columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    shown = traitlets.List(traitlets.Unicode()).tag(sync=True)
    pair = traitlets.List(traitlets.Unicode()).tag(sync=True)

    @traitlets.validate("columns")
    def _check_columns(self, proposal: Any) -> list[dict[str, Any]]:
        for column in proposal["value"]:
            if missing := {"key", "label", "kind"} - column.keys():
                raise traitlets.TraitError(f"column {column!r} lacks {', '.join(sorted(missing))}")
            if column["kind"] not in KINDS:
                raise traitlets.TraitError(f"kind={column['kind']!r} is not possible; allowed: {', '.join(KINDS)}")
        _refuse_doubles("key", proposal["value"])
        return proposal["value"]

    @traitlets.validate("rows")
    def _check_rows(self, proposal: Any) -> list[dict[str, Any]]:
        for row in proposal["value"]:
            if not isinstance(row.get("id"), str):
                raise traitlets.TraitError(f"row {row!r} lacks an id, a str")
            if not COLOUR.fullmatch(str(row.get("colour"))):
                raise traitlets.TraitError(f"row {row['id']}: colour={row.get('colour')!r} is no '#rrggbb'")
        _refuse_doubles("id", proposal["value"])
        return [{key: _finite(value) for key, value in row.items()} for row in proposal["value"]]

    @traitlets.validate("shown")
    def _check_shown(self, proposal: Any) -> list[str]:
        wanted = set(proposal["value"])
        return [row["id"] for row in self.rows if row["id"] in wanted]

    @traitlets.validate("pair")
    def _check_pair(self, proposal: Any) -> list[str]:
        pair = list(dict.fromkeys(proposal["value"]))
        if len(pair) > 2:
            raise traitlets.TraitError(f"pair={pair} is not possible; allowed: at most two ids")
        present = {row["id"] for row in self.rows}
        return [each for each in pair if each in present]

    @traitlets.observe("rows")
    def _forget_vanished(self, _: Any) -> None:
        self.shown, self.pair = self.shown, self.pair  # the checks above leave out what is no more


def _refuse_doubles(field: str, dicts: list[dict[str, Any]]) -> None:
    values = [each[field] for each in dicts]
    if doubles := sorted({str(value) for value in values if values.count(value) > 1}):
        raise traitlets.TraitError(f"{field} is there twice: {', '.join(doubles)}")


def _finite(value: Any) -> Any:
    """JSON knows no NaN: a diverged run's loss becomes None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value

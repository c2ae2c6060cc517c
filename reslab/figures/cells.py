"""A small table of words and numbers, for a notebook's cell."""

from collections.abc import Iterable, Mapping


class Table(tuple[dict[str, str], ...]):
    """One dict a row, from column to text; all rows have the columns of the first. A notebook shows a table; prints as
    Markdown.
    """

    def __str__(self) -> str:
        columns = list(self[0])
        lines = [columns, [":---", *["---:"] * (len(columns) - 1)], *([row[c] for c in columns] for row in self)]
        return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)

    __repr__ = __str__
    _repr_markdown_ = __str__


def as_table(rows: Iterable[Mapping[str, object]]) -> Table:
    """Rows, each a mapping from column to value, as a table: the first column left, the others right.

    Raises ValueError for no rows, or rows with different columns.
    """
    made = Table({name: str(value) for name, value in row.items()} for row in rows)
    if not made or any(row.keys() != made[0].keys() for row in made):
        raise ValueError("a table needs at least one row, and the same columns in all of them")
    return made

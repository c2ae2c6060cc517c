"""Tables for people: drawn by rich in a terminal, plain aligned text elsewhere."""

import sys
from collections.abc import Iterator, Sequence

DRAWN = 500  # rows; rich takes half a millisecond for one, and ten thousand should come at once


def show(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Prints the table; the columns numbered `right` are right-aligned."""
    if not sys.stdout.isatty() or len(rows) > DRAWN:
        print("\n".join(aligned([header, *rows], right)))
        return
    from rich.console import Console  # here, because it takes a tenth of a second
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(escape(name), justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    """Lines whose columns, two spaces apart, begin at the same place, or end there if their number is in `right`."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = [">" if index in right else "<" for index in range(len(widths))]
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True))
    for row in rows:
        yield form.format(*row).rstrip()


def amount(size: int) -> str:
    """Bytes in words: 512 B, 3.4 MB."""
    number, units = float(size), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while number >= 999.5 and unit != "TB":
        number, unit = number / 1000, next(units)
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.3g} {unit}"

"""A small table of numbers that a class can read: words on the left, numbers on the right."""

from collections.abc import Iterable, Sequence
from html import escape


class Listing:
    """`rows` of text under `head`, the first column in bold; prints as text, and a notebook shows a table."""

    def __init__(self, head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = ""):
        self.head, self.rows, self.caption = tuple(head), [tuple(row) for row in rows], caption

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [
            "  ".join([first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(rest, widths[1:], strict=True))])
            for first, *rest in (self.head, *self.rows)
        ]
        return "\n".join([*lines, self.caption] if self.caption else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        left = "text-align:left;padding:.35em .9em;white-space:nowrap"
        right = "text-align:right;padding:.35em .9em;font-variant-numeric:tabular-nums;white-space:nowrap"
        styles = [left, *[right] * (len(self.head) - 1)]
        head = "".join(f'<th style="{s}">{escape(cell)}</th>' for s, cell in zip(styles, self.head, strict=True))
        body = ""
        for first, *rest in self.rows:
            cells = "".join(f'<td style="{right}">{escape(cell)}</td>' for cell in rest)
            body += f'<tr><td style="{left}"><b>{escape(first)}</b></td>{cells}</tr>'
        caption = f'<caption style="caption-side:bottom;{left};white-space:normal">{escape(self.caption)}</caption>'
        style = "font-size:15px;border-collapse:collapse"
        return f'<table style="{style}">{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

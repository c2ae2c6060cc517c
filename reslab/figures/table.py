"""The table under the curves."""

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

from ..runs import Run
from .nets import Net, nets_of, what
from .published import published_text

# What some tasks measure besides errors: see reslab.runs.TASK_COLUMNS.
MEASURES = dict(map50="mAP@.5 (%)", map="mAP@[.5,.95] (%)", psnr="PSNR (dB)", ssim="SSIM")
DIGITS = dict(ssim=4)  # of the others two


class SummaryTable(tuple[dict[str, Any], ...]):
    """One dict a net: net, n, train_error, train_error_std, test_error, test_error_std (percent), parameters and
    published; of runs that measure more, such as psnr, that too with its _std.

    Errors are means over the n seeds that reached their final iteration, None where there is none; std is None where
    n < 2; `published` is in words what others got for the test error, "" where nothing can be compared. Prints as text;
    a notebook shows a table.
    """

    caption: str = ""
    held_out: str = "test"
    colours: tuple[str, ...] = ()

    def _cells(self) -> list[tuple[str, ...]]:
        measured = [name for name in MEASURES if any(name in row for row in self)]
        labels = [MEASURES[name] for name in measured]
        head = ("net", "n", "training error (%)", f"{self.held_out} error (%)", *labels, "published", "parameters")
        body = [
            (
                row["net"],
                str(row["n"]),
                *(_mean(row, name) for name in ("train_error", "test_error", *measured)),
                row["published"],
                f"{row['parameters']:,}",
            )
            for row in self
        ]
        compared = any(row["published"] for row in self)
        return [cells if compared else (*cells[:-2], cells[-1]) for cells in (head, *body)]

    def __str__(self) -> str:
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
            for row in cells
        ]
        return "\n".join([*lines, self.caption])

    __repr__ = __str__

    def markdown(self) -> str:
        """A table for an issue or a paper, in Markdown."""
        head, *body = [[cell.replace("|", "\\|") for cell in cells] for cells in self._cells()]
        lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + f"\n\n{self.caption}"

    def _repr_html_(self) -> str:
        head, *body = self._cells()
        left = "text-align:left;padding:.4em .9em"
        right = "text-align:right;padding:.4em .9em;font-variant-numeric:tabular-nums;white-space:nowrap"
        top = "".join(f'<th style="{right if i else left}">{cell}</th>' for i, cell in enumerate(head))
        published = right.replace("nowrap", "normal")  # long, and the rest should fit beside it
        rows = ""
        for colour, (net, *rest) in zip(self.colours, body, strict=True):
            name = f'<span style="color:{colour}">⬤</span>&ensp;<b>{escape(net)}</b>'
            rows += f'<tr><td style="{left};white-space:nowrap">{name}</td>'
            styles = [published if column == "published" else right for column in head[1:]]
            rows += "".join(f'<td style="{s}">{_lines(cell)}</td>' for s, cell in zip(styles, rest, strict=True))
            rows += "</tr>"
        caption = f'<caption style="caption-side:bottom;{left}">{escape(self.caption)}</caption>'
        style = "font-size:15px;border-collapse:collapse"
        return f'<table style="{style}">{caption}<thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table>'


def summary_table(runs: Iterable[Run]) -> SummaryTable:
    """Each net's errors, mean ± std over seeds at the final iteration (never the best epoch), n, and parameters."""
    nets = nets_of(runs)
    table = SummaryTable(_row(net) for net in nets)
    table.colours = tuple(net.colour for net in nets)
    table.held_out = " / ".join(sorted({net.held_out for net in nets})) or "test"
    table.caption = f"{what(nets)}; mean ± std over n seeds at the final iteration" if nets else "No log point yet."
    return table


def _row(net: Net) -> dict[str, Any]:
    row: dict[str, Any] = dict(net=net.label, n=len(net.finished))
    own = [name for name in MEASURES if name in net.seeds[0].columns]
    for name in ("train_error", "test_error", *own):
        values = net.final(name)
        row[name] = float(values.mean()) if len(values) else None
        row[f"{name}_std"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return row | dict(parameters=_parameters(net), published=published_text(net.config))


def _parameters(net: Net) -> int:
    return sum(parameter.numel() for parameter in net.config.make_net().parameters())


def _lines(cell: str) -> str:
    """HTML, one line for each of several sources."""
    return "<br>".join(escape(part) for part in cell.split("; "))


def _mean(row: dict[str, Any], name: str) -> str:
    if name not in row:
        return ""
    mean, std, digits = row[name], row[f"{name}_std"], DIGITS.get(name, 2)
    if mean is None:
        return "not finished"
    return f"{mean:.{digits}f}" + (f" ± {std:.{digits}f}" if std is not None else "")

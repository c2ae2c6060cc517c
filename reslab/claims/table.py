"""The ledger: every claim, our numbers, the published ones, the difference and the verdict."""

import re
from collections.abc import Iterable
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .evaluation import evaluate
from .missing import ENOUGH
from .reading import CONTRADICTED, INDICATIVE, SUPPORTED, UNDECIDED
from .units import PERCENT
from .verdict import Finding, Verdict

if TYPE_CHECKING:
    from ..runs import Run

# Colours that colour-blind eyes tell apart, and a sign for print.
LOOKS = {
    SUPPORTED: ("#00664b", "✓"),
    CONTRADICTED: ("#b3400b", "✗"),
    INDICATIVE: ("#8a6100", "~"),
    UNDECIDED: ("#5b6472", "?"),
}
HEAD = ("claim", "our numbers", "published", "difference", "verdict")
WIDTHS = (23, 24, 20, 15, 18)  # of the columns, percent of a page's 62 rem
SMALL = "font-size:13px;color:#5b6472"
# A line of numbers; one that is too long goes on inset.
ENTRY = "font-size:13px;font-variant-numeric:tabular-nums;padding-left:.9em;text-indent:-.9em"
# What a line is not broken in: plain-20, 9.4 ± 0.27 %, (n = 3), an effect and its interval.
TOGETHER = re.compile(
    r"\b(plain|ResNet)-\d+|−?[\d.,]+ ± [\d.]+( %| points| decades| dB)?|\([^()]{1,14}\)"
    r"|^[+−][\d.]+ (\[.*?\]|no interval)"
)


class Ledger(tuple[Verdict, ...]):
    """Verdicts that print as text and show as a table in a notebook; `markdown()` and `to_json()` are for elsewhere."""

    links: str | None = None

    @property
    def caption(self) -> str:
        """How to read it: what the differences are and what the intervals promise."""
        tests, level = max((verdict.tests for verdict in self), default=0), self[0].level if self else 0.95
        parts = ["Final iteration, mean ± std over n seeds."]
        if tests:
            each = 100 * (1 - (1 - level) / tests)
            parts.append(
                f"Differences: second net less first, with Welch's interval over seeds; {tests} are tested, so each "
                f"interval is at {each:.{2 if each < 99.99 else 4}f} %, and all hold at once with {100 * level:g} % "
                "(Bonferroni)."
            )
        if any(len(finding.n) == 1 for verdict in self for finding in verdict.findings):
            parts.append("A net against a number has Student's interval instead.")
        parts.append("Without an interval a verdict on runs is never more than indicative.")
        if any(verdict.claim.exact for verdict in self):
            parts.append("Parameters and weights are counted on the nets, without runs.")
        if any(verdict.to_run for verdict in self):
            parts.append(f"{ENOUGH} seeds of a net are the fewest whose spread says something.")
        parts.append("Published numbers stand beside runs of the paper profile on CIFAR-10 only.")
        return " ".join(parts)

    @property
    def in_points(self) -> bool:
        """Whether all differences are percentage points, so that the head can say it once for all."""
        return all(finding.unit.axis == PERCENT.axis for verdict in self for finding in verdict.findings)

    @property
    def head(self) -> tuple[str, ...]:
        return tuple(f"{name} (points)" if name == "difference" and self.in_points else name for name in HEAD)

    def _said(self, finding: Finding) -> str:
        return str(finding) if self.in_points else finding.with_unit

    def to_json(self) -> list[dict[str, Any]]:
        """One dict a verdict, JSON-ready."""
        return [verdict.to_dict() for verdict in self]

    def __str__(self) -> str:
        head = ("claim", "verdict", "difference", "n", "setting")
        rows = [head, *(row for verdict in self for row in self._rows(verdict))]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lacking = [f"{verdict.claim.name}: {verdict.missing}" for verdict in self if verdict.missing]
        return "\n".join([*lines, "", *([*lacking, ""] if lacking else []), self.caption])

    __repr__ = __str__

    def markdown(self) -> str:
        """A table for an issue or a paper, and the caption."""
        lines = ["| " + " | ".join(self.head) + " |", "|---|---|---|---|---|"]
        for verdict in self:
            claim = [f"**{verdict.claim.statement}**", f"`{verdict.claim.name}`, {verdict.claim.source}"]
            cells = [[*claim, verdict.setting], *self._columns(verdict), [f"**{verdict.words}**", verdict.missing]]
            lines.append("| " + " | ".join("<br>".join(filter(None, cell)) for cell in cells) + " |")
        return "\n".join([*lines, "", self.caption, ""])

    def _repr_html_(self) -> str:
        cell = "text-align:left;vertical-align:top;padding:.6em .7em;border-bottom:1px solid #e1e4e9"
        columns = zip(WIDTHS, self.head, strict=True)
        head = "".join(f'<th style="{cell};width:{width}%">{name}</th>' for width, name in columns)
        rows = "".join(f"<tr>{self._html(verdict, cell)}</tr>" for verdict in self)
        caption = f'<caption style="caption-side:bottom;{cell}">{escape(self.caption)}</caption>'
        style = "font-size:15px;line-height:1.4;border-collapse:collapse;table-layout:auto;width:100%;max-width:62rem"
        return f'<table style="{style}">{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'

    def _html(self, verdict: Verdict, cell: str) -> str:
        claim = verdict.claim
        about = f'<b>{escape(claim.statement)}</b><div style="{SMALL}">{escape(claim.source)}'
        about += "".join(f"<br>{escape(text)}" for text in (claim.note, verdict.setting) if text) + "</div>"
        colour, sign = LOOKS[verdict.verdict]
        result = f'<b style="color:{colour};white-space:nowrap">{sign}&ensp;{verdict.words}</b>'
        if verdict.missing:
            result += f'<div style="{SMALL}">{_together(verdict.missing)}</div>'
        result += _folded(f"{len(verdict.to_probe)} to probe", map(escape, verdict.probe_commands))
        result += _folded(f"{len(verdict.to_run)} to run", map(escape, verdict.train_commands))
        result += _folded(f"{len(verdict.runs)} runs", map(self._link, verdict.runs))
        columns = ["".join(map(_line, lines)) for lines in self._columns(verdict)]
        return "".join(f'<td style="{cell}">{content}</td>' for content in (about, *columns, result))

    def _rows(self, verdict: Verdict) -> list[tuple[str, ...]]:
        """Lines of the text: one a finding, since a claim of two parts has two differences."""
        name, setting = verdict.claim.name, verdict.setting
        if len(verdict.findings) < 2:
            n = verdict.n if isinstance(verdict.n, str) else _seeds(verdict.n)
            return [(name, verdict.words, "".join(map(self._said, verdict.findings)), n, setting)]
        parts = [(f"  {f.what}", "", self._said(f), _seeds(f.n), "") for f in verdict.findings]
        return [(name, verdict.words, "", "", setting), *parts]

    def _columns(self, verdict: Verdict) -> tuple[list[str], list[str], list[str]]:
        """Lines of the columns that the HTML and the Markdown have alike: ours, published, differences."""
        ours, published = [], []
        for measure, numbers in groupby(verdict.numbers, key=lambda number: number.measure):
            numbers = list(numbers)
            ours += [f"{measure}:", *map(str, numbers)]
            theirs = [f"{number.net}: {number.published}" for number in numbers if number.published]
            published += [f"{measure}:", *theirs] if theirs else []
        differences = [line for finding in verdict.findings for line in (self._said(finding), f"({finding.what})")]
        return tuple(lines or ["–"] for lines in (ours, published, differences))

    def _link(self, run: "Run") -> str:
        if self.links is None:
            return escape(run.id)
        address = f"{self.links.rstrip('/')}/{run.id}"
        return f'<a href="{escape(address, quote=True)}">{escape(run.id)}</a>'


def ledger(runs: "Iterable[Run]", names: Iterable[str] | None = None, links: str | None = None) -> Ledger:
    """The verdicts of these runs as a table: see `evaluate`.

    `links` is the address of the store as the table's reader sees it, such as "../runs" or "file:///data/runs"; run ids
    then link to their folders. Without it the table names them and can be passed round.
    """
    table = Ledger(evaluate(runs, names))
    table.links = links
    return table


def _seeds(n: tuple[int, ...]) -> str:
    return " / ".join(map(str, n))


def _line(text: str) -> str:
    """A line of a cell, fainter if it is the heading of those below."""
    return f'<div style="{ENTRY}{";color:#5b6472" if text.endswith(":") else ""}">{_together(text)}</div>'


def _together(text: str) -> str:
    """HTML that keeps a net's name, and numbers that belong together, on one line."""
    return TOGETHER.sub(r'<span style="white-space:nowrap">\g<0></span>', escape(text))


def _folded(summary: str, lines: Iterable[str]) -> str:
    lines = list(lines)
    return f"<details><summary>{summary}</summary>{'<br>'.join(lines)}</details>" if lines else ""

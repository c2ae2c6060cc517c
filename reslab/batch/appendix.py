"""What a study's page has after its notebook: verdicts, numbers, runs, failures and how to repeat it, as HTML."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from .facts import StudyFacts, divided
from .progress import duration

SHORT = 10  # characters of a commit or fingerprint in a table that compares runs


def sections(facts: StudyFacts) -> dict[str, str]:
    """Heading -> HTML. Those with nothing to say are not there."""
    found = {
        "Verdicts": facts.ledger._repr_html_() if facts.experiment.claims else "",
        "Numbers": facts.table._repr_html_() if facts.table else "",
        "What failed": _failures(facts.failures),
        "Runs": _runs(facts) if facts.runs else "",
        "How to repeat it": _repeat(facts),
    }
    return {heading: html for heading, html in found.items() if html}


def _failures(failures: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<li><code>{escape(run)}</code>: {escape(what)}</li>" for run, what in failures)
    return f"<ul>{items}</ul>" if items else ""


def _runs(facts: StudyFacts) -> str:
    """What all runs have in common once, and for each its own, both folded away."""
    config, own_config = divided(run.config for run in facts.begun)
    provenance, own_provenance = divided(run.provenance for run in facts.begun)
    rows = [
        dict(run=run.id)
        | (dict(state=run.state) if facts.done < len(facts.told) else {})
        | own
        | {name: _short(value) for name, value in origin.items()}
        | {"training error": _percent(run.final, "train_error"), "test error": _percent(run.final, "test_error")}
        | {"trained for": duration(run.final["seconds"]) if run.final else ""}
        | {"started": _minute(run.sittings[0]["started"]) if run.sittings else "", "resumed": run.resumed}
        for run, own, origin in zip(facts.begun, own_config, own_provenance, strict=True)
    ]
    rows = [{n: v for n, v in row.items() if n != "resumed" or any(r["resumed"] for r in rows)} for row in rows]
    text = f"<p>{facts.done} of {len(facts.told)} runs done, in {duration(facts.seconds)} of training altogether.</p>"
    new = [run.id for run in facts.told if not run.config]
    if new:
        text += f"<p>Not begun: {', '.join(f'<code>{escape(name)}</code>' for name in new)}.</p>"
    if not rows:
        return text
    return (
        f"{text}"
        f"<details><summary>What all have in common</summary>"
        f"{_pairs('Config', config)}{_pairs('Provenance', provenance)}</details>"
        f"<details><summary>Each run, with what is its own</summary>{_table(rows)}</details>"
    )


def _pairs(caption: str, values: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><th>{escape(n)}</th><td>{escape(_said(v))}</td></tr>" for n, v in values.items())
    return f'<h3>{caption}</h3><table class="small pairs">{rows}</table>' if rows else ""


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    body = "".join(f"<tr>{_cells(row.values())}</tr>" for row in rows)
    table = f'<table class="small each"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def _cells(values: Iterable[Any]) -> str:
    return "".join(f"<td>{escape(_said(value))}</td>" for value in values)


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value)) or "none"
    return {None: "none", True: "yes", False: "no"}[value] if value is None or isinstance(value, bool) else str(value)


def _short(value: Any) -> Any:
    hexadecimal = isinstance(value, str) and len(value) >= 40 and all(c in "0123456789abcdef" for c in value)
    return value[:SHORT] if hexadecimal else value


def _minute(time: str) -> str:
    """An ISO time as people read it, with its time zone: the runs may be from many places."""
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M %z}".strip()


def _percent(final: Mapping[str, Any], name: str) -> str:
    return f"{final[name]:.2f}" if final else ""


def _repeat(facts: StudyFacts) -> str:
    commands = "".join(
        f"<p>{escape(what[0].upper() + what[1:])}:</p><pre>{escape(command)}</pre>" for command, what in facts.commands
    )
    return f"<p>{escape(code_of(facts.commits))}</p>{commands}" if commands else ""


def code_of(commits: Sequence[str]) -> str:
    """In a sentence, which code the runs are of and whether it can be had again. `commits` as StudyFacts has them."""
    if not commits:
        return "No run has begun."
    if "" in commits:
        return "The runs are of an installed package, outside of git: repeat them with the same version of reslab."
    names = " and ".join(commit.removesuffix("+")[:SHORT] for commit in commits)
    if any(commit.endswith("+") for commit in commits):
        return f"The runs are of commit {names} and changes that no commit holds: commit them and run the study again."
    several = " They are not all of one commit." if len(commits) > 1 else ""
    return f"The runs are of commit {names}: check it out first, with git checkout.{several}"

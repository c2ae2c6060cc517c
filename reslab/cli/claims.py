"""`reslab claims`."""

from pathlib import Path
from typing import Annotated

import typer

from ..files import write_atomically, write_json
from ..names import check_names
from ..runs import RunStore
from .options import Store
from .sentences import sentences

app = typer.Typer(add_completion=False)


@app.command()
def claims_command(
    store: Store = None,
    profile: Annotated[str | None, typer.Option(help="Only runs of this profile. Default: all of the store.")] = None,
    claim: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this claim; may be given several times.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the ledger to this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the ledger to this HTML file.")] = None,
) -> None:
    """The paper's claims, and what the runs say of them.

    Each with its source, our numbers, the published ones and a verdict: supported, contradicted or undecided.
    """
    from ..claims import CLAIMS, ledger

    with sentences():
        check_names(claim or [], list(CLAIMS), "reslab.claims")
        found = ledger(RunStore(store).find(**(dict(profile=profile) if profile else {})), claim)
        print(found)
        if json:
            json.parent.mkdir(parents=True, exist_ok=True)
            write_json(json, found.to_json())
            print(f"Written: {json}")
        if html:
            html.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(html, PAGE.format(found._repr_html_()))
            print(f"Written: {html}")


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The claims and the runs</title></head>
<body style="font-family: sans-serif; max-width: 75rem; margin: 2rem auto">
{}
</body></html>
"""

"""`reslab runs prune`."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from ..catalog import Entry, pruning
from ..runs import RunStore
from .filters import Filters, filter_options
from .options import Store
from .tables import amount, show

app = typer.Typer(add_completion=False)


@app.command()
@filter_options
def prune_command(
    filters: Filters,
    store: Store = None,
    older: Annotated[float | None, typer.Option(metavar="DAYS", help="Only what nothing happened to since.")] = None,
    checkpoints_only: Annotated[
        bool, typer.Option("--checkpoints-only", help="Of runs that are done; metrics and weights stay.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove runs, or the checkpoints of runs that are done; shows which, and asks.

    A run that somebody trains is never touched.
    """
    if not (filters.state or filters.wanted or older is not None or checkpoints_only):
        raise ValueError("prune which runs? Say --state failed, say; --older 0 means all of them")
    if checkpoints_only and filters.state not in (None, "done"):
        raise ValueError(f"a run that is {filters.state} goes on from its checkpoint: leave out --state")
    root = RunStore(store)
    if left := pruning.sweep(root):
        print(f"Removed what an earlier prune, which was stopped, had left of {left} run{'s' * (left > 1)}.")
    found = [entry for entry in filters.find(root) if older is None or pruning.age(entry) >= older]
    going = [(entry, _size(entry, checkpoints_only)) for entry in found if _may_go(entry, checkpoints_only)]
    going = [(entry, size) for entry, size in going if size or not checkpoints_only]
    trained = sum(entry.state == "running" for entry in found)
    if trained:
        print(f"{trained} of these {'are' if trained > 1 else 'is'} being trained, and left alone.", file=sys.stderr)
    if not going:
        print(f"nothing to prune in {root.root.absolute()}", file=sys.stderr)
        return
    if _agreed(going, "the checkpoints of " * checkpoints_only, yes):
        _remove(going, checkpoints_only)


def _may_go(entry: Entry, checkpoints_only: bool) -> bool:
    return entry.state == "done" if checkpoints_only else entry.state != "running"


def _size(entry: Entry, checkpoints_only: bool) -> int:
    return pruning.size(entry.run, pruning.CHECKPOINTS if checkpoints_only else "*")


def _agreed(going: Sequence[tuple[Entry, int]], what: str, yes: bool) -> bool:
    """Shows what would go. Raises ValueError if there is nobody to ask."""
    show(["run", "state", "size"], [[entry.id, entry.state, amount(size)] for entry, size in going], right=(2,))
    total = amount(sum(size for _, size in going))
    what = f"{what}{len(going)} run{'s' * (len(going) > 1)}, {total}"
    if not (yes or sys.stdin.isatty()):
        raise ValueError(f"nothing was removed: there is no terminal to ask in; --yes removes {what}")
    return yes or typer.confirm(f"Remove {what}?")


def _remove(going: Sequence[tuple[Entry, int]], checkpoints_only: bool) -> None:
    remove = pruning.remove_checkpoints if checkpoints_only else pruning.remove
    removed, freed = 0, 0
    for entry, size in going:
        reason = remove(entry)
        if reason:
            print(f"{entry.id} {reason}: left alone", file=sys.stderr)
        else:
            removed, freed = removed + 1, freed + size
    print(f"Removed {amount(freed)}: {'checkpoints of ' * checkpoints_only}{removed} run{'s' * (removed != 1)}.")

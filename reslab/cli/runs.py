"""`reslab runs`: lists runs, and has commands that compare and prune them."""

import json as json_module
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..catalog import OWN, Entry, sort
from ..runs import RunStore
from .filters import Filters, filter_options
from .lazy import add
from .options import Store
from .tables import show

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
@filter_options
def runs_command(
    ctx: typer.Context,
    filters: Filters,
    store: Store = None,
    sort_by: Annotated[
        str, typer.Option("--sort", metavar="NAME", help="id, state, a column of metrics.csv or a RunConfig field.")
    ] = "id",
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    json: Annotated[bool, typer.Option("--json", help="For programs: a list of objects, on stdout.")] = False,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write TensorBoard's event files of these runs there.")
    ] = None,
) -> None:
    """List runs, compare or prune them.

    Lists id, state, iteration and the errors at the last log point of all runs, or of those that the options choose.
    """
    if ctx.invoked_subcommand:
        _refuse_options(ctx)
        return
    root = RunStore(store)
    found = sort(filters.find(root, configs=json or sort_by not in OWN), sort_by, reverse)[:limit]
    if json:
        print(json_module.dumps([_as_json(entry) for entry in found], indent=1))
    elif found:
        _print(found)
    if not found:
        print(f"no such run in {root.root.absolute()}", file=sys.stderr)
    if tensorboard:
        from ..batch.tensorboard import EventFiles

        with EventFiles(tensorboard) as files:
            files.update(entry.run for entry in found)
        print(f"Written: {tensorboard}; look at it with `tensorboard --logdir {tensorboard}`", file=sys.stderr)


add(
    app,
    compare="What is different between runs: config, provenance, final numbers, and whether they are the same bits.",
    prune="Remove runs, or the checkpoints of runs that are done; shows which, and asks.",
)


def _refuse_options(ctx: typer.Context) -> None:
    """What stands before the command would be lost, and `--state failed prune` would mean more than it says."""
    unset = {parameter.name: (parameter.default, None, (), []) for parameter in ctx.command.params}
    if given := [name for name, value in ctx.params.items() if value not in unset[name]]:
        option = "--" + {"sort_by": "sort"}.get(given[0], given[0])
        raise ValueError(f"{option} belongs behind {ctx.invoked_subcommand}: reslab runs {ctx.invoked_subcommand} ...")


def _as_json(entry: Entry) -> dict[str, object]:
    row = dict(id=entry.id, path=str(entry.run.path), state=entry.state)
    return row | dict(config=entry.config, status=entry.status, final=entry.final)


def _print(found: Sequence[Entry]) -> None:
    if sys.stdout.isatty():
        header = ["run", "state", "iteration", "training error", "test error"]
        show(header, [[entry.id, entry.state, _at(entry), *_errors(entry)] for entry in found], right=(2, 3, 4))
        return
    width = max(len(entry.id) for entry in found)
    lines = []
    for entry in found:
        training, test = _errors(entry)
        errors = f"training error {training:>8}  test error {test:>8}" if training else ""
        lines.append(f"{entry.id:{width}}  {entry.state:11}  {_at(entry):16}  {errors}".rstrip())
    print("\n".join(lines))


def _at(entry: Entry) -> str:
    return f"{entry.status.get('iteration', 0):>6,} of {entry.iterations:,}"


def _errors(entry: Entry) -> list[str]:
    row = entry.final
    return [f"{row[name]:.2f} %" for name in ("train_error", "test_error")] if row else ["", ""]

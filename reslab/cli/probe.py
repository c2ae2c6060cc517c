"""`reslab probe`."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ..catalog import resolve
from ..runs import Run, RunStore
from .filters import Filters, filter_options
from .options import Data, Store
from .tables import show

if TYPE_CHECKING:
    from ..probes.probing import Probed

app = typer.Typer(add_completion=False)
ALL = "all"


@app.command()
@filter_options
def probe_command(
    filters: Filters,
    names: Annotated[
        str,
        typer.Argument(
            metavar="PROBES",
            help="responses, signals, shattering, paths, lesions, roughness, with commas; or all.",
        ),
    ] = ALL,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN", help="Ids, parts of ids, or paths. Default: all done.")
    ] = None,
    store: Store = None,
    data: Data = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: the best one here.")] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="trained; initial; or an iteration after which the run recorded its weights. Default: signals and "
            "shattering initial, the others trained."
        ),
    ] = None,
) -> None:
    """Look into the nets of runs: responses, gradients, paths, lesions, roughness, trained or --at another time.

    responses: how strongly layers respond. signals: what variance and gradient reach each layer. shattering: whether a
    gradient resembles its neighbours. paths: through how many blocks the gradient comes. lesions: the error without
    each block. roughness: of the loss around the net.

    What is found is kept in the run folders, where `reslab claims` reads it (but shattering and paths), and is not
    measured again. Stopped, the same command goes on where it was.
    """
    from ..probes.probing import PROBES, check_probes, probe

    wanted = list(PROBES) if names == ALL else list(dict.fromkeys(filter(None, names.split(","))))
    check_probes(wanted)
    chosen = _chosen(RunStore(store), runs or [], filters)
    told, when = [], int(at) if at and at.isdigit() else at
    for one in probe(chosen, wanted, data, device, when):
        told.append(one)
        if one.seconds is not None:
            place = f"{len(told)} of {len(chosen) * len(wanted)}"
            print(f"{place}: {one.run.id}, {one.probe}: {one.failure or _took(one)}", file=sys.stderr)
    if told:
        show(["run", "probe", "took", "found"], [_row(one, when) for one in told], right=(2,))
    if any(one.failure and (one.applies or names != ALL) for one in told):
        raise typer.Exit(1)


def _chosen(root: RunStore, given: Sequence[str], filters: Filters) -> list[Run]:
    """The runs that are named, or those that are done among what the filters say."""
    if given and (filters.wanted or filters.state):
        raise ValueError("name the runs or choose them by options, not both")
    if filters.state not in (None, "done"):
        raise ValueError(f"a run that is {filters.state} has no final net to look into: leave out --state")
    if given:
        return [resolve(root, name) for name in given]
    found = [entry.run for entry in filters.find(root) if entry.state == "done"]
    if not found:
        print(f"no such run is done in {root.root.absolute()}", file=sys.stderr)
    return found


def _took(one: "Probed") -> str:
    return "" if one.seconds is None else f"{one.seconds:.1f} s"


def _row(one: "Probed", at: str | int | None) -> list[str]:
    if one.failure:
        return [one.run.id, one.probe, "", f"{'failed' if one.applies else 'does not apply'}: {one.failure}"]
    return [one.run.id, one.probe, _took(one), _found(one, at)]


def _found(one: "Probed", at: str | int | None) -> str:
    """What the claims read of it, such as "response, mean over layers: 0.312"."""
    from ..claims.measures import MEASURES
    from ..probes.probing import PROBES
    from ..probes.results import found_in

    (result,) = found_in([one.run], one.probe, PROBES[one.probe].settings(at))
    its = [measure for measure in MEASURES.values() if measure.probe == one.probe]
    return "; ".join(f"{m.label}: {m.unit.value(m.read(result, one.run.config))}" for m in its)

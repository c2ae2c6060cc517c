"""The options that choose runs, the same for every command that takes some."""

import inspect
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

import typer

from ..catalog import Entry, find
from ..names import assignment
from ..runs import RunStore
from .sentences import sentences

OPTIONS = dict(
    state=Annotated[str | None, typer.Option(help="new, running, interrupted, failed or done.")],
    depth=Annotated[int | None, typer.Option(help="Weighted layers.")],
    shortcut=Annotated[str | None, typer.Option(help="none is the plain net.")],
    profile=Annotated[str | None, typer.Option(help="paper, short, demo, smoke or imagenet-paper.")],
    dataset=Annotated[str | None, typer.Option(help="cifar10, shapes, folder:PATH ...")],
    seed=Annotated[int | None, typer.Option(help="Of initialisation, data order and augmentation.")],
    where=Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Any RunConfig field; may be given several times.")
    ],
)


@dataclass(frozen=True)
class Filters:
    """Which runs are meant: those in this state whose config has these values; without any, all."""

    state: str | None
    wanted: dict[str, Any]

    def find(self, store: RunStore, configs: bool = True) -> list[Entry]:
        """The runs that are meant; says of a folder that cannot be read why it is left out. See reslab.catalog.find."""
        listing = find(store, self.state, self.wanted, configs)
        for id, reason in listing.left_out.items():
            print(f"{id} is left out: {reason}", file=sys.stderr)
        return listing.entries


def filter_options(command: Callable) -> Callable:
    """Gives `command` the options that choose runs, which it takes as one argument, `filters`; it ends in sentences."""
    own = [p for p in inspect.signature(command).parameters.values() if p.name != "filters"]

    @wraps(command)
    def with_filters(**values: Any) -> None:
        given = {name: values.pop(name) for name in OPTIONS}
        state, where = given.pop("state"), given.pop("where") or []
        with sentences("Stopped."):
            wanted = _merged({name: value for name, value in given.items() if value is not None}, where)
            command(filters=Filters(state, wanted), **values)

    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(name, keyword, default=None, annotation=kind) for name, kind in OPTIONS.items()]
    with_filters.__signature__ = inspect.Signature([*options, *(p.replace(kind=keyword) for p in own)])
    with_filters.__annotations__ = {p.name: p.annotation for p in with_filters.__signature__.parameters.values()}
    return with_filters


def _merged(wanted: dict[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    for given in assignments:
        name, text = assignment(given, "--where")
        if name in wanted:
            raise ValueError(f"{name} is asked for twice; a run has one")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        wanted = {**wanted, name: value}
    return wanted

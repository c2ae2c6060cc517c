"""Runs put to probes, each measured once with its standard settings: what the claims read, and `reslab probe` does."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..data import DataError
from ..names import check_names
from ..runs import Run
from .results import check_done, found_in
from .when import INITIAL, TRAINED, DoesNotApply, check_at


@dataclass(frozen=True)
class Probe:
    """A probe whose module has measured(run, at, data, device), which keeps what it finds, and settings(at), under
    which it does; `at` is when claims look at the net: see reslab.probes.subject.
    """

    module: str
    at: str | int = TRAINED

    def settings(self, at: str | int | None = None) -> dict[str, Any]:
        """The settings under which the result is kept; those that claims compare if `at` is None."""
        return import_module(self.module).settings(self.at if at is None else at)

    def measure(
        self, run: Run, data: str | Path | None = None, device: str | None = None, at: str | int | None = None
    ) -> None:
        """Sees to it that the run's folder has the result. Raises ValueError for a run that is not done."""
        import_module(self.module).measured(run, self.at if at is None else at, data, device)


PROBES = {
    "responses": Probe("reslab.probes.responses"),
    "signals": Probe("reslab.probes.signals", INITIAL),
    "shattering": Probe("reslab.probes.shattering", INITIAL),
    "paths": Probe("reslab.probes.paths"),
    "lesions": Probe("reslab.probes.lesions"),
    "roughness": Probe("reslab.probes.surface.roughness"),
}


def check_probes(names: Sequence[str]) -> None:
    """Raises ValueError for a name that is no probe, naming the closest that is."""
    check_names(names, list(PROBES), "reslab.probes.PROBES")


@dataclass(frozen=True)
class Probed:
    """How a run was put to a probe: `seconds` is None if it had been before, and `failure` says why it could not be;
    not `applies` if that is because of what the net is.
    """

    run: Run
    probe: str
    seconds: float | None = None
    failure: str = ""
    applies: bool = True


def lacking(runs: Sequence[Run], names: Sequence[str], at: str | int | None = None) -> list[tuple[Run, str]]:
    """Those of the runs and probes whose result with standard settings is not there: run by run."""
    found = {name: found_in(runs, name, PROBES[name].settings(at)) for name in names}
    return [(run, name) for place, run in enumerate(runs) for name in names if found[name][place] is None]


def probe(
    runs: Sequence[Run],
    names: Sequence[str],
    data: str | Path | None = None,
    device: str | None = None,
    at: str | int | None = None,
) -> Iterator[Probed]:
    """Puts each run to each probe, run by run, and tells how that went as it goes; what is there is not measured again.
    The nets are looked at as they were `at` some time (see reslab.probes.subject), or if that is None when claims do.

    Stopped at any moment it goes on there when it is called again. What one run cannot be put to keeps no other from
    it: `failure` says what a user can do about it. Raises ValueError for an `at` that is not possible.
    """
    check_at(TRAINED if at is None else at)
    missing = set(lacking(runs, names, at))
    for run in runs:
        for name in names:
            if (run, name) not in missing:
                yield Probed(run, name)
                continue
            began, failure, applies = time.perf_counter(), "", True
            try:
                if at is None:  # claims read runs that are done
                    check_done(run)
                PROBES[name].measure(run, data, device, at)
            except (ValueError, OSError, DataError) as error:
                failure, applies = str(error), not isinstance(error, DoesNotApply)
            yield Probed(run, name, time.perf_counter() - began, failure, applies)

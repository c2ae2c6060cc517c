"""Interleaved measurements: what drifts during a run, a neighbour's work or the clock's frequency, meets everyone."""

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def interleaved(
    measures: Mapping[Name, Callable[[], float]], rounds: int, report: Callable[[Name, int], None]
) -> dict[Name, list[float]]:
    """The value of each measure in each round.

    Every second round goes backwards, so that nobody is always measured right after the same neighbour. `report` is
    told, before each measurement, its name and the round (from 0).
    """
    values: dict[Name, list[float]] = {name: [] for name in measures}
    for index in range(rounds):
        for name in list(measures)[:: -1 if index % 2 else 1]:
            report(name, index)
            values[name].append(measures[name]())
    return values

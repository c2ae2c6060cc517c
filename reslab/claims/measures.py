"""What is read off a run: one number, in percent."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..training.config import RunConfig

EARLY = 1 / 8  # of the schedule


@dataclass(frozen=True)
class Measure:
    label: str
    read: "Callable[[list[dict[str, Any]], RunConfig], float]"  # from a run's log points and its config


def _early(rows: list[dict[str, Any]], config: "RunConfig") -> float:
    """The mean training error of the first eighth, or up to the first log point if that is later."""
    early = [row["train_error"] for row in rows if row["iteration"] <= EARLY * config.iterations]
    return fmean(early or [rows[0]["train_error"]])


# At the final iteration, never the best: choosing by the test error would be choosing by the answer.
MEASURES = {
    "training": Measure("training error", lambda rows, _: rows[-1]["train_error"]),
    "test": Measure("test error", lambda rows, _: rows[-1]["test_error"]),
    "early": Measure("training error over the first eighth", _early),
}


def measure_label(name: str, config: "RunConfig") -> str:
    """The measure in words; a run with a validation split has no test error."""
    return "validation error" if name == "test" and config.val_split else MEASURES[name].label

"""What is read off a run: one number, from its log points or from what a probe found in its net."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log10
from statistics import fmean
from typing import TYPE_CHECKING, Any

from .units import DECADES, DECIBELS, PERCENT, POINTS, Unit

if TYPE_CHECKING:
    from ..training.config import RunConfig

EARLY = 1 / 8  # of the schedule


@dataclass(frozen=True)
class Measure:
    label: str
    read: "Callable[[Any, RunConfig], float]"  # from log points, or the probe's result, and the run's config
    unit: Unit = PERCENT
    probe: str = ""  # whose result with standard settings is read; "": the log points


def _early(rows: list[dict[str, Any]], config: "RunConfig") -> float:
    """The mean training error of the first eighth, or up to the first log point if that is later."""
    early = [row["train_error"] for row in rows if row["iteration"] <= EARLY * config.iterations]
    return fmean(early or [rows[0]["train_error"]])


def _reach(layers: list[dict[str, Any]], _config: "RunConfig") -> float:
    """As reslab.probes.gradient_reach."""
    smallest = min(layer["gradient"] for layer in layers)
    return log10(smallest) if smallest > 0 else -inf


def _path(found: dict[str, Any], _config: "RunConfig") -> float:
    """As reslab.probes.PathShare.mean."""
    return sum(length * share for length, share in enumerate(found["share"]))


def _inner(blocks: list[dict[str, Any]], config: "RunConfig") -> list[float]:
    """The errors without a block of those that leave the shape as it is; of all blocks in a net that has no such ones.
    A block that changes the shape cannot be left out without something else in its place.
    """
    first = blocks[0]["name"].rpartition(".")[0] if config.block == "basic" else ""  # a stage that widens nothing
    stages = [block["name"].rpartition(".")[::2] for block in blocks]
    inner = [stage == first or name != "block1" for stage, name in stages]
    chosen = inner if any(inner) else [True] * len(inner)
    return [block["error"] for block, among in zip(blocks, chosen, strict=True) if among]


def _lesion(found: dict[str, Any], config: "RunConfig") -> float:
    return fmean(_inner(found["blocks"], config)) - found["error"]


def _from_chance(found: dict[str, Any], config: "RunConfig") -> float:
    return 100 * (1 - 1 / config.facts.classes) - fmean(_inner(found["blocks"], config))


RESPONSE = Unit("", "", "standard deviation of the responses", 3)
CORRELATION = Unit("", "", "correlation", 3)
BLOCKS = Unit("blocks", "blocks", "blocks", 1)
ROUGHNESS = Unit("", "", "roughness", 3)

# Errors at the final iteration, never the best: choosing by the test error would be choosing by the answer.
MEASURES = {
    "training": Measure("training error", lambda rows, _: rows[-1]["train_error"]),
    "test": Measure("test error", lambda rows, _: rows[-1]["test_error"]),
    "early": Measure("training error over the first eighth", _early),
    "map50": Measure("mAP@.5", lambda rows, _: rows[-1]["map50"]),
    "psnr": Measure("PSNR", lambda rows, _: rows[-1]["psnr"], DECIBELS),
    "response": Measure(
        "response of a layer",
        lambda layers, _: fmean(layer["std"] for layer in layers),
        RESPONSE,
        "responses",
    ),
    "reach": Measure("smallest gradient of a layer", _reach, DECADES, "signals"),
    "correlation": Measure(
        "correlation of neighbouring gradients", lambda found, _: found["values"][1], CORRELATION, "shattering"
    ),
    "path": Measure("mean length of the gradient's paths", _path, BLOCKS, "paths"),
    "lesion": Measure("rise of the error without a block", _lesion, POINTS, "lesions"),
    "from-chance": Measure("distance to chance without a block", _from_chance, POINTS, "lesions"),
    "roughness": Measure("roughness of the loss surface", lambda found, _: found["roughness"], ROUGHNESS, "roughness"),
    "negative": Measure("share of negative curvature", lambda found, _: 100 * found["negative"], PERCENT, "roughness"),
}


def measure_label(name: str, config: "RunConfig") -> str:
    """The measure in words; a run with a validation split has no test error."""
    return "validation error" if name == "test" and config.val_split else MEASURES[name].label

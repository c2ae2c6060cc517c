"""Has reslab become slower than it was? Asked of ratios, which mean the same on another day."""

import json
from pathlib import Path
from typing import Any

TOLERANCE = 0.95  # of the recorded ratio: below it is no longer noise, and losing the fused kernels costs more


def read_result(path: Path, depths: tuple[int, ...]) -> dict[str, Any]:
    """A result that `reslab bench --json` wrote. Raises ValueError if it is none, or has none of these depths."""
    if not path.is_file():
        raise ValueError(f"there is no recorded result {path}; write one with reslab bench --json {path}")
    try:
        recorded = json.loads(path.read_text())
        known = {row["depth"] for row in recorded["rows"] if (row["precision"], row["over_eager"], recorded["commit"])}
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is not a result of reslab bench; write one with reslab bench --json FILE") from None
    if not known & set(depths):
        told = ", ".join(map(str, sorted(known)))
        raise ValueError(f"{path} has depth {told} and nothing to compare with here; choose with --depths")
    return recorded


def slower(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """A sentence for each row, by depth and precision in both results, whose speed over reslab's own eager float32 step
    is below TOLERANCE times what was recorded.
    """
    before = {(row["depth"], row["precision"]): row for row in recorded["rows"]}
    sentences = []
    for row in now["rows"]:
        old = before.get((row["depth"], row["precision"]))
        if old and row["over_eager"] < TOLERANCE * old["over_eager"]:
            sentences.append(
                f"depth {row['depth']} in {row['precision']} is slower: {row['over_eager']:.2f} times the speed "
                f"of the eager float32 step, where {old['over_eager']:.2f} was recorded at commit "
                f"{recorded['commit']}"
            )
    return sentences

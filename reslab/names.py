"""Names that a user gave: right, or refused with the one that was meant."""

import os
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

# What other trainers call our fields.
ALIASES = dict(
    learning_rate="lr",
    batch_size="batch",
    layers="depth",
    milestones="lr_drops",
    wd="weight_decay",
    order="activation_order",
    optim="optimizer",
    patch_size="patch",
)
FOLDER = "folder:"  # before the path of a folder of pictures, as a data set's name


def absolute_folder(dataset: str) -> str:
    """A data set's name with the path of a folder of pictures as it is from anywhere; other names as they are."""
    if not isinstance(dataset, str) or not dataset.startswith(FOLDER):
        return dataset
    return FOLDER + os.path.abspath(os.path.expanduser(dataset.removeprefix(FOLDER)))


def check_names(given: Iterable[str], allowed: Sequence[str], where: str) -> None:
    """Raises ValueError for the first of `given` that is not in `allowed`, naming the closest that is."""
    for name in given:
        if name not in allowed:
            close = [a for a in [ALIASES.get(name)] if a in allowed] or get_close_matches(
                name, allowed, n=1, cutoff=0.0
            )
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ValueError(f"{name!r} is not a parameter of {where}; {hint}It has: {', '.join(allowed)}")


def assignment(text: str, option: str) -> tuple[str, str]:
    """("lr", "0.05") from "lr=0.05". Raises ValueError for what is not NAME=VALUE, with how to write it."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ValueError(f"{option} {text!r} is not NAME=VALUE; write {option} lr=0.05")
    return name, value

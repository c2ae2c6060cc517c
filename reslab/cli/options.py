"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Store = Annotated[str | None, typer.Option(help="Folder of the run folders. Default: RESLAB_STORE, else ./runs.")]
Data = Annotated[Path | None, typer.Option(help="Where the data sets are. Default: RESLAB_DATA, else ./data.")]


def whole_numbers(name: str, text: str, example: str) -> list[int]:
    """[20, 56] from "20,56". Raises ValueError, naming the option, for anything else."""
    try:
        return [int(number) for number in text.strip("[]").split(",") if number.strip()]
    except ValueError:
        raise ValueError(f"{name}={text!r} should be whole numbers with commas, such as {example}") from None

"""The `reslab` command: thin, over the same functions that notebooks call; one module a command."""

from importlib import import_module
from typing import Any

import typer

from .lazy import add

app = typer.Typer(
    help="Deep Residual Learning, the edition you can run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # --log_every is --log-every, so that an option has the field's name in either spelling.
    context_settings=dict(token_normalize_func=lambda name: name.replace("_", "-")),
)
add(
    app,
    train="Train one net; resume it, or return what is there.",
    reproduce="Run a study: train what is missing, then make its report.",
    runs="List runs, compare or prune them.",
    claims="The paper's claims, and what the runs say of them.",
    probe="Look into the nets of runs: responses, gradients, paths, lesions, roughness, trained or --at another time.",
    data="Find a data set, or download it; verify and cache it; on request write it as a folder of pictures.",
    time="How long nets take, ours and torchvision's: forward, and forward plus backward.",
    surface="The loss around trained nets (Li et al. 2018): compute what is missing of a grid of weights.",
    evaluate="Top-1 and top-5 error of a finished run's weights, or of torchvision's, beside the paper's.",
    bench="How fast training is here, or what else takes time.",
)


def __getattr__(name: str) -> Any:
    if name == "FIELD_HELP":
        return import_module(".fields", __name__).FIELD_HELP
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""reslab: the edition of "Deep Residual Learning for Image Recognition" (He et al. 2015, 1512.03385) you can run."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import figures, nets
    from .data import DataError, Dataset, load_dataset
    from .nets import cifar_net
    from .runs import Run, RunStore
    from .training.config import RunConfig
    from .training.loop import train

__all__ = [
    "DataError",
    "Dataset",
    "Run",
    "RunConfig",
    "RunStore",
    "cifar_net",
    "figures",
    "load_dataset",
    "nets",
    "train",
]

_HOMES = dict(
    DataError="data",
    Dataset="data",
    Run="runs",
    RunConfig="training.config",
    RunStore="runs",
    cifar_net="nets",
    load_dataset="data",
    train="training.loop",
)


def __getattr__(name: str):
    """The public names, imported when they are first used: torch and plotly take seconds, and not everyone here needs
    them; a process that only runs notebooks does not.
    """
    if name not in __all__:
        raise AttributeError(f"module 'reslab' has no attribute {name!r}")
    home = import_module(f".{_HOMES.get(name, name)}", __name__)
    return getattr(home, name) if name in _HOMES else home

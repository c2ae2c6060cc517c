"""reslab: the edition of "Deep Residual Learning for Image Recognition" (He et al. 2015, 1512.03385) you can run."""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import claims, figures, nets
    from .data import DataError, Dataset, load_dataset
    from .nets import cifar_net, imagenet_net
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
    "claims",
    "figures",
    "imagenet_net",
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
    imagenet_net="nets",
    load_dataset="data",
    train="training.loop",
)


def __getattr__(name: str):
    """The public names, and reslab's modules, imported when they are first used: torch and plotly take seconds, and a
    process that only runs notebooks needs neither.
    """
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    if not name.startswith("_") and find_spec(f"{__name__}.{name}"):
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module 'reslab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

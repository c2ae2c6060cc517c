"""reslab: the edition of "Deep Residual Learning for Image Recognition" (He et al. 2015, 1512.03385) you can run."""

from .data import DataError, Dataset, load_dataset
from .nets import cifar_net
from .runs import Run, RunStore
from .training.config import RunConfig
from .training.loop import train

__all__ = ["DataError", "Dataset", "Run", "RunConfig", "RunStore", "cifar_net", "figures", "load_dataset", "train"]


def __getattr__(name: str):
    """`reslab.figures`, imported when it is first used: plotly takes longer to load than the rest of reslab."""
    if name == "figures":
        import importlib

        return importlib.import_module("reslab.figures")
    raise AttributeError(f"module 'reslab' has no attribute {name!r}")

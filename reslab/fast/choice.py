"""compile="auto": whether compiling saves more than it costs, predicted from the config alone.

No clock and no look into the cache: the same config makes the same choice, and gets the same bits, every time.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ..training.config import RunConfig

CHOICES = ("auto", "always", "never")


@dataclass(frozen=True)
class Prices:
    """Seconds on one kind of device."""

    compile_once: float  # to compile, whatever the net
    compile_layer: float  # and for each weighted layer
    saved_layer: float  # in one iteration, for each weighted layer
    saved_value: float  # and for each value of the activations


# docs/benchmarks.md says how those of the CPU were measured. Those of the GPU are assumptions: compiling as long as the
# same compiler takes on a CPU, and ten kernels a layer whose launches, some 10 microseconds each, are saved.
PRICES = dict(cpu=Prices(2.0, 0, 1.5e-4, 0.5e-9), cuda=Prices(10.0, 2.0, 1e-4, 0))


def wanted(compile: str, config: "RunConfig", device: torch.device) -> bool:
    """Whether a run of `config` should be compiled, all its iterations being left; a resumed run goes on as it began.

    Only nets of classification are. Raises ValueError for an unknown choice, and for "always" where it cannot be.
    """
    if compile not in CHOICES:
        raise ValueError(f"compile={compile!r} is not possible; allowed: {', '.join(CHOICES)}")
    if config.task != "classification":
        if compile == "always":
            raise ValueError(f"compile='always' is not possible for {config.task}; allowed: auto, never")
        return False
    if compile == "auto":
        return device.type in PRICES and saving(config, device.type) > cost(config, device.type)
    return compile == "always"


def saving(config: "RunConfig", kind: str) -> float:
    """Predicted seconds that compiling saves over the whole run."""
    # Each stage has half the values of the stage before it, and about as many layers.
    stages = 3 if config.family == "cifar" else 4
    size = config.image_size / 4 if config.stem == "imagenet" else config.image_size
    values = config.batch * config.width * size**2 * config.depth * sum(0.5**s for s in range(stages)) / stages
    prices = PRICES[kind]
    return config.iterations * (prices.saved_layer * config.depth + prices.saved_value * values)


def cost(config: "RunConfig", kind: str) -> float:
    """Predicted seconds of compiling where it was never done before; the result is kept, so later runs pay less."""
    return PRICES[kind].compile_once + PRICES[kind].compile_layer * config.depth

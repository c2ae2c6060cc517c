"""The learning rate: a function of the config, the iteration and what was recorded on the way."""

from .config import RunConfig

WARMUP_DEPTH = 110  # from this depth on the paper warms up (section 4.2)


def learning_rate(config: RunConfig, iteration: int, warmup_end: int | None = None) -> float:
    """The learning rate of `iteration` (counted from 0): a pure function of the config, the iteration and one recorded
    number.

    `warmup_end` is the iteration at which the running training error fell below `config.warmup_error`, None while it
    has not; only CIFAR nets of depth 110 and more look at it: they train at lr / 10 until then (He et al. 2015, section
    4.2).
    No scheduler state that could be lost or chained wrongly.
    """
    lr = config.lr / 10 ** sum(iteration >= drop for drop in config.lr_drops)
    if iteration < config.warmup_iterations:
        lr *= (iteration + 1) / config.warmup_iterations
    if config.family == "cifar" and config.depth >= WARMUP_DEPTH and (warmup_end is None or iteration < warmup_end):
        lr /= 10
    return lr

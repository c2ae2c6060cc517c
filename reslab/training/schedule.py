"""The learning rate: a function of the config, the iteration and what was recorded on the way."""

from collections.abc import Sequence
from typing import Any

from .config import RunConfig

WARMUP_DEPTH = 110  # from this depth on the paper warms up (section 4.2)
PROGRESS = 0.99  # a plateau's best error is not below this share of the best one before it
MOST_DROPS = 3  # at plateaus; from lr 0.1 on, 1e-4 is the last one


def learning_rate(
    config: RunConfig, iteration: int, warmup_end: int | None = None, plateaus: Sequence[int] = ()
) -> float:
    """The learning rate of `iteration` (counted from 0): a pure function of the config, the iteration and what was
    recorded.

    `warmup_end` is the iteration at which the running training error fell below `config.warmup_error`, None while it
    has not; only CIFAR nets of depth 110 and more look at it: they train at lr / 10 until then (He et al. 2015, section
    4.2). With `config.lr_schedule` "linear" it falls evenly, to 0 after the last iteration, once the ramp is over.
    `plateaus` are the iterations that find_plateaus() names; with `config.lr_plateau` it is divided by 10 there.
    No scheduler state that could be lost or chained wrongly.
    """
    lr = config.lr / 10 ** sum(iteration >= drop for drop in (*config.lr_drops, *plateaus))
    if config.lr_schedule == "linear":
        lr *= 1 - iteration / config.iterations
    if iteration < config.warmup_iterations:
        lr *= (iteration + 1) / config.warmup_iterations
    if config.family == "cifar" and config.depth >= WARMUP_DEPTH and (warmup_end is None or iteration < warmup_end):
        lr /= 10
    return lr


def find_plateaus(config: RunConfig, rows: Sequence[dict[str, Any]]) -> tuple[int, ...]:
    """The iterations from which on the learning rate is divided by 10, after the log points in `rows`; () without
    `config.lr_plateau`.

    He et al. 2015, section 3.4, say only "divided by 10 when the error plateaus". Our reading: at a log point the error
    has reached a plateau if its best value in the last `lr_plateau` log points is not more than 1 % (of itself) below
    the best one before them. What lies before the last drop does not count, and there are at most MOST_DROPS. The error
    is the running training error, never the held-out one: nothing may be chosen by what the net is tested on.
    """
    found, errors = [], []
    for row in rows if config.lr_plateau else ():
        errors.append(row["train_error"])
        recent, before = errors[-config.lr_plateau :], errors[: -config.lr_plateau]
        if before and min(recent) >= PROGRESS * min(before) and len(found) < MOST_DROPS:
            found.append(row["iteration"])
            errors = []
    return tuple(found)

"""A log point: what was learned since the last one, how fast, and how well the net does on held-out data."""

import math
import time
from typing import Any

from .config import RunConfig
from .schedule import find_plateaus
from .state import State
from .task import Task

TICK = 0.5  # seconds between progress reports inside a log interval


class RunFailed(Exception):
    """The run cannot go on; the message says why, at which iteration, and what to do."""


class Clock:
    """The run's seconds over all sittings, and the speed since the last log point."""

    def __init__(self, state: State):
        self.start = time.perf_counter() - state.seconds
        self.told = 0.0
        self.mark(state)

    def mark(self, state: State) -> None:
        self.marked, self.since = state.iteration, time.perf_counter()

    def total(self) -> float:
        return time.perf_counter() - self.start

    def speed(self, state: State) -> float:
        """Iterations a second."""
        return (state.iteration - self.marked) / (time.perf_counter() - self.since)

    def ticks(self) -> bool:
        """True once every TICK seconds."""
        now = time.perf_counter()
        if now - self.told < TICK:
            return False
        self.told = now
        return True


def log_point(state: State, task: Task, config: RunConfig, clock: Clock) -> dict[str, Any]:
    """Evaluates the net, adds a row to the state's and begins a new window. Raises RunFailed at a loss not finite."""
    loss, error = finite_means(state, config)  # waits for the device, so the speed is that of finished work
    speed = clock.speed(state) * config.batch
    found = task.evaluate(state.model)
    _require_finite(found["test_loss"], "test loss after", state.iteration - 1, state, config)
    state.seconds = clock.total()
    row = dict(
        iteration=state.iteration,
        epoch=state.iteration / config.batches_per_epoch,
        lr=state.learning_rate(config, state.iteration - 1),
        train_loss=loss,
        train_error=error,
        test_loss=found.pop("test_loss"),
        test_error=found.pop("test_error"),
        seconds=round(state.seconds, 3),
        images_per_second=round(speed, 1),
        **found,
    )
    state.rows.append(row)
    state.window.clear()
    if state.warmup_end is None and error < config.warmup_error:
        state.warmup_end = state.iteration
    state.plateaus = find_plateaus(config, state.rows)
    return row


def finite_means(state: State, config: RunConfig) -> tuple[float, float]:
    """Running (loss, error) since the last log point. Raises RunFailed if a loss among them was not finite."""
    loss, error = state.window.means()
    before_bad, count = int(state.window.first_bad), int(state.window.count)
    bad = state.iteration - count + before_bad
    _require_finite(loss if before_bad < 0 else math.nan, "loss of", bad, state, config)
    return loss, error


def _require_finite(loss: float, what: str, iteration: int, state: State, config: RunConfig) -> None:
    if not math.isfinite(loss):
        lr = state.learning_rate(config, iteration)
        kept = (
            f"the checkpoint after iteration {state.rows[-1]['iteration']} is kept"
            if state.rows
            else "no checkpoint yet"
        )
        advice = "train with a smaller lr, a longer warm-up or precision='fp32'"
        raise RunFailed(f"the {what} iteration {iteration} (lr {lr:g}) is not finite; {kept}; {advice}")

"""train(): one explicit loop, the same for every task, that can be stopped at any moment and goes on unchanged."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_safetensors

from ..data import load_dataset
from ..fast import kept_heap, wanted
from ..files import write_atomically
from ..nets.plugins import naming_lines
from ..runs import Run, RunStore
from ..threads import torch_threads
from . import checkpoint
from .config import RunConfig, learning_rate
from .owner import Owner, OwnershipLost, RunBusy, RunDone
from .provenance import provenance, record
from .state import State, step
from .stop import StopRequest
from .task import Classification, Task

POLL = 1.0  # seconds between looks at a run that another process trains
TICK = 0.5  # seconds between progress reports inside a log interval


class RunFailed(Exception):
    """The run cannot go on; the message says why, at which iteration, and what to do."""


@dataclass(frozen=True)
class Progress:
    """What train() tells its progress callable: `row` is set at log points, `note` when there is something to say."""

    iteration: int
    iterations: int
    row: dict[str, Any] | None = None
    note: str = ""


Report = Callable[[Progress], None]


def pick_device(name: str | torch.device | None = None) -> torch.device:
    """The device called `name`, or the best one here: cuda, else cpu. Raises ValueError if it is not there."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError:
        raise ValueError(f"device={name!r} is not a device; allowed: cpu, cuda, cuda:1 and so on") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device={str(device)!r} was asked for but torch sees no CUDA device; leave it out to train on the CPU"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device={str(device)!r} was asked for but there are {torch.cuda.device_count()} CUDA devices")
    return device


def train(
    config: RunConfig,
    store: str | Path | RunStore | None = None,
    *,
    device: str | torch.device | None = None,
    data: str | Path | None = None,
    compile: str = "auto",
    progress: Report | None = None,
    wait: bool = True,
) -> Run:
    """Trains `config` and returns its run: at once if it is done, going on, bit for bit, from where it was stopped if
    it is not.

    `data` is where the data set is (see load_dataset). `compile` is "auto" (where it saves more time than it costs),
    "always" or "never": the same training, rounded differently; a run goes on as it began. `progress` is called with a
    Progress about twice a second. If a live process trains this run already, waits for it, or with `wait=False` raises
    RunBusy. SIGTERM and Ctrl-C write a checkpoint and leave the run resumable. Raises RunFailed if a loss is not
    finite, DataError if the data cannot be had, ValueError for a device that is not there or an unknown `compile`,
    PluginError, with the line, for an error in a shortcut of your own.
    """
    report = progress or (lambda _progress: None)
    device = pick_device(device)
    compiled = wanted(compile, config, device)
    run = (store if isinstance(store, RunStore) else RunStore(store)).create(config)
    owner = None
    while run.state != "done" and owner is None:
        try:
            owner = Owner(run)
        except RunDone:
            break
        except RunBusy as busy:
            if not wait:
                raise
            report(Progress(run.status["iteration"], config.iterations, note=f"waiting: {busy}"))
            time.sleep(POLL)
    if owner is None:
        return run
    stop = StopRequest()
    with _released(owner), naming_lines(config.plugins):
        saved = checkpoint.load(run.path, device)
        if saved:  # it goes on as it began; before there was a choice, nothing was compiled
            compiled = saved.get("compiled", False)
        with repeatable(saved["threads"] if saved else torch.get_num_threads(), device), kept_heap():
            dataset = load_dataset(config.dataset, root=data)
            task = Classification(config, dataset, device)
            state = State.fresh(task, config, device, compiled)
            with owner.writing():
                record(run, provenance(config, dataset, device, state.compiled))
            del dataset  # the task has what it needs; a data set mapped from its cache then leaves the memory
            if saved:
                state.restore(saved)
            with stop:
                _train(run, task, state, owner, report, stop)
    if stop.signal is not None:  # it came when there was nothing left to stop
        stop.raise_again()
    return run


@contextmanager
def _released(owner: Owner) -> Iterator[None]:
    """Writes into the run's status how its sitting ended, whatever ended it."""
    try:
        yield
    except OwnershipLost:
        owner.release("interrupted")
        raise
    except Exception as error:
        owner.release("failed", dict(kind=type(error).__name__, message=str(error)))
        raise
    except BaseException:
        owner.release("interrupted")
        raise
    owner.release("done")


@contextmanager
def repeatable(threads: int, device: torch.device) -> Iterator[None]:
    """What makes the same bits come out every time; put back afterwards.

    Sums over another number of threads round differently, so a run goes on with the number it began with. On a GPU:
    deterministic algorithms, and float32 that is float32. torch's random numbers, which each step seeds, are the
    caller's again afterwards.
    """
    cuda = [device] if device.type == "cuda" else []
    exact = dict(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with torch_threads(threads), torch.backends.cudnn.flags(**exact), torch.random.fork_rng(devices=cuda):
        yield


def _train(
    run: Run,
    task: Task,
    state: State,
    owner: Owner,
    report: Report,
    stop: StopRequest,
) -> None:
    config = run.config
    with owner.writing():
        run.write_metrics(state.rows)  # drops rows newer than the checkpoint: they will come again
    clock = _Clock(state)
    while state.iteration < config.iterations:
        step(state, task, config)
        owner.iteration = state.iteration
        if state.iteration % config.log_every == 0 or state.iteration == config.iterations:
            row = _log_point(state, task, config, clock)
            with owner.writing():
                run.write_metrics(state.rows)
                state.save(run.path)
            report(Progress(state.iteration, config.iterations, row))
            clock.mark(state)
        elif clock.ticks():
            report(Progress(state.iteration, config.iterations))
        if stop.signal is not None:
            if int(state.window.count):
                _finite_means(state, config)
            state.seconds = clock.total()
            with owner.writing():
                state.save(run.path)
            stop.raise_again()
    weights = {name: tensor.contiguous().cpu() for name, tensor in state.net.state_dict().items()}
    with owner.writing():
        write_atomically(run.path / "weights.safetensors", to_safetensors(weights, {"config": run.id}))


class _Clock:
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


def _log_point(state: State, task: Task, config: RunConfig, clock: _Clock) -> dict[str, Any]:
    """Evaluates the net, adds a row to the state's and begins a new window. Raises RunFailed at a loss not finite."""
    loss, error = _finite_means(state, config)  # waits for the device, so the speed is that of finished work
    speed = clock.speed(state) * config.batch
    test_loss, test_error = task.evaluate(state.model)
    _require_finite(test_loss, "test loss after", state.iteration - 1, state, config)
    state.seconds = clock.total()
    row = dict(
        iteration=state.iteration,
        epoch=state.iteration / config.batches_per_epoch,
        lr=learning_rate(config, state.iteration - 1, state.warmup_end),
        train_loss=loss,
        train_error=error,
        test_loss=test_loss,
        test_error=test_error,
        seconds=round(state.seconds, 3),
        images_per_second=round(speed, 1),
    )
    state.rows.append(row)
    state.window.clear()
    if state.warmup_end is None and error < config.warmup_error:
        state.warmup_end = state.iteration
    return row


def _finite_means(state: State, config: RunConfig) -> tuple[float, float]:
    """Running (loss, error) since the last log point. Raises RunFailed if a loss among them was not finite."""
    loss, error = state.window.means()
    before_bad, count = int(state.window.first_bad), int(state.window.count)
    bad = state.iteration - count + before_bad
    _require_finite(loss if before_bad < 0 else math.nan, "loss of", bad, state, config)
    return loss, error


def _require_finite(loss: float, what: str, iteration: int, state: State, config: RunConfig) -> None:
    if not math.isfinite(loss):
        lr = learning_rate(config, iteration, state.warmup_end)
        kept = (
            f"the checkpoint after iteration {state.rows[-1]['iteration']} is kept"
            if state.rows
            else "no checkpoint yet"
        )
        advice = "train with a smaller lr, a longer warm-up or precision='fp32'"
        raise RunFailed(f"the {what} iteration {iteration} (lr {lr:g}) is not finite; {kept}; {advice}")

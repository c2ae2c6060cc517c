"""train(): one explicit loop, the same for every task, that can be stopped at any moment and goes on unchanged."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_safetensors

from ..fast import kept_heap, wanted
from ..files import write_atomically
from ..nets.plugins import naming_lines
from ..runs import Run, RunStore
from ..threads import torch_threads
from . import checkpoint
from .config import RunConfig
from .hold import OwnershipLost, RunBusy, RunDone
from .log_point import Clock, RunFailed, finite_means, log_point
from .owner import Owner
from .patience import Patience
from .provenance import provenance, record
from .sources import opened
from .state import State, step
from .stop import StopRequest
from .task import Classification, Task

__all__ = ["Progress", "Report", "RunFailed", "pick_device", "repeatable", "train"]

POLL, REMOTE_POLL = 1.0, 5.0  # seconds between looks at a run that another process trains, in a folder and on a URL


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
    workers: int | None = None,
    progress: Report | None = None,
    wait: bool = True,
) -> Run:
    """Trains `config` and returns its run: at once if it is done, going on, bit for bit, from where it was stopped if
    it is not.

    `data` is where the data set is (see load_dataset). `compile` is "auto" (where it saves more time than it costs),
    "always" or "never": the same training, rounded differently; a run goes on as it began. `workers` processes decode
    pictures, where the data set is pictures: None is a sensible number. `progress` is called with a
    Progress about twice a second. If a live process trains this run already, waits for it, or with `wait=False` raises
    RunBusy. SIGTERM and Ctrl-C write a checkpoint and leave the run resumable. Raises RunFailed if a loss is not
    finite, DataError if the data cannot be had, ValueError for a device that is not there or an unknown `compile`,
    PluginError, with the line, for an error in a shortcut of your own, OSError if the store cannot be written. Where
    that can pass, such as a full disk or a store out of reach, it waits, says so by `progress`, and goes on.
    """
    report = progress or (lambda _progress: None)
    device = pick_device(device)
    compiled = wanted(compile, config, device)
    store = store if isinstance(store, RunStore) else RunStore(store)
    owner, stop = None, StopRequest()

    def tell(note: str) -> None:
        report(Progress(owner.iteration if owner else 0, config.iterations, note=note))

    patience = Patience(store.url, tell, stop)
    run = patience(lambda: store.create(config))
    owner = _claim(run, patience, report, wait)
    if owner is None:
        return run
    with _released(owner), naming_lines(config.plugins):
        saved = patience(lambda: checkpoint.load(run.path, device), "read")
        if saved:  # it goes on as it began; before there was a choice, nothing was compiled
            compiled = saved.get("compiled", False)
        threads = saved["threads"] if saved else torch.get_num_threads()
        with repeatable(threads, device), kept_heap(), opened(config, device, data, workers) as source:
            task = Classification(config, source, device)
            state = State.fresh(task, config, device, compiled)
            now = provenance(config, source.fingerprint, device, state.compiled)
            before = patience(lambda: run.provenance, "read")
            owner.write(lambda: record(run, now, before))
            if saved:
                state.restore(saved)
            with stop:
                _train(run, task, state, owner, report, stop)
    if stop.signal is not None:  # it came when there was nothing left to stop
        stop.raise_again()
    return run


def _claim(run: Run, patience: Patience, report: Report, wait: bool) -> Owner | None:
    """The hold on a run, as soon as no other process has it; None if there is nothing left to train."""
    while patience(lambda: run.state, "read") != "done":
        try:
            return Owner(run, patience)
        except RunDone:
            break
        except RunBusy as busy:
            if not wait:
                raise
            at = patience(lambda: run.status, "read").get("iteration", 0)
            report(Progress(at, run.config.iterations, note=f"waiting: {busy}"))
            time.sleep(POLL if isinstance(run.path, Path) else REMOTE_POLL)
    return None


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

    def keep_metrics() -> None:
        owner.metrics = run.write_metrics(state.rows)

    def keep_log_point() -> None:
        keep_metrics()
        state.save(run.path)

    owner.write(keep_metrics)  # drops rows newer than the checkpoint: they will come again
    clock = Clock(state)
    while state.iteration < config.iterations:
        step(state, task, config)
        owner.iteration = state.iteration
        if state.iteration % config.log_every == 0 or state.iteration == config.iterations:
            row = log_point(state, task, config, clock)
            owner.write(keep_log_point)
            report(Progress(state.iteration, config.iterations, row))
            clock.mark(state)
        elif clock.ticks():
            report(Progress(state.iteration, config.iterations))
        if stop.signal is not None:
            if int(state.window.count):
                finite_means(state, config)
            state.seconds = clock.total()
            owner.write(lambda: state.save(run.path))
            stop.raise_again()
    weights = {name: tensor.contiguous().cpu() for name, tensor in state.net.state_dict().items()}
    content = to_safetensors(weights, {"config": run.id})
    owner.write(lambda: write_atomically(run.path / "weights.safetensors", content))

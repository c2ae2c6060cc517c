"""train(): one explicit loop, the same for every task, that can be stopped at any moment and goes on unchanged."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..data import DataError
from ..fast import kept_heap, wanted
from ..files import write_atomically
from ..nets.plugins import naming_lines
from ..runs import Run, RunStore
from ..threads import torch_threads
from . import checkpoint
from .claim import claim, released
from .config import RunConfig
from .log_point import Clock, RunFailed, finite_means, log_point
from .owner import Follower, Owner
from .patience import Patience
from .processes import Processes, joined, losses_told
from .provenance import keep, provenance
from .recording import Recorder, check_record, unrecorded
from .sources import opened
from .state import State, step
from .stop import StopRequest
from .task import Task
from .tasks import make_task

__all__ = ["Progress", "Report", "RunFailed", "pick_device", "repeatable", "train"]


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
    record: str | Sequence[str] = (),
) -> Run:
    """Trains `config` and returns its run: at once if it is done, going on, bit for bit, from where it was stopped if
    it is not.

    `data` is where the data set is (see load_dataset). `compile` is "auto" (where it saves more time than it costs),
    "always" or "never": the same training, rounded differently; a run goes on as it began. `workers` processes decode
    pictures, where the data set is pictures: None is a sensible number. `progress` is called with a Progress about
    twice a second. `record` is what the run keeps of its course, for probes to look at, in less than 2 % of its time:
    "signals", "weights" or both; the result is the same. See reslab.training.recording.

    Several processes that torchrun started train the run together: each takes its share of every batch and of the
    held-out data, with one batch norm over all of them, so that the result is that of one process, rounded differently
    (see reslab.training.parallel, and `step` for what a net draws at random). Nothing is compiled then. The first one
    alone reads, writes and reports; the returned run can be read where its store can be reached. All must be given the
    same arguments, and raise the same errors.

    If a live process trains this run already, waits for it, or with `wait=False` raises RunBusy. SIGTERM and Ctrl-C
    write a checkpoint and leave the run resumable. Raises RunFailed if a loss is not finite, DataError if the data
    cannot be had, ValueError for a device that is not there, an unknown `compile` or `record` or a batch that the
    processes cannot share equally, ProcessLost if another of them has ended without a word, PluginError, with the line,
    for an error in a shortcut of your own, OSError if the store cannot be written. Where that can pass, such as a full
    disk or a store out of reach, it waits, says so by `progress`, and goes on.
    """
    record = check_record(record, config)
    with joined() as processes:
        processes.check(config, device, compile)
        device = processes.together(lambda: pick_device(processes.own_device(device)))
        compiled = wanted(compile, config, device) and processes.count == 1
        store = store if isinstance(store, RunStore) else RunStore(store)
        run, owner, stop = store.run(config), None, StopRequest()
        report = progress if progress and processes.leads else lambda _progress: None

        def tell(note: str, iteration: int | None = None) -> None:
            at = iteration if iteration is not None else owner.iteration if owner else 0
            report(Progress(at, config.iterations, note=note))

        patience = Patience(store.url, tell, stop)
        processes.lead(lambda: _create(store, config, patience))
        owner = claim(run, patience, tell, wait, processes)
        if owner is None:
            if note := processes.lead(lambda: patience(lambda: unrecorded(run, record), "read")):
                tell(note, config.iterations)
            return run
        with released(owner, processes), naming_lines(config.plugins), losses_told():
            saved = processes.lead(lambda: patience(lambda: checkpoint.load(run.path), "read"))
            if saved:  # it goes on as it began; before there was a choice, nothing was compiled
                compiled = saved.get("compiled", False) and processes.count == 1
            with repeatable(_same_threads(saved, processes), device), kept_heap(), ExitStack() as held:
                opening = opened(config, device, data, workers, processes.share)
                source = processes.one_first(lambda: held.enter_context(opening))
                processes.require_same(source.fingerprint, "read the same data")
                task = make_task(config, source, device, processes)
                state = State.fresh(task, config, device, compiled, processes)
                now = provenance(config, source.fingerprint, device, state.compiled, processes.count)
                processes.lead(lambda: _keep_provenance(run, now, owner, patience))
                if saved:
                    state.restore(saved, config)
                with stop:
                    _train(run, config, task, state, owner, report, stop, record)
        _agree(stop, processes)
    if stop.signal is not None:  # it came when there was nothing left to stop
        stop.raise_again()
    return run


def _create(store: RunStore, config: RunConfig, patience: Patience) -> None:
    patience(lambda: store.create(config))


def _keep_provenance(run: Run, now: dict[str, Any], owner: Owner, patience: Patience) -> None:
    before = patience(lambda: run.provenance, "read")
    first, here = (told.get("dataset_fingerprint", {}).get("digest") for told in (before, now))
    if before and first != here:
        raise DataError(
            f"{run.config.dataset} has other pictures than those that this run began with ({first}, here {here}); "
            f"show it those again, with RESLAB_DATA or --data, or begin anew in another store"
        )
    owner.write(lambda: keep(run, now, before))


def _agree(stop: StopRequest, processes: Processes) -> None:
    """Makes a request to stop that one process got everybody's, so that all stop after the same iteration."""
    asked = processes.largest(stop.signal or 0)
    if asked:  # never put back to None: a signal may have come since
        stop.signal = asked


def _same_threads(saved: dict[str, Any] | None, processes: Processes) -> int:
    """The number of threads that a run began with; torch's own if it begins now, or if another number of processes
    trained it before.
    """
    before = saved.get("processes", 1) if saved else processes.count
    if before == processes.count:
        return saved["threads"] if saved else torch.get_num_threads()
    if processes.leads:
        warnings.warn(
            f"this run was trained by {before} processes up to here and goes on with {processes.count}: it stays the "
            "same run, but sums are rounded differently from here on",
            stacklevel=3,
        )
    return torch.get_num_threads()


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
    config: RunConfig,
    task: Task,
    state: State,
    owner: Owner | Follower,
    report: Report,
    stop: StopRequest,
    record: Sequence[str],
) -> None:
    processes = state.processes

    def write(action: Callable[[], None]) -> None:
        processes.lead(lambda: owner.write(action))

    def keep_metrics() -> None:
        owner.metrics = run.write_metrics(state.rows)

    def keep_log_point() -> None:
        keep_metrics()
        state.save(run.path)

    write(keep_metrics)  # drops rows newer than the checkpoint: they will come again
    recorder = Recorder(record, run, config, task, state, owner)
    clock = Clock(state)
    while state.iteration < config.iterations:
        step(state, task, config)
        owner.iteration = state.iteration
        if state.iteration % config.log_every == 0 or state.iteration == config.iterations:
            row = log_point(state, task, config, clock)
            recorder()
            write(keep_log_point)
            report(Progress(state.iteration, config.iterations, row))
            clock.mark(state)
        elif clock.ticks():
            report(Progress(state.iteration, config.iterations))
        _agree(stop, processes)
        if stop.signal is not None:
            if int(state.window.count):
                finite_means(state, config)
            state.seconds = clock.total()
            write(lambda: state.save(run.path))
            stop.raise_again()
    content = state.weights(run.id)
    write(lambda: write_atomically(run.path / "weights.safetensors", content))

"""Processes that decode pictures beside the training: a torch DataLoader whose examples are jobs, done in order.

A job is a function with its arguments. It carries all that it needs, so a worker holds no list of a million names, and
the same workers verify, make the mean picture, train and evaluate.
"""

import atexit
import multiprocessing
import os
import signal
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from ..cores import RUNS_AT_ONCE, cores
from . import DataError

MOST_WORKERS = 16  # by default; a faster net than there are pictures for it takes a larger machine, or smaller files
PRELOADED = ["reslab.data.views"]  # what jobs import: once, in the server that the workers are forked from

Job = Callable[[], Any]


def default_workers() -> int:
    """Workers for a trainer: its share of the cores that may be used here, less one for itself, at least 1 and at most
    MOST_WORKERS.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # that torchrun started on this machine
    runs = int(os.environ.get(RUNS_AT_ONCE, 1))
    return max(1, min(MOST_WORKERS, cores() // (processes * runs) - 1))


class Workers:
    """`count` processes that do jobs; with 0 they are done here, when their results are asked for.

    They start at the first job and stay until `close()`, or until this is garbage. Results on their way to a GPU are
    put into pinned memory. A context manager that closes.
    """

    def __init__(self, count: int, pin_memory: bool = False):
        self.count, self._jobs, self._turn = count, _Jobs(), 0
        options: dict[str, Any] = {}
        if count:
            # Never forked from here: a process with threads, such as the one that keeps a run's heartbeat, may fork a
            # child that waits for ever for a lock which one of them held.
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(PRELOADED)
            options = dict(multiprocessing_context=context, persistent_workers=True, worker_init_fn=_begin)
        self._loader = DataLoader(
            _Doing(),
            sampler=self._jobs,
            batch_size=None,  # a job is a batch already
            collate_fn=_as_it_is,
            num_workers=count,
            pin_memory=pin_memory,
            # Its own, which nothing reads: what a net draws at random must not depend on when workers were started.
            generator=torch.Generator(),
            **options,
        )
        # Not left to multiprocessing, which ends workers by SIGTERM at exit and waits: they do not listen to it.
        atexit.register(_close, weakref.ref(self))

    def run(self, jobs: Iterable[Job]) -> Iterator[Any]:
        """The results of `jobs`, in order; a few are done ahead. Ends what an earlier call was at.

        Raises:
            DataError: what a job raised; or a worker was killed.
        """
        self._turn += 1
        self._jobs.jobs, turn = jobs, self._turn
        try:
            with _nobodys_script():
                results = iter(self._loader)
            for result in results:
                assert turn == self._turn, "another run() has taken the workers"
                if isinstance(result, DataError):
                    raise result
                yield result
        except RuntimeError as error:
            if "DataLoader worker (pid" not in str(error):  # how torch's own sentence about a dead one begins
                raise
            raise DataError(
                f"a process that decodes pictures has died ({error}); this is mostly memory or shared memory that ran "
                f"out: use fewer workers, or --workers 0 to decode in the training process"
            ) from error

    def close(self) -> None:
        """Ends the processes. Nothing more can be run."""
        iterator = self._loader._iterator if self._loader is not None else None
        self._loader = None
        if iterator is not None:
            iterator._shutdown_workers()  # its own __del__; waiting for that would leave it to chance when

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Jobs:
    """The DataLoader's sampler: whatever jobs there are now."""

    jobs: Iterable[Job] = ()

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs)


class _Doing(Dataset):
    """The DataLoader's data set, whose keys are jobs. A DataError is a result like others: torch would deliver it as a
    traceback in a traceback.
    """

    def __getitem__(self, job: Job) -> Any:
        try:
            return job()
        except DataError as error:
            return error


def _as_it_is(result: Any) -> Any:
    return result


def _begin(_: int) -> None:
    """What a worker does first. torch has given it one thread for its computations already."""
    # Ctrl-C and the end of a cluster job's time go to all processes; the trainer alone says when to stop, after it has
    # written a checkpoint.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_trainer, daemon=True).start()


def _end_with_trainer() -> None:
    """Ends the worker if its trainer was killed. torch's own watchdog asks for the parent process, which is the server
    here, and the server lives for as long as its children.
    """
    trainer = multiprocessing.parent_process()
    assert trainer is not None
    trainer.join()
    os._exit(1)


@contextmanager
def _nobodys_script() -> Iterator[None]:
    """While inside, processes that are started do not run the user's script once more, which multiprocessing does to
    have its functions there: a script without `if __name__ == "__main__"` would begin its own training in each worker.
    Jobs are reslab's, and need nothing of it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _close(reference: "weakref.ref[Workers]") -> None:
    workers = reference()
    if workers is not None:
        workers.close()

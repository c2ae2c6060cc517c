"""Training in processes that a test may kill, forked from a server that has torch imported: each starts in a moment."""

import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from reslab import Run, RunConfig, RunStore, train

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["reslab.training.loop"])

MINUTE = timedelta(minutes=1)  # gloo's own patience with one that has died is half an hour
TIME_COLUMNS = {"seconds", "images_per_second"}


def start(
    config: RunConfig, store: str | Path, environment: dict[str, str] | None = None, **options: Any
) -> multiprocessing.Process:
    process = CONTEXT.Process(target=_train, args=(environment or {}, config, store), kwargs=options)
    process.start()
    return process


def _train(environment: dict[str, str], *arguments: Any, **options: Any) -> None:
    os.environ.update(environment)  # or it would be the one that the server was started in
    train(*arguments, **options)


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.005)


def owned_by(store: str | Path, config: RunConfig, process: multiprocessing.Process) -> Callable[[], bool]:
    run = RunStore(store).run(config)
    return lambda: run.status.get("pid") == process.pid


def result(run: Run) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """What must be the same however often a run was stopped: metrics but for the clock, and the weights' bytes."""
    rows = [{k: v for k, v in row.items() if k not in TIME_COLUMNS} for row in run.metrics]
    return rows, {name: tensor.numpy().tobytes() for name, tensor in run.weights().items()}


def torchrun(count: int, *arguments: Any) -> subprocess.Popen:
    """`torchrun --nproc-per-node COUNT ...` on this machine alone, with one thread a process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--nproc-per-node", str(count), "--master-addr", "127.0.0.1", "--master-port", str(port)]
    command = [sys.executable, "-m", "torch.distributed.run", *where, *map(str, arguments)]
    environment = os.environ | dict(OMP_NUM_THREADS="1", GLOO_SOCKET_IFNAME="lo", CUDA_VISIBLE_DEVICES="")
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return subprocess.Popen(command, env=environment, **pipes)


def connected(count: int, folder: Path, target: Callable[[int, Path], Any]) -> list[Any]:
    """What `target(rank, folder)` returns in each of `count` processes of one gloo group."""
    processes = [CONTEXT.Process(target=_connect, args=(rank, count, folder, target)) for rank in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * count
    return [torch.load(folder / f"{rank}.pt") for rank in range(count)]


def _connect(rank: int, count: int, folder: Path, target: Callable[[int, Path], Any]) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=count, timeout=MINUTE)
    torch.save(target(rank, folder), folder / f"{rank}.pt")
    dist.destroy_process_group()

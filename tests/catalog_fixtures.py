"""A store with a run in every state, made without training."""

import os
import time
from pathlib import Path
from typing import Any

import psutil

from reslab import Run, RunConfig, RunStore
from reslab.files import write_json
from reslab.runs import COLUMNS

ROW = dict(zip(COLUMNS, [3, 0.5, 0.03, 2.25, 87.5, 2.5, 90.0, 1.5, 800.0], strict=True))
DAY = 86_400


def status(state: str, **values: Any) -> dict[str, Any]:
    """What an owner writes that is this process, or was if it is not running."""
    own = dict(host=os.uname().nodename, pid=os.getpid(), process_started=psutil.Process().create_time())
    return dict(state=state, iteration=6, iterations=12, heartbeat=time.time(), failure=None, token="t") | own | values


def make_run(store: RunStore, config: RunConfig, last: dict[str, Any] | None, rows: int = 2) -> Run:
    """A run with this status; without one it is new and has no log point."""
    run = store.create(config)
    if last:
        write_json(run.path / "status.json", last)
        run.write_metrics([ROW | dict(iteration=3 * i, test_error=90.0 - config.depth - i) for i in range(1, rows + 1)])
        for name in ("checkpoint.pt", "checkpoint.previous.pt", "checkpoint.pt.new", "weights.safetensors"):
            (run.path / name).write_bytes(b"0123456789")
    return run


def make_store(folder: Path) -> tuple[RunStore, dict[str, Run]]:
    """The store and its runs by state: done, failed, interrupted (a dead owner's), running (this process') and new."""
    store = RunStore(folder)
    statuses = dict(
        done=status("done", iteration=12, heartbeat=time.time() - 10 * DAY),
        failed=status("failed"),
        interrupted=status("running", pid=2**22 + 1),
        running=status("running"),
        new=None,
    )
    depths = zip((8, 14, 20, 26, 32), statuses.items(), strict=True)
    return store, {state: make_run(store, RunConfig(depth, "none", "smoke"), last) for depth, (state, last) in depths}


def in_memory(store: RunStore, name: str) -> RunStore:
    """A copy of the store on a URL."""
    copy = RunStore(f"memory://{name}")
    for path in store.root.rglob("*"):
        if path.is_file():
            copy.root.fs.pipe_file(f"/{name}/{path.relative_to(store.root)}", path.read_bytes())
    return copy

"""A process that computes a grid, alone or with others."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil

from ...files import remove, write_json
from ...training.owner import HEARTBEAT
from .grid import Grid, Results, Tile

KEEP_EVERY = 2.0  # seconds of work that a killed process may lose
LOOK_EVERY, LOOK_EVERY_REMOTE = 1.0, 5.0  # seconds between looks at what others compute, in a folder and on a URL

Report = Callable[[int, int, str], None]  # points that are done, by anyone, of how many, and what is waited for


class Worker:
    """Shows in the grid's folder that this process lives, while inside."""

    def __init__(self, grid: Grid):
        self.grid, self.token, self._stop = grid, uuid.uuid4().hex, threading.Event()
        self._path = grid.folder / f"worker-{self.token}.json"

    def __enter__(self) -> "Worker":
        self._write()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat {self.grid.folder.name}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()
        remove(self._path)

    def _write(self) -> None:
        who = dict(host=socket.gethostname(), pid=os.getpid(), process_started=psutil.Process().create_time())
        write_json(self._path, dict(state="running", **who, heartbeat=time.time()))

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            try:
                self._write()
            except Exception:  # a full disk, a store out of reach: writing what was found reports it
                continue


def compute(grid: Grid, evaluate: Callable[[float, float], tuple[float, float]], report: Report | None = None) -> None:
    """Computes what is missing of `grid`, and waits for what other live processes compute of it.

    `evaluate` gives loss and error at (x, y). Stopped at any moment, in whatever way, it goes on where it was when it
    is called again; who computed a point makes no difference to it.
    """
    report = report or (lambda done, total, note: None)
    total = len(grid.order)
    if grid.look()[1]:
        with Worker(grid) as worker:
            while True:
                found, tiles = grid.look()
                report(len(found), total, "")
                if not tiles:
                    break
                free, holder = _first_free(grid, tiles)
                if free is None:
                    others = f"waiting for process {holder['pid']} on {holder['host']}"
                    report(len(found), total, others)
                    time.sleep(LOOK_EVERY if isinstance(grid.folder, Path) else LOOK_EVERY_REMOTE)
                elif grid.claim(free, worker.token):
                    # Again, because its last owner may have found more since that look.
                    found, _ = grid.look()
                    _compute_tile(grid, free, worker.token, found, evaluate, report)
            if len(found) == total:
                grid.finish(found)
    report(total, total, "")


def _first_free(grid: Grid, tiles: list[Tile]) -> tuple[Tile | None, dict | None]:
    holder = None
    for tile in tiles:
        holder = grid.holder(tile)
        if holder is None:
            return tile, None
    return None, holder


def _compute_tile(
    grid: Grid,
    tile: Tile,
    token: str,
    known: Results,
    evaluate: Callable[[float, float], tuple[float, float]],
    report: Report,
) -> None:
    found: Results = {}
    kept = time.monotonic()
    try:
        for point in tile.points:
            if point in known:
                continue
            found[point] = evaluate(*grid.place(point))
            report(len(known) + len(found), len(grid.order), "")
            if time.monotonic() - kept >= KEEP_EVERY:
                grid.keep(tile, token, found)
                kept = time.monotonic()
    finally:
        if found:
            grid.keep(tile, token, found)

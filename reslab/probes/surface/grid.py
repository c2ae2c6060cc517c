"""A grid of points in the run folder: computed tile by tile by any number of processes, each tile by one of them.

RUN/surface/NAME/ holds grid.json, the plan; while it is computed tile-0007-01.json, which is the first claim on tile 7
and what its owner has found so far, and worker-TOKEN.json, an owner's sign of life; at the end results.json in place of
both. A tile whose owner is dead or silent is claimed again, by the next number, and goes on from what was found.
"""

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...files import Place, names, read, read_many, remove, stat, write_atomically, write_json
from ...remote import create
from ...status import SILENT, alive
from .result import PathPoint, Surface

FOLDER = "surface"  # in the run folder
TILE = 10  # points that are claimed at once
CLAIM = re.compile(r"tile-(\d{4,})-(\d{2,})\.json")

Results = dict[int, tuple[float, float]]  # loss and error by the point's number: row by row, the x axis along a row


@dataclass(frozen=True)
class Tile:
    """Some points, and who has claimed them."""

    number: int
    points: tuple[int, ...]
    claims: int  # so far
    worker: str | None  # the last one's token


class Grid:
    """The files of a grid; nothing is held in memory but the plan, which never changes."""

    def __init__(self, folder: Place):
        self.folder = folder

    def begin(self, header: Mapping[str, Any]) -> None:
        """Writes the plan, unless somebody has: its axes count, then, for all who share the grid."""
        path = self.folder / "grid.json"
        if read(path) is not None:
            return
        if isinstance(path, Path):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(path, header)
        else:
            with suppress(FileExistsError):  # a store far away leaves others time to begin at the same moment
                create(path, json.dumps(header, indent=1).encode())

    @cached_property
    def header(self) -> dict[str, Any] | None:
        """What grid.json says, None if nobody has begun."""
        content = read(self.folder / "grid.json")
        return None if content is None else json.loads(content)

    @cached_property
    def order(self) -> list[int]:
        """The points' numbers from the middle outwards, so that a picture of half a grid is one of its centre."""
        across, up = len(self.header["x"]), len(self.header["y"])

        def far(point: int) -> int:
            return (2 * (point % across) - across + 1) ** 2 + (2 * (point // across) - up + 1) ** 2

        return sorted(range(across * up), key=far)

    def place(self, point: int) -> tuple[float, float]:
        """The (x, y) of a point."""
        up, along = divmod(point, len(self.header["x"]))
        return self.header["x"][along], self.header["y"][up]

    def look(self) -> tuple[Results, list[Tile]]:
        """What is found so far, by anyone, and the tiles that are not finished."""
        found: Results = {}
        claims: dict[int, tuple[int, str | None]] = {}
        files = [name for name in names(self.folder) if CLAIM.fullmatch(name)]
        for name, content in zip(files, read_many([self.folder / name for name in files]), strict=True):
            number, claim = map(int, CLAIM.fullmatch(name).groups())
            said = json.loads(content or b"{}")  # empty: its writer is at it, or was killed
            found |= {point: (loss, error) for point, loss, error in said.get("found", [])}
            claims[number] = max(claims.get(number, (0, None)), (claim, said.get("worker")), key=lambda each: each[0])
        whole = read(self.folder / "results.json")  # last, because whoever writes it removes the tiles then
        if whole is not None:
            return {point: tuple(pair) for point, pair in enumerate(json.loads(whole))}, []
        tiles = [tuple(self.order[i : i + TILE]) for i in range(0, len(self.order), TILE)]
        open = [
            Tile(number, points, *claims.get(number, (0, None)))
            for number, points in enumerate(tiles)
            if not found.keys() >= set(points)
        ]
        return found, open

    def holder(self, tile: Tile) -> dict[str, Any] | None:
        """The status of the live process that computes this tile, None if there is none."""
        if not tile.claims:
            return None
        if tile.worker is None:
            young = self._age(self._tile(tile.number, tile.claims).name) < SILENT
            return dict(host="?", pid="?") if young else None
        return self._live(f"worker-{tile.worker}.json")

    def _live(self, worker: str) -> dict[str, Any] | None:
        """The status in a worker's file, if it lives."""
        content = read(self.folder / worker)
        status = json.loads(content) if content else None
        return status if status and alive(status) else None

    def _age(self, name: str) -> float:
        """Seconds since a file was written; many if it is not there."""
        found = stat(self.folder / name)
        return time.time() - found.modified if found else float("inf")

    def claim(self, tile: Tile, worker: str) -> bool:
        """Makes the tile this worker's, unless somebody was faster."""
        path, content = self._tile(tile.number, tile.claims + 1), _content(worker, {})
        try:
            if isinstance(path, Path):
                with open(path, "xb") as file:
                    file.write(content)
            else:
                create(path, content)
        except FileExistsError:
            return False
        return True

    def keep(self, tile: Tile, worker: str, found: Results) -> None:
        """Writes what this worker has found of the tile that it has claimed."""
        write_atomically(self._tile(tile.number, tile.claims + 1), _content(worker, found))

    def finish(self, found: Results) -> None:
        """All points in one file; the tiles, and what killed processes have left, away."""
        write_json(self.folder / "results.json", [list(found[point]) for point in range(len(self.order))])
        for name in names(self.folder):
            dead = name.startswith("worker-") and not self._live(name)
            if dead or CLAIM.fullmatch(name) or (name.endswith(".tmp") and self._age(name) > SILENT):
                remove(self.folder / name)

    def surface(self) -> Surface:
        """What is there now, NaN where nothing is yet."""
        header, (found, _) = self.header, self.look()
        across = len(header["x"])

        def rows(which: int) -> tuple[tuple[float, ...], ...]:
            values = [found[point][which] if point in found else float("nan") for point in range(len(self.order))]
            return tuple(tuple(values[i : i + across]) for i in range(0, len(values), across))

        path = tuple(PathPoint(*point) for point in header["path"])
        axes = tuple(header["x"]), tuple(header["y"])
        return Surface(header["net"], *axes, rows(0), rows(1), header["images"], header["split"], header["words"], path)

    def _tile(self, number: int, claim: int) -> Place:
        return self.folder / f"tile-{number:04}-{claim:02}.json"


def _content(worker: str, found: Results) -> bytes:
    return json.dumps(dict(worker=worker, found=[[point, *pair] for point, pair in found.items()])).encode()

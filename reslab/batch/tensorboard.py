"""TensorBoard's event files, made from run folders: one folder a run, for those who live there.

Only what is missing is written, and what others wrote is read back first: whoever comes next, after a crash or at the
same time, goes on where the last one was.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from ..runs import Run
from .progress import Seen, Watch

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

RESULTS = ("train_error", "test_error", "train_loss", "test_loss", "lr")  # the same however often a row is trained
TAGS = (*RESULTS, "images_per_second")
CONFIG = "config"
EVERY = 5.0  # seconds between two looks at the run folders

Points = dict[str, dict[int, float]]  # tag -> iteration -> value, as event files hold it


class EventFiles:
    """The event files of runs in `folder`: call `update` as often as you like, `close` at the end.

    Raises ValueError if the package tensorboard is not there.
    """

    def __init__(self, folder: str | Path):
        try:
            import torch.utils.tensorboard  # noqa: F401
        except ImportError:
            raise ValueError(
                "event files need a package that is not there: pip install 'reslab[tensorboard]'"
            ) from None
        self.folder = Path(folder)
        self._seen: dict[str, tuple[int, float]] = {}  # run id -> size and time of the metrics.csv that was written
        self._open: dict[str, _Events] = {}

    def __enter__(self) -> "EventFiles":
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def close(self) -> None:
        """Closes all files. What `update` wrote is on the disk without it."""
        for id in list(self._open):
            self._open.pop(id).close()

    def update(self, runs: Iterable[Run]) -> None:
        """Writes the log points that are not written yet, and each run's config beside its first.

        Steps are iterations. The wall time is that of the run's first start plus the seconds that it has trained since:
        pauses between sittings are left out. Where there is nothing new it costs one look at metrics.csv.
        """
        for run in runs:
            try:
                stat = (run.path / "metrics.csv").stat()
            except FileNotFoundError:
                continue
            if self._seen.get(run.id) != (stat.st_size, stat.st_mtime):
                self._write(run)
                self._seen[run.id] = stat.st_size, stat.st_mtime

    def _write(self, run: Run) -> None:
        rows = run.metrics
        if not rows:
            return
        config = json.loads((run.path / "config.json").read_text())
        self.folder.mkdir(parents=True, exist_ok=True)
        events = self._open.setdefault(run.id, _Events(self.folder / run.id))
        with FileLock(self.folder / f".{run.id}.lock"):  # not in the run's folder, which may have to begin anew
            events.read_back()
            if contradict(events.points, rows):  # another run of this config, or rows that came again otherwise
                events.begin_anew()
            events.add(rows, _started(run), config)
        if rows[-1]["iteration"] == config["iterations"]:  # no more will come: a thread and an open file less
            self._open.pop(run.id).close()


class Recording:
    """A Watch that writes the event files of `runs` now and then, and leaves what people see to another one."""

    def __init__(self, watch: Watch, files: EventFiles, runs: Sequence[Run]):
        self._watch, self._files, self._runs, self._next = watch, files, runs, 0.0

    def __enter__(self) -> "Recording":
        self._watch.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        self._watch.__exit__(*exception)

    def show(self, look_at_all: Callable[[], Sequence[Seen]], last: bool = False) -> None:
        self._watch.show(look_at_all, last)
        if last or time.monotonic() >= self._next:
            self._files.update(self._runs)
            self._next = time.monotonic() + EVERY

    def say(self, text: str) -> None:
        self._watch.say(text)


@dataclass
class _Events:
    """One run's event files: what is in them, and a writer while there is something to write."""

    place: Path
    points: Points = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)  # name -> bytes, when `points` was right
    writer: "SummaryWriter | None" = None

    def read_back(self) -> None:
        """Makes `points` right if somebody else has written. A file that was cut off counts as far as it goes."""
        if self._files() == self.files:
            return
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        self.close()  # what comes next goes into a new file: TensorBoard reads them one after the other
        events = EventAccumulator(str(self.place), size_guidance=dict(scalars=0, tensors=1))
        events.Reload()
        tags = events.Tags()
        self.points = {tag: {e.step: e.value for e in events.Scalars(tag)} for tag in tags["scalars"]}
        if f"{CONFIG}/text_summary" in tags["tensors"]:
            self.points[CONFIG] = {}

    def begin_anew(self) -> None:
        self.close()
        shutil.rmtree(self.place)
        self.points = {}

    def add(self, rows: Sequence[Mapping[str, Any]], started: float, config: Mapping[str, Any]) -> None:
        """Writes what is missing of the rows, which began at `started` (Unix seconds)."""
        from torch.utils.tensorboard import SummaryWriter

        missing = [(row, tag) for row in rows for tag in TAGS if row["iteration"] not in self.points.get(tag, {})]
        if missing:
            self.writer = self.writer or SummaryWriter(str(self.place))
            if CONFIG not in self.points:
                _describe(self.writer, config, started)
                self.points[CONFIG] = {}
            for row, tag in missing:
                self.writer.add_scalar(tag, row[tag], row["iteration"], walltime=started + row["seconds"])
                self.points.setdefault(tag, {})[row["iteration"]] = row[tag]
            self.writer.flush()
        self.files = self._files()

    def close(self) -> None:
        if self.writer:
            self.writer.close()
            self.writer = None

    def _files(self) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in self.place.iterdir()} if self.place.exists() else {}


def contradict(points: Points, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether event files hold something else than the rows do, as far as these go.

    Points after the last row do not: a run that was killed begins again at its last checkpoint, and they come again.
    """
    told = {row["iteration"]: row for row in rows}
    last = max(told)
    return any(
        step not in told or np.float32(told[step][tag]) != np.float32(value)  # as event files hold it
        for tag in RESULTS
        for step, value in points.get(tag, {}).items()
        if step <= last
    )


def _started(run: Run) -> float:
    return datetime.strptime(run.provenance["started"], "%Y-%m-%dT%H:%M:%S%z").timestamp()


def _describe(writer: "SummaryWriter", config: Mapping[str, Any], started: float) -> None:
    """The config as a text, and as hyperparameters that TensorBoard's table compares by the final errors."""
    from torch.utils.tensorboard.summary import hparams

    lines = [f"| {name} | {value} |" for name, value in config.items()]
    writer.add_text(CONFIG, "\n".join(["| field | value |", "|---|---|", *lines]), walltime=started)
    plain = {name: value if isinstance(value, int | float | str) else str(value) for name, value in config.items()}
    for summary in hparams(plain, dict.fromkeys(("train_error", "test_error"))):
        writer.file_writer.add_summary(summary, walltime=started)

"""TensorBoard's event files, made from run folders: one folder a run, for those who live there.

Only what is missing is written, and what others wrote is read back first: whoever comes next, after a crash or at the
same time, goes on where the last one was.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from ..files import Stat, must_read, stat_many
from ..runs import Run
from .progress import Seen, Watch

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

RESULTS = ("train_error", "test_error", "train_loss", "test_loss", "lr")  # the same however often a row is trained
TAGS = (*RESULTS, "images_per_second")
CONFIG = "config"
EVERY = 5.0  # seconds between two looks at the run folders

Points = dict[str, dict[int, float]]  # tag -> iteration -> value, as event files hold it


class NotRecorded(OSError):
    """The folder of the event files cannot be used, and that is not the store; the message says why."""


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
        self._seen: dict[str, Stat] = {}  # run id -> the metrics.csv that was written
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
        pauses between sittings are left out. Where there is nothing new it costs one look at metrics.csv. Raises
        NotRecorded if the event files cannot be written, another OSError if the runs cannot be read.
        """
        runs = list(runs)
        for run, now in zip(runs, stat_many([run.path / "metrics.csv" for run in runs]), strict=True):
            if now and now != self._seen.get(run.id):
                self._record(run)
                self._seen[run.id] = now

    def _record(self, run: Run) -> None:
        rows = run.metrics
        if not rows:
            return
        started, config = _started(run), json.loads(must_read(run.path / "config.json"))
        try:
            self._write(run.id, rows, started, config)
        except OSError as error:
            raise NotRecorded(f"event files cannot be written to {self.folder}: {error}") from error

    def _write(self, id: str, rows: Sequence[Mapping[str, Any]], started: float, config: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        events = self._open.setdefault(id, _Events(self.folder / id))
        with FileLock(self.folder / f".{id}.lock"):  # not in the run's folder, which may have to begin anew
            events.read_back()
            if contradict(events.points, rows):  # another run of this config, or rows that came again otherwise
                events.begin_anew()
            events.add(rows, started, config)
        if rows[-1]["iteration"] == config["iterations"]:  # no more will come: a thread and an open file less
            self._open.pop(id).close()


class Recording:
    """A Watch that writes the event files of `runs` now and then, and leaves what people see to another one.

    If they cannot be written it says so, once, and writes no more: the batch goes on.
    """

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
            self._next = time.monotonic() + EVERY
            try:
                self._files.update(self._runs)
            except NotRecorded as error:
                self._runs = []
                self.say(f"{error}; the batch goes on without. `reslab runs --tensorboard FOLDER` writes them later.")

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
            with suppress(OSError):  # what counts is flushed; what is not could not be written
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

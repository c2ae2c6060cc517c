"""What a run records of itself while it trains, on request: its layers' signals, its weights. The result is the same.

signals.csv has a row for each layer and record; weights/000350.safetensors the net as it was after 350 iterations, its
running statistics included. Both are for probes: see reslab.probes.recorded, which reads them.
"""

import csv
import io
import math
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import torch

from ..files import exists, names, read, remove, write_atomically
from ..runs import Run
from .config import RunConfig
from .owner import Follower, Owner
from .state import State
from .task import Task
from .tasks import refuse_others

RECORDS = ("signals", "weights")  # what can be recorded
SIGNALS, COLUMNS = "signals.csv", ("iteration", "layer", "variance", "gradient")
WEIGHTS, SUFFIX = "weights", ".safetensors"  # a folder in the run folder, and how its files end
IMAGES = 12  # pictures whose signals are recorded: the first of the run's first batch
SPACING = dict(signals=200, weights=50)  # iterations between records, at least: one costs up to an iteration's time
FEWEST, MOST = 4, 20  # records of weights in a run, besides the one at its beginning: two would make no path


def check_record(record: str | Sequence[str], config: RunConfig | None = None) -> tuple[str, ...]:
    """What to record, each once; "signals,weights" is both. Raises ValueError, naming the closest, for others, and for
    what a run of `config` does not have.
    """
    given = [name.strip() for name in record.split(",") if name.strip()] if isinstance(record, str) else record
    for name in given:
        if name not in RECORDS:
            (close,) = get_close_matches(str(name), RECORDS, n=1, cutoff=0.0)
            raise ValueError(f"record: {name!r} cannot be recorded; did you mean {close!r}? It has: signals, weights")
    if config and "signals" in given:
        refuse_others(config, "record='signals'")
    return tuple(dict.fromkeys(given))


def due(what: str, iteration: int, config: RunConfig) -> bool:
    """Whether a run records this after so many iterations: before the first, after the last, and at log points between
    them, as many as cost less than 2 % of the time (docs/benchmarks.md); of runs shorter than 200 iterations, weights
    all the same.
    """
    if iteration in (0, config.iterations):
        return True
    point, between = divmod(iteration, config.log_every)
    least = SPACING[what]
    if what == "weights":
        least = max(min(least, config.iterations / FEWEST), config.iterations / MOST)
    return not between and point % math.ceil(least / config.log_every) == 0


def unrecorded(run: Run, record: Sequence[str]) -> str:
    """What to tell who asked for it of a run that is done and did not record it; "" if there is nothing to tell."""
    there = dict(signals=exists(run.path / SIGNALS), weights=bool(names(run.path / WEIGHTS))) if record else {}
    missing = " and ".join(what for what in record if not there[what])
    return missing and f"was done before, without recording {missing}: for that, train it again in another store"


class Recorder:
    """Records a run as its loop comes by. Of several processes the first one records; all take part."""

    def __init__(
        self, record: Sequence[str], run: Run, config: RunConfig, task: Task, state: State, owner: Owner | Follower
    ):
        self.record, self.run, self.config, self.state, self.owner = record, run, config, state, owner
        self._lines: list[str] = []  # of signals.csv, below its header
        if "signals" in record:
            self._batch = [tensor[:IMAGES] for tensor in task.batch(0)]
            # Never the net that trains: several processes have made its batch norms wait for each other.
            device = state.window.sums.device
            self._net = config.make_net().to(device, memory_format=torch.channels_last)
        if record:
            state.processes.lead(lambda: owner.write(self._drop_newer))
        if state.iteration == 0:
            self()

    def __call__(self) -> None:
        """Records what is due at this iteration: before its checkpoint is saved, since what is newer is dropped."""
        if now := [what for what in self.record if due(what, self.state.iteration, self.config)]:
            self.state.processes.lead(lambda: self._keep(now))

    def _keep(self, now: Sequence[str]) -> None:
        if "signals" in now:
            self._lines += self._signals()
            self.owner.write(self._write_lines)
        if "weights" in now:
            content = self.state.weights(self.run.id)
            path = self.run.path / WEIGHTS / f"{self.state.iteration:06}{SUFFIX}"
            self.owner.write(lambda: write_atomically(path, content))

    def _signals(self) -> list[str]:
        from ..probes.signals import signals_of_copy  # here, because probes train nets

        self._net.load_state_dict(self.state.net.state_dict())
        text = io.StringIO()
        for signal in signals_of_copy(self._net, *self._batch):
            values = (self.state.iteration, signal.name, signal.variance, signal.gradient)
            csv.writer(text, lineterminator="\n").writerow(values)
        return text.getvalue().splitlines()

    def _write_lines(self) -> None:
        write_atomically(self.run.path / SIGNALS, "\n".join([",".join(COLUMNS), *self._lines, ""]))

    def _drop_newer(self) -> None:
        """Takes away what was recorded after the checkpoint: it will come again."""
        last = self.state.iteration or -1  # at the beginning all will come again
        if "signals" in self.record:
            lines = (read(self.run.path / SIGNALS) or b"").decode().splitlines()[1:]
            self._lines = [line for line in lines if int(line.partition(",")[0]) <= last]
            self._write_lines()
        if "weights" in self.record:
            folder = self.run.path / WEIGHTS
            if isinstance(folder, Path):
                folder.mkdir(exist_ok=True)
            for name in names(folder):
                if not name.startswith(".") and int(name.removesuffix(SUFFIX)) > last:
                    remove(folder / name)

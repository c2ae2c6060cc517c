"""What a run costs besides its training steps: importing, papermill, evaluation, memory; each with its limit."""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ..batch.spec import Experiment
from ..data import load_dataset
from ..precision import precisions_of
from ..training.config import RunConfig
from ..training.estimate import measure
from ..training.loop import pick_device
from .children import python_says, python_takes
from .clock import spread
from .machine import describe, source
from .rounds import interleaved

IMPORT = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
# All that training needs: `import reslab` alone would put off what a user waits for a moment later.
IMPORTS = dict(torch="import torch", reslab="from reslab import RunConfig, RunStore, cifar_net, load_dataset, train")
TRAIN = "import json, sys, reslab; reslab.train(reslab.RunConfig.from_dict(json.loads(sys.argv[1])), sys.argv[2])"
# The most that the process has had in memory at any time. On Linux of this program alone: getrusage (KiB; macOS: bytes)
# would count what the process was forked from.
PEAK = """
import json, re, resource, sys, reslab
from pathlib import Path
config = reslab.RunConfig.from_dict(json.loads(sys.argv[1]))
reslab.train(config, sys.argv[2], data=sys.argv[3] or None, device="cpu", compile="always")
status = Path("/proc/self/status")
if status.exists():
    print(1024 * int(re.search(r"VmHWM:\\s+([0-9]+) kB", status.read_text())[1]))
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""
# What the Recorder takes, disk included, in percent of the rest; its first record is inside its making.
RECORD = """
import json, sys, time, reslab
from reslab.training.recording import Recorder
spent, begun = 0.0, []
def timed(method):
    def call(*given):
        global spent
        begun.append(time.perf_counter())
        method(*given)
        start = begun.pop()
        spent += 0.0 if begun else time.perf_counter() - start
    return call
Recorder.__init__, Recorder.__call__ = timed(Recorder.__init__), timed(Recorder.__call__)
config = reslab.RunConfig.from_dict(json.loads(sys.argv[1]))
run = reslab.train(config, sys.argv[2], device="cpu", record=("signals", "weights"))
print(100 * spent / (run.final["seconds"] - spent))
"""

Report = Callable[[str], None]


def measure_overheads(data: Path | None, report: Report) -> dict[str, Any]:
    """machine, commit, dirty, date and `overheads`: rows of what, unit, median, low, high, limit, ok.

    `data` is where CIFAR-10 is, see load_dataset; without it and RESLAB_DATA, the memory is that of a run on "shapes".
    """
    # The children first, see PEAK.
    rows = [import_time(report), papermill_time(report), *peak_memory(data, report)]
    rows += [*evaluation_share(report), *recording_share(report)]
    return dict(machine=describe(torch.device("cpu")), **source(), overheads=rows)


def import_time(report: Report, pairs: int = 11) -> dict[str, Any]:
    """Seconds that importing all of reslab that training needs takes more than `import torch`, in fresh processes."""
    measures = {name: lambda code=code: float(python_says("-c", IMPORT.format(code))) for name, code in IMPORTS.items()}
    for name, once in measures.items():  # brings the files into memory
        report(f"import {name}")
        once()
    seconds = interleaved(measures, pairs, lambda name, index: report(f"import {name}, {index + 1} of {pairs}"))
    return _row("import reslab, over import torch", "s", _differences(seconds["reslab"], seconds["torch"]), 0.3)


def papermill_time(
    report: Report, config: RunConfig | None = None, notebook: Path | None = None, pairs: int = 3
) -> dict[str, Any]:
    """Seconds that a run through papermill takes more than the same run called directly, from process start to end."""
    config = config or RunConfig(20, profile="demo", iterations=70)
    notebook = notebook or Experiment.load("degradation").notebook
    load_dataset(config.dataset, progress=False)  # into the cache, for both
    with tempfile.TemporaryDirectory() as folder:
        stores = (Path(folder) / str(number) for number in range(2 * pairs))  # a run is trained where it is not yet

        def direct() -> float:
            return python_takes("-c", TRAIN, json.dumps(config.to_dict()), str(next(stores)))

        def papermill() -> float:
            store = next(stores)
            parameters = json.dumps(_parameters(config, store))
            return python_takes("-m", "reslab.batch.notebook", str(notebook), f"{store}.ipynb", parameters)

        seconds = interleaved(
            {"directly": direct, "through papermill": papermill},
            pairs,
            lambda name, index: report(f"a short run {name}, {index + 1} of {pairs}"),
        )
    extra = _differences(seconds["through papermill"], seconds["directly"])
    return _row(f"a run through papermill, over the run alone ({median(seconds['directly']):.1f} s)", "s", extra, 6.0)


def _parameters(config: RunConfig, store: Path) -> dict[str, Any]:
    """Of notebooks/train.ipynb, which takes most of RunConfig's fields as one mapping."""
    own = ("depth", "shortcut", "profile", "seed")
    settings = config.to_dict()
    return {name: settings.pop(name) for name in own} | dict(store=str(store), settings=settings)


def peak_memory(data: Path | None, report: Report, config: RunConfig | None = None) -> list[dict[str, Any]]:
    """Peak resident GiB of a process that trains, evaluates and writes a checkpoint: one row a precision."""
    given = data or os.environ.get("RESLAB_DATA")
    dataset = "cifar10" if given else "shapes"
    rows = []
    for precision in precisions_of(pick_device()):
        run = config or RunConfig(
            56, profile="short", dataset=dataset, precision=precision, iterations=12, log_every=12
        )
        report(f"peak memory, {run.net_name} in {precision} on {run.dataset}")
        with tempfile.TemporaryDirectory() as folder:
            peak = float(python_says("-c", PEAK, json.dumps(run.to_dict()), folder, str(given or "")))
        rows.append(_row(f"peak memory, {run.net_name}, {precision}, on {run.dataset}", "GiB", [peak / 2**30], 2.0))
    return rows


def evaluation_share(
    report: Report, depths: Sequence[int] = (20, 56), profile: str = "short", times: int = 3, budget: float = 8.0
) -> list[dict[str, Any]]:
    """Percent of the training time that evaluating the test set at every log point adds: one row a depth."""
    rows = []
    for depth in depths:
        config, shares = RunConfig(depth, profile=profile), []
        for index in range(times):
            report(f"evaluation, {config.net_name} in {profile}, {index + 1} of {times}")
            speed = measure(config, "cpu", budget=budget)
            shares.append(100 * speed.evaluation / (config.log_every * speed.step))
        rows.append(_row(f"evaluation, {config.net_name} in {profile}, of the training time", "%", shares, 5.0))
    return rows


def recording_share(
    report: Report, depths: Sequence[int] = (20, 56), profile: str = "demo", times: int = 2
) -> list[dict[str, Any]]:
    """Percent of the training time that recording signals and weights adds to whole runs: one row a depth."""
    rows = []
    for depth in depths:
        config, shares = RunConfig(depth, profile=profile), []
        for index in range(times):
            report(f"recording, {config.net_name} in {profile}, {index + 1} of {times}")
            with tempfile.TemporaryDirectory() as folder:
                shares.append(float(python_says("-c", RECORD, json.dumps(config.to_dict()), folder)))
        rows.append(_row(f"recording, {config.net_name} in {profile}, of the training time", "%", shares, 2.0))
    return rows


def _row(what: str, unit: str, values: Sequence[float], limit: float) -> dict[str, Any]:
    middle, low, high = spread(values)
    return dict(what=what, unit=unit, median=middle, low=low, high=high, limit=limit, ok=middle <= limit)


def _differences(more: Sequence[float], less: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(more, less, strict=True)]

"""Small notebooks and experiments for the tests of reslab.batch."""

from pathlib import Path

import nbformat
from nbformat import v4

from reslab import Run, RunConfig, RunStore
from reslab.files import write_json

TRAIN_PARAMETERS = """\
depth: int = 8  # weighted layers
shortcut: str = "A"
profile: str = "smoke"
seed: int = 0
store: str = ""
data: str = ""
settings: dict = {}  # any other field
"""
TRAIN = """\
import reslab
config = dict(depth=depth, shortcut=shortcut, profile=profile, seed=seed) | settings
run = reslab.train(reslab.RunConfig.from_dict(config), store)
"""
REPORT_PARAMETERS = """\
profile: str = "smoke"
store: str = ""
seeds: int = 1
data: str = ""
settings: dict = {}
words: str = "default"  # of the report alone
"""
REPORT = "print(words, seeds, settings)"

SPEC = """\
title: Small
question: Does it run?
notebook: train.ipynb
report: report.ipynb
profile: smoke
grid:
  depth: 8
  shortcut: [none, A]
"""


def write_notebook(path: Path, parameters: str, *cells: str) -> Path:
    """A notebook whose first cell is tagged `parameters`."""
    nb = v4.new_notebook(
        metadata=dict(
            kernelspec=dict(name="python3", display_name="Python 3", language="python"),
            language_info=dict(name="python"),
        )
    )
    nb.cells = [v4.new_code_cell(source) for source in (parameters, *cells)]
    nb.cells[0].metadata.tags = ["parameters"]
    nbformat.write(nb, path)
    return path


def write_study(folder: Path, spec: str = SPEC, train: str = TRAIN) -> Path:
    """An experiment of two small runs, and its notebooks. Returns its file."""
    write_notebook(folder / "train.ipynb", TRAIN_PARAMETERS, train)
    write_notebook(folder / "report.ipynb", REPORT_PARAMETERS, REPORT)
    path = folder / "small.yaml"
    path.write_text(spec)
    return path


def output(path: Path) -> str:
    """What the executed notebook's last cell printed."""
    return "".join(out.get("text", "") for out in nbformat.read(path, 4).cells[-1].outputs)


def finished_run(store: Path, config: RunConfig, test_error: float = 10.0, **provenance) -> Run:
    """A run folder as training leaves it, with `test_error` at the end and half of it in training, without training."""
    run = RunStore(store).create(config)
    steps = range(config.log_every, config.iterations + 1, config.log_every)
    run.write_metrics(
        [
            dict(
                iteration=step,
                epoch=step / config.batches_per_epoch,
                lr=config.lr,
                train_loss=1.0,
                train_error=test_error / 2 + 50 * (1 - step / config.iterations),
                test_loss=1.0,
                test_error=test_error + 50 * (1 - step / config.iterations),
                seconds=60 * step / config.iterations,
                images_per_second=100.0,
            )
            for step in steps
        ]
    )
    usual = dict(
        started="2026-01-02T03:04:05+0000", git_commit="a1b2c3d4e5" * 4, git_dirty=False, torch="2.9", threads=1
    )
    write_json(run.path / "provenance.json", usual | dict(dataset_fingerprint=dict(train="f" * 64)) | provenance)
    write_json(run.path / "status.json", dict(state="done", iteration=config.iterations))
    return run

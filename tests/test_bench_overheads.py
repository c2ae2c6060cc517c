"""`reslab bench --overheads`: differences of made-up timings, and the processes that are measured, run for once."""

import json
import re

import pytest
from typer.testing import CliRunner

from reslab import RunConfig, RunStore
from reslab.batch.notebook import check_parameters
from reslab.batch.spec import Experiment
from reslab.bench import command, overheads
from reslab.cli import app
from reslab.probes import recorded_iterations, recorded_signals
from reslab.training.estimate import Speed
from reslab.training.profiles import PROFILES

SMOKE = RunConfig(8, profile="smoke")


def quiet(_what: str) -> None:
    pass


def numbers(row: dict) -> tuple[float, ...]:
    return row["median"], row["low"], row["high"]


def test_import_is_the_median_difference_of_pairs(monkeypatch):
    # Warm-ups of torch and reslab, then pairs in turns: torch first, reslab first, torch first.
    seconds = iter([9, 9, 1.0, 1.5, 1.25, 1.0, 1.0, 1.125])
    asked = []
    monkeypatch.setattr(overheads, "python_says", lambda flag, code: (asked.append(code), str(next(seconds)))[1])
    row = overheads.import_time(quiet, pairs=3)
    assert numbers(row) == (0.25, 0.125, 0.5) and row["ok"] and (row["limit"], row["unit"]) == (0.3, "s")
    names = ["reslab" if "from reslab import" in code else "torch" for code in asked]
    assert all(("import torch" in code) == (name == "torch") for name, code in zip(names, asked, strict=True))
    assert names == ["torch", "reslab", "torch", "reslab", "reslab", "torch", "torch", "reslab"]


def test_both_roads_train_the_same_run(monkeypatch):
    seen = {"-c": [], "-m": []}

    def seconds(flag, _code, *arguments):
        seen[flag].append(arguments)
        return {"-c": 2.0, "-m": 9.5}[flag]

    monkeypatch.setattr(overheads, "python_takes", seconds)
    row = overheads.papermill_time(quiet, SMOKE, pairs=2)
    assert numbers(row) == (7.5, 7.5, 7.5) and not row["ok"] and row["limit"] == 6
    stores = set()
    for (config, store), (notebook, _out, parameters) in zip(seen["-c"], seen["-m"], strict=True):
        given = json.loads(parameters)
        check_parameters(Experiment.load("degradation").notebook, given)
        assert notebook.endswith("train.ipynb")
        fields = {name: given[name] for name in ("depth", "shortcut", "profile", "seed")}
        assert RunConfig.from_dict(fields | given["settings"]) == RunConfig.from_dict(json.loads(config)) == SMOKE
        stores |= {store, given["store"]}
    assert len(stores) == 4  # a run that is done would cost nothing


def test_the_direct_run_trains(tmp_path):
    assert overheads.python_takes("-c", overheads.TRAIN, json.dumps(SMOKE.to_dict()), str(tmp_path)) > 0
    assert RunStore(tmp_path).run(SMOKE).state == "done"


def test_a_process_that_fails_is_said():
    with pytest.raises(OSError, match="a process that was to be measured failed: ZeroDivisionError"):
        overheads.python_says("-c", "1 / 0")


def test_peak_memory_is_that_of_a_real_process(monkeypatch):
    monkeypatch.delenv("RESLAB_DATA", raising=False)
    monkeypatch.setattr(overheads, "precisions_of", lambda device: ("fp32",))
    grown = b"x" * (2 << 30)  # what this process has is not the child's
    (row,) = overheads.peak_memory(None, quiet, SMOKE)
    del grown
    assert 0.1 < row["median"] < 2 and row["ok"]  # torch alone is some hundred MiB
    assert row["unit"] == "GiB" and "on shapes" in row["what"]


@pytest.mark.parametrize(("data", "dataset"), [("", "shapes"), ("somewhere", "cifar10")])
def test_peak_memory_is_that_of_cifar10_where_it_is(monkeypatch, data, dataset):
    asked = []
    monkeypatch.setenv("RESLAB_DATA", data)
    monkeypatch.setattr(overheads, "precisions_of", lambda device: ("fp32", "bf16"))
    monkeypatch.setattr(overheads, "python_says", lambda *arguments: (asked.append(arguments), str(3 << 30))[1])
    rows = overheads.peak_memory(None, quiet)
    assert [(row["median"], row["ok"]) for row in rows] == [(3, False), (3, False)]
    configs = [RunConfig.from_dict(json.loads(config)) for _, _, config, _, _ in asked]
    assert [(c.depth, c.batch, c.image_size, c.dataset) for c in configs] == [(56, 128, 32, dataset)] * 2
    assert [c.precision for c in configs] == ["fp32", "bf16"] and {given for *_, given in asked} == {data}


def test_evaluation_is_a_share_of_the_steps_between_log_points(monkeypatch):
    seconds = iter([1.0, 3.0, 2.0])
    step = 40 / PROFILES["short"]["log_every"]  # 40 s from one log point to the next
    monkeypatch.setattr(overheads, "measure", lambda *_args, **_options: Speed(step, next(seconds)))
    (row,) = overheads.evaluation_share(quiet, depths=(20,))
    assert numbers(row) == pytest.approx((5, 2.5, 7.5)) and row["limit"] == 5


def test_recording_is_the_share_that_runs_say(monkeypatch):
    asked, said = [], iter(["1.5", "0.5"])
    monkeypatch.setattr(overheads, "python_says", lambda *arguments: (asked.append(arguments), next(said))[1])
    (row,) = overheads.recording_share(quiet, depths=(20,))
    assert numbers(row) == (1.0, 0.5, 1.5) and (row["limit"], row["unit"], row["ok"]) == (2, "%", True)
    configs = [RunConfig.from_dict(json.loads(config)) for _, _, config, _ in asked]
    assert configs == [RunConfig(20, profile="demo")] * 2 and len({folder for *_, folder in asked}) == 2


def test_a_real_run_says_what_its_records_take(tmp_path):
    share = float(overheads.python_says("-c", overheads.RECORD, json.dumps(SMOKE.to_dict()), str(tmp_path)))
    run = RunStore(tmp_path).run(SMOKE)
    assert share > 0 and recorded_signals(run) and recorded_iterations(run)


def test_the_command_prints_all_and_ends_well(tmp_path, monkeypatch):
    made = [
        dict(what="a", unit="s", median=1.0, low=0.5, high=2.0, limit=3.0, ok=True),
        dict(what="b", unit="s", median=4.0, low=3.5, high=5.0, limit=3.0, ok=False),
    ]
    monkeypatch.setattr(command, "measure_overheads", lambda data, report: dict(overheads=made))
    file = tmp_path / "overheads.json"
    done = CliRunner().invoke(app, ["bench", "--overheads", "--json", str(file)])
    assert done.exit_code == 0 and json.loads(file.read_text()) == dict(overheads=made)
    first, second = [line for line in done.stdout.splitlines() if re.match("[ab] ", line)]
    assert "1 s" in first and "ok" in first and "4 s" in second and "over" in second

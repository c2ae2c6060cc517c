"""The exported numbers are the run folders'."""

import csv
import json

from reslab import RunConfig, train
from reslab.batch.results import export

from .claims_fixtures import make_run, probed


def test_export_holds_every_log_point_and_where_it_comes_from(tmp_path):
    runs = [train(RunConfig(depth=8, profile="smoke", seed=seed), tmp_path / "runs") for seed in (1, 0)]
    table, facts = export(runs, tmp_path / "results" / "study-smoke")
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    originals = []
    for run in reversed(runs):
        with open(run.path / "metrics.csv", newline="") as file:
            originals += [{"run": run.id} | row for row in csv.DictReader(file)]
    assert rows == originals and len(rows) == 8
    told = json.loads(facts.read_text())
    assert set(told) == {run.id for run in runs}
    for run in runs:
        assert RunConfig.from_dict(told[run.id]["config"]) == run.config
        assert told[run.id]["provenance"] == run.provenance and told[run.id]["final"] == run.final


def test_export_holds_what_the_studys_probes_found(tmp_path):
    runs = probed(tmp_path / "runs", "responses", [[dict(name="stem.conv", std=0.5)]])
    runs.append(make_run(tmp_path / "runs", 9, 9, seed=1))
    _, facts = export(runs, tmp_path / "study", ["responses", "lesions"])
    told = json.loads(facts.read_text())
    assert told[runs[0].id]["probes"] == dict(responses=[dict(name="stem.conv", std=0.5)])
    assert "probes" not in told[runs[1].id]

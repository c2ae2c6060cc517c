"""`reslab bench --runs`: rows of real processes over made-up stores, their table and their figure."""

import json
from itertools import product

import pytest
from typer.testing import CliRunner

from reslab import RunStore
from reslab.batch.plan import make_plan
from reslab.bench import batches, command, folders, scale
from reslab.bench.tables import memory_sentence, scale_table
from reslab.cli import app
from reslab.figures.scale import scale as scale_figure


def reslab(*arguments: object):
    return CliRunner().invoke(app, ["bench", "--runs", *map(str, arguments)])


def make_result() -> dict:
    """A result as measure_scale returns it, with something that others added."""
    rows = [scale.row("reslab runs", runs, [0.1 * runs, 0.2, 0.3], 1.0 if runs == 100 else None) for runs in (10, 100)]
    memory = [dict(runs=10, megabytes=300.0), dict(runs=100, megabytes=304.6)]
    return dict(machine=dict(cpu="a fast one"), rows=[*rows, scale.row("planning", 100, [0.5])], memory=memory)


def test_the_made_up_runs_are_runs(tmp_path):
    folders.write_runs(tmp_path, 16)
    runs = list(RunStore(tmp_path))
    assert len(runs) == 16 and len({(r.config.depth, r.config.shortcut, r.config.seed) for r in runs}) == 16
    assert [run.state for run in runs].count("failed") == 1
    assert all(len(run.metrics) == folders.LOG_POINTS and run.final["iteration"] == 4_000 for run in runs)
    assert all(run.provenance["torch"] for run in runs)
    assert sum(run.config.depth == 56 for run in runs) == 4


def test_each_thing_is_measured_with_each_number_of_runs():
    result = scale.measure_scale(lambda _what: None, counts=(3, 5), studies=(4,), rounds=1)
    rows = {(row["what"], row["runs"]): row for row in result["rows"]}
    listed, planned = set(product(scale.COMMANDS, (3, 5))), set(product(scale.LIMITS, (4,)))
    assert set(rows) == listed | planned
    assert all(row["low"] <= row["seconds"] <= row["high"] for row in rows.values())
    assert all(row["low"] > 0 for (what, _), row in rows.items() if what != scale.ORCHESTRATION)  # a difference
    assert [row["runs"] for row in result["memory"]] == [4]
    assert all(row["megabytes"] > 10 for row in result["memory"])  # a Python and what it imports
    assert {"machine", "commit", "dirty", "date"} < set(result)


def test_half_of_a_study_that_is_planned_is_there(tmp_path):
    study = batches.write_study(tmp_path, 12)
    batches.write_store(tmp_path / "half", study, 0.5)
    batches.write_store(tmp_path / "all", study, 1)
    plan = make_plan(study, store=tmp_path / "half")
    assert [len(plan.runs), len(plan.missing), len(make_plan(study, store=tmp_path / "all").missing)] == [12, 6, 0]


def test_what_is_orchestrated_ends_in_processes_of_its_own(tmp_path):
    study = batches.write_study(tmp_path, 4)
    cost = batches.orchestration(study, tmp_path)
    assert cost.seconds < 5 and 10 < cost.megabytes < 5_000
    assert [run.state for run in RunStore(tmp_path / "batch")] == ["done"] * 4
    assert [run.state for run in RunStore(tmp_path / "bare")] == ["done"] * 4


def test_a_batch_that_fails_is_not_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "END", "import sys; sys.exit('not today')")
    study = batches.write_study(tmp_path, 2)
    with pytest.raises(OSError, match="2 of 2 runs failed: not today"):
        batches.run(str(study), str(tmp_path))


def test_only_ten_thousand_have_a_limit(monkeypatch):
    monkeypatch.setattr(scale, "python_takes", lambda *_arguments: 0.5)
    monkeypatch.setattr(scale, "write_runs", lambda _folder, _count: None)
    limits = {(row["runs"], row["limit"]) for row in scale.listing(lambda _what: None, rounds=1)}
    assert limits == {(10, None), (100, None), (1_000, None), (10_000, 1.0)}


def test_only_a_thousand_planned_have_limits(monkeypatch):
    monkeypatch.setattr(batches, "planning", lambda *_arguments: 0.5)
    monkeypatch.setattr(batches, "dry_run", lambda *_arguments: 0.5)
    monkeypatch.setattr(batches, "write_store", lambda *_arguments: None)
    costs = iter([(0.01, 320.0), (0.03, 310.0)] * 3)
    monkeypatch.setattr(batches, "orchestration", lambda *_arguments: batches.Cost(*next(costs)))
    rows, memory = scale.studying(lambda _what: None)
    limits = {row["what"]: row["limit"] for row in rows if row["runs"] == 1_000}
    assert limits == {"planning": 2.0, "reslab reproduce --dry-run": 2.0, "orchestration, each run": 0.05}
    assert {row["limit"] for row in rows if row["runs"] < 1_000} == {None}
    assert memory == [dict(runs=runs, megabytes=320.0) for runs in (10, 100, 1_000)]
    orchestration = [row for row in rows if row["what"] == "orchestration, each run"]
    assert [row["seconds"] for row in orchestration] == [pytest.approx(0.02)] * 3


def test_a_row_is_the_middle_the_least_and_the_most():
    assert scale.row("a", 3, [3.0, 1.0, 2.0]) == dict(what="a", runs=3, seconds=2.0, low=1.0, high=3.0, limit=None)


def test_a_process_that_fails_is_said():
    with pytest.raises(OSError, match=r"a process that was to be measured failed: .*dnoe"):
        scale._listing("nowhere", "--state", "dnoe")


def test_the_command_prints_and_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "measure_scale", lambda report: make_result())
    file, page = tmp_path / "out/scale.json", tmp_path / "out/scale.html"
    done = reslab("--json", file, "--figure", page)
    assert done.exit_code == 0 and json.loads(file.read_text()) == make_result()
    assert "305 MB with 100 runs" in done.stdout
    assert "100 runs" in done.stdout and "planning" in done.stdout and "plotly" in page.read_text()


@pytest.mark.parametrize("other", [["--device", "cpu"], ["--baseline", "a.py"], ["--overheads"]])
def test_what_measures_something_else_is_refused(other):
    done = reslab(*other)
    assert done.exit_code == 2 and "measures something else: leave out --" in done.stderr


def test_the_table_shows_what_is_over_its_limit():
    slow = scale.row("reslab runs", 100, [1.5], 1.0)
    cells = [list(column.cells) for column in scale_table(dict(rows=[slow, scale.row("planning", 10, [0.25])])).columns]
    assert cells[0] == ["reslab runs", "planning"] and cells[1][0] == ""
    assert "over 1 s" in cells[2][0] and "0.25 s" in cells[1][1] and "over" not in cells[1][1]


def test_memory_is_told_by_its_difference():
    assert memory_sentence(make_result()) == (
        "Memory of the process that orchestrates, at most: 300 MB with 10 runs, 305 MB with 100 runs: 4.6 MB more."
    )


def test_the_figure_shows_the_rows():
    result = make_result()
    lines = {trace.name: trace for trace in scale_figure(result).data}
    assert set(lines) == {"reslab runs", "planning", "limit"}
    for row in result["rows"]:
        line = lines[row["what"]]
        at = line.x.index(row["runs"])
        assert line.y[at] == row["seconds"]
        assert line.y[at] + line.error_y.array[at] == pytest.approx(row["high"])
        assert line.y[at] - line.error_y.arrayminus[at] == pytest.approx(row["low"])
    assert (lines["limit"].x, lines["limit"].y) == ((100,), (1.0,))
    assert len({line.line.color for name, line in lines.items() if name != "limit"}) == 2

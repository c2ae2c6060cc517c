"""A study with probes: they look into its nets after training and before the report, once."""

import os
import signal

import pytest

from reslab import DataError, RunConfig, RunStore, train
from reslab.batch import inside as module
from reslab.batch import reproduce as reproduce_module
from reslab.batch.plan import NOTEBOOK, make_plan
from reslab.probes.probing import PROBES
from reslab.probes.results import result

from . import probe_fixtures
from .batch_fixtures import SPEC, finished_run, write_study
from .probe_fixtures import BAD_DEPTH, FAKE
from .test_batch_reproduce import go

PROBED = SPEC + "probes: [fake]\n"


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    monkeypatch.setitem(PROBES, "fake", FAKE)
    monkeypatch.setattr(probe_fixtures, "asked", [])


def test_nets_are_looked_into_between_training_and_report(tmp_path):
    study = write_study(tmp_path, PROBED)
    done = train(RunConfig(8, "none", "smoke"), tmp_path / "runs")  # by somebody else, without the study
    code, text = go(study, tmp_path)
    assert code == 0 and "Then its nets are looked into: fake." in text
    runs = RunStore(tmp_path / "runs").find("done")
    assert len(runs) == 2 and done.id in {run.id for run in runs}
    assert all(result(run, "fake", FAKE.settings()) == dict(depth=8) for run in runs)
    assert "Looking into the nets, fake: 2 of 2 results are still missing." in text
    assert text.index("res8 seed 0, fake: ") < text.index("Report: ") and "reslab probe" not in text
    code, text = go(study, tmp_path)
    assert code == 0 and "Looking into" not in text and len(probe_fixtures.asked) == 2


def test_a_dry_run_looks_into_nothing(tmp_path):
    code, text = go(write_study(tmp_path, PROBED), tmp_path, dry_run=True)
    assert code == 0 and "Then its nets are looked into: fake." in text and probe_fixtures.asked == []


def plan_of(folder, spec: str = PROBED, depth: object = 8):
    """A study of runs that are done, and have their notebooks, at these depths."""
    study = write_study(folder, spec.replace("depth: 8", f"depth: {depth}"))
    for planned in make_plan(study, store=folder / "runs").runs:
        run = finished_run(folder / "runs", planned.config)
        (run.path / NOTEBOOK).write_text("{}")
    return make_plan(study, store=folder / "runs")


def no_kernel(monkeypatch) -> None:
    """The report notebook is not executed."""

    def execute(report, out, *_) -> bool:
        out.parent.mkdir()
        out.write_bytes(report.notebook.read_bytes())
        return True

    monkeypatch.setattr(reproduce_module, "_execute", execute)


def test_a_study_without_probes_says_how_to_look_inside(tmp_path, monkeypatch):
    no_kernel(monkeypatch)
    plan_of(tmp_path, SPEC)
    code, text = go(tmp_path / "small.yaml", tmp_path)
    assert code == 0 and probe_fixtures.asked == []
    assert f"reslab probe --profile smoke --store {tmp_path / 'runs'}" in text


def test_what_cannot_be_looked_into_is_told_and_counts(tmp_path, monkeypatch):
    no_kernel(monkeypatch)
    plan_of(tmp_path, depth=[8, BAD_DEPTH])
    code, text = go(tmp_path / "small.yaml", tmp_path)
    assert code == 1 and text.count("has twenty layers") == 2 and len(probe_fixtures.asked) == 2
    failed = (tmp_path / "reports/small-smoke.md").read_text().split("What failed")[1]
    assert failed.count("fake: ") == 2 and "has twenty layers" in failed


def test_stopped_it_goes_on_where_it_was(tmp_path, monkeypatch):
    plan = plan_of(tmp_path, depth=[8, 14])
    measure = FAKE.measure

    def stopped(self, run, *arguments):
        measure(run, *arguments)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(type(FAKE), "measure", stopped)
    with pytest.raises(module.Interrupted) as end:
        module.look_inside(plan, lambda _: None)
    assert end.value.signal == signal.SIGTERM and len(probe_fixtures.asked) == 1
    monkeypatch.undo()
    monkeypatch.setitem(PROBES, "fake", FAKE)
    assert module.look_inside(plan, lambda _: None) == []
    assert len(module.lacking(module.done_runs(plan), ["fake"])) == 0


def test_the_data_that_probes_need_are_asked_for_first(tmp_path, monkeypatch):
    """Also where all is trained: a probe shows a net pictures."""

    def no_data(name, root=None):
        raise DataError("there is no network; put the archive into data/")

    monkeypatch.setattr(reproduce_module, "load_dataset", no_data)
    plan_of(tmp_path)
    with pytest.raises(DataError):
        go(tmp_path / "small.yaml", tmp_path)
    assert probe_fixtures.asked == []

"""Runs put to probes: each once, what is there left alone, what cannot be done told and passed over."""

import inspect
import json
from itertools import islice

import pytest

import reslab
from reslab import RunConfig, RunStore
from reslab.claims import CLAIMS
from reslab.probes.probing import PROBES, Probed, check_probes, lacking, probe
from reslab.probes.results import found_in, kept, result

from . import probe_fixtures
from .catalog_fixtures import in_memory
from .claims_fixtures import make_run
from .probe_fixtures import BAD_DEPTH, FAKE


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    monkeypatch.setitem(PROBES, "fake", FAKE)
    monkeypatch.setattr(probe_fixtures, "asked", [])


def test_each_run_is_measured_once(tmp_path):
    runs = [make_run(tmp_path, 1, 9, depth=depth) for depth in (8, 14)]
    assert lacking(runs, ["fake"]) == [(run, "fake") for run in runs]
    first = list(probe(runs, ["fake"], "pictures", "cpu"))
    assert [(one.run, one.probe, one.failure) for one in first] == [(run, "fake", "") for run in runs]
    assert all(one.seconds > 0 for one in first)
    assert probe_fixtures.asked == [(run.id, "initial", "pictures", "cpu") for run in runs]
    assert list(probe(runs, ["fake"])) == [Probed(run, "fake") for run in runs]
    assert len(probe_fixtures.asked) == 2 and lacking(runs, ["fake"]) == []
    assert result(runs[0], "fake", dict(images=3, split="test", at="initial")) == dict(depth=8)


def test_stopped_it_goes_on_where_it_was(tmp_path):
    runs = [make_run(tmp_path, 1, 9, depth=depth) for depth in (8, 14, 26)]
    assert len(list(islice(probe(runs, ["fake"]), 1))) == 1
    again = list(probe(runs, ["fake"]))
    assert [one.seconds is None for one in again] == [True, False, False] and len(probe_fixtures.asked) == 3


def test_what_one_run_cannot_be_put_to_keeps_no_other_from_it(tmp_path):
    runs = [make_run(tmp_path, 1, 9, depth=depth) for depth in (BAD_DEPTH, 8)]
    runs.insert(1, make_run(tmp_path, 1, 9, "interrupted", depth=14))
    bad, unfinished, good = probe(runs, ["fake"])
    assert bad.failure == f"{runs[0].id} has twenty layers; take another net"
    assert "train it first" in unfinished.failure and good.failure == "" and good.seconds
    assert len(probe_fixtures.asked) == 1


def test_results_are_found_in_a_store_on_a_url_too(tmp_path):
    runs = [make_run(tmp_path, 1, 9, depth=depth) for depth in (8, 14)]
    kept(runs[1], "fake", FAKE.settings(), lambda: dict(depth=14))
    there = [in_memory(RunStore(tmp_path), "probed").run(run.config) for run in runs]
    assert found_in(there, "fake", FAKE.settings()) == [None, dict(depth=14)]
    assert lacking(there, ["fake"]) == [(there[0], "fake")]


def test_a_probe_that_is_not_there_is_told_the_closest():
    check_probes(["responses", "fake"])
    with pytest.raises(ValueError, match=r"'lesion' is not a parameter of .*did you mean 'lesions'"):
        check_probes(["lesion"])


@pytest.mark.parametrize("name", [name for name in PROBES if name != "fake"])
def test_a_real_probe_measures_what_the_claims_read(name, tmp_path):
    """Its module keeps what it finds with the settings that the claims look for, and its claims' measures read it."""
    from reslab.claims.measures import MEASURES

    module = inspect.getmodule(PROBES[name].measure)
    assert module is not None and json.loads(json.dumps(PROBES[name].settings())) == PROBES[name].settings()
    run = reslab.train(RunConfig(8, "A", "smoke", iterations=3), tmp_path, device="cpu")
    (one,) = probe([run], [name], device="cpu")
    assert one.failure == "" and lacking([run], [name]) == []
    found = result(run, name, PROBES[name].settings())
    (before,) = probe([run], [name], device="cpu", at="initial")
    assert before.failure == "" and result(run, name, PROBES[name].settings("initial")) is not None
    for measure in (measure for measure in MEASURES.values() if measure.probe == name):
        assert isinstance(measure.read(found, run.config), float)
    assert any(name in claim.probes for claim in CLAIMS.values())

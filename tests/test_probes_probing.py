"""Runs put to probes: each once, what is there left alone, what cannot be done told and passed over."""

import inspect
import json
from importlib import import_module
from itertools import islice

import pytest
import torch

import reslab
from reslab import RunConfig, RunStore
from reslab.claims import CLAIMS
from reslab.probes import responses, subject
from reslab.probes.probing import PROBES, Probed, check_probes, lacking, probe
from reslab.probes.responses import STANDARD as RESPONSES
from reslab.probes.responses import measured as measured_responses
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
    shown = {}
    for at in ("trained", "initial"):
        (one,) = probe([run], [name], device="cpu", at=at)
        shown[at] = result(run, name, PROBES[name].settings(at))
        assert one.failure == "" and shown[at] is not None
    assert shown["trained"] != shown["initial"] and found == shown[PROBES[name].at]
    for measure in (measure for measure in MEASURES.values() if measure.probe == name):
        assert isinstance(measure.read(found, run.config), float)
    assert any(measure.probe == name for measure in MEASURES.values())


def test_claims_ask_no_probe_that_is_not_there():
    asked = {probe for claim in CLAIMS.values() for probe in claim.probes}
    assert asked and asked <= PROBES.keys()


def test_what_a_run_is_like_before_training_can_be_asked_of_any_run(tmp_path):
    (new,) = (RunStore(tmp_path).create(RunConfig(8, "A", "smoke")),)
    (one,) = probe([new], ["responses"], device="cpu", at="initial")
    assert one.failure == "" and result(new, "responses", PROBES["responses"].settings("initial"))
    (trained,) = probe([new], ["responses"], device="cpu")
    assert "train it first" in trained.failure
    with pytest.raises(ValueError, match="at='best' is not possible; allowed: trained, initial"):
        list(probe([new], ["responses"], at="best"))


@pytest.mark.parametrize("name", ["responses", "lesions", "paths", "shattering"])
def test_at_iteration_0_a_net_is_the_one_before_training(name, tmp_path):
    """Its running statistics say nothing: with them, batch norm would do nothing."""
    module = import_module(f"reslab.probes.{name}")
    run = reslab.train(RunConfig(8, "A", "smoke"), tmp_path, record=["weights"], device="cpu")
    assert module.measured(run, 0) == module.measured(run, "initial") != module.measured(run, "trained")


def test_before_training_batch_norm_has_the_statistics_of_the_pictures(tmp_path):
    config = RunConfig(8, "A", "smoke")
    net = subject(config, "initial", **RESPONSES).net.train()  # with momentum 1 they are those of one batch
    images = subject(config, "initial", **RESPONSES).images
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    net(images)
    run = RunStore(tmp_path).create(config)
    expected = [each.std for each in responses(net.eval(), images)]
    assert [each.std for each in measured_responses(run, "initial")] == pytest.approx(expected, rel=1e-4)

"""`reslab probe`: which runs, which probes, and what is told of them."""

import pytest

from reslab import RunConfig, RunStore
from reslab.probes.probing import PROBES, Probe

from . import probe_fixtures
from .catalog_fixtures import make_run, make_store, status
from .probe_fixtures import BAD_DEPTH, FAKE, OTHER_DEPTH
from .test_cli import reslab


@pytest.fixture(autouse=True)
def runs(monkeypatch, tmp_path):
    for name in list(PROBES):
        monkeypatch.delitem(PROBES, name)
    monkeypatch.setitem(PROBES, "fake", FAKE)
    monkeypatch.setattr(probe_fixtures, "asked", [])
    monkeypatch.setenv("RESLAB_STORE", str(tmp_path / "runs"))
    store, by_state = make_store(tmp_path / "runs")
    more = make_run(store, RunConfig(26, "A", "smoke"), status("done", iteration=12))
    return by_state | dict(more=more)


def test_all_that_is_done_is_probed_and_told(runs):
    done = reslab("probe", "--device", "cpu", "--data", "there")
    assert done.exit_code == 0, done.stderr
    assert {asked[0] for asked in probe_fixtures.asked} == {runs["done"].id, runs["more"].id}
    assert [str(asked[2]) for asked in probe_fixtures.asked] == ["there"] * 2
    assert {asked[3] for asked in probe_fixtures.asked} == {"cpu"}
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["1 of 2", "2 of 2"]
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["run", "probe", "took", "found"] and len(rows) == 2
    assert all(" s" in row for row in rows)
    again = reslab("probe", "fake")
    assert again.exit_code == 0 and again.stderr == "" and " s" not in again.stdout and len(probe_fixtures.asked) == 2


def test_runs_are_named_or_chosen(runs):
    reslab("probe", "fake", runs["more"].id[:-3])
    reslab("probe", "all", "--shortcut", "none")
    assert [asked[0] for asked in probe_fixtures.asked] == [runs["more"].id, runs["done"].id]
    both = reslab("probe", "fake", runs["more"].id, "--depth", 8)
    assert both.exit_code == 2 and both.stderr == "name the runs or choose them by options, not both\n"
    running = reslab("probe", "--state", "running")
    assert running.exit_code == 2 and "leave out --state" in running.stderr
    nothing = reslab("probe", "--depth", 110)
    assert nothing.exit_code == 0 and "no such run is done in" in nothing.stderr and nothing.stdout == ""


@pytest.mark.parametrize(("given", "at"), [("trained", "trained"), ("350", 350)])
def test_when_the_net_is_looked_at_can_be_said(runs, given, at):
    done = reslab("probe", "fake", runs["more"].id, "--at", given)
    assert done.exit_code == 0 and [asked[1] for asked in probe_fixtures.asked] == [at]
    reslab("probe", "fake", runs["more"].id)  # as claims read it: another result
    assert [asked[1] for asked in probe_fixtures.asked] == [at, "initial"]


def test_what_is_wrong_is_a_sentence(runs, tmp_path):
    probes = reslab("probe", "fakes")
    assert probes.exit_code == 2 and "did you mean 'fake'" in probes.stderr
    unknown = reslab("probe", "fake", "nobody")
    assert unknown.exit_code == 2 and "there is no run 'nobody'" in unknown.stderr
    unfinished = reslab("probe", "fake", runs["interrupted"].id, runs["more"].id)
    assert unfinished.exit_code == 1 and "train it first" in unfinished.stderr
    assert "failed: " in unfinished.stdout and len(probe_fixtures.asked) == 1  # the other one was probed
    assert BAD_DEPTH not in {run.config.depth for run in (runs["done"], runs["more"])}


def test_a_probe_that_does_not_apply_fails_only_where_it_was_asked_for(runs):
    run = make_run(
        RunStore(runs["done"].path.parent), RunConfig(OTHER_DEPTH, "A", "smoke"), status("done", iteration=12)
    )
    everything, asked = reslab("probe"), reslab("probe", "fake", run.id)
    for said in (everything, asked):
        assert "does not apply: thirty-two layers have nothing fake in them" in said.stdout
    assert everything.exit_code == 0 and asked.exit_code == 1


def test_what_the_claims_read_stands_in_the_table(runs, monkeypatch):
    monkeypatch.setitem(PROBES, "responses", Probe("reslab.probes.responses"))
    from reslab.probes.results import kept

    result = [dict(name="a", std=0.25), dict(name="b", std=0.5)]
    kept(runs["more"], "responses", PROBES["responses"].settings(), lambda: result)
    done = reslab("probe", "responses", runs["more"].id)
    assert done.stdout.splitlines()[1].split("  ")[-1] == "response of a layer: 0.375"


def test_the_help_names_every_probe(monkeypatch):
    monkeypatch.undo()
    said = reslab("probe", "--help").stdout
    assert all(name in said for name in PROBES)

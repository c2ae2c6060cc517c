"""`reslab claims`: the ledger of the runs that were chosen, on the screen and in files."""

import json
import sys
from types import ModuleType

import pytest
from typer.testing import CliRunner

from reslab.cli import app

from .catalog_fixtures import make_store


class Ledger:
    def __init__(self, runs, names):
        self.runs, self.names = runs, names

    def __str__(self):
        return f"{len(self.runs)} runs, {self.names}"

    def to_json(self):
        return [dict(claim="degradation", n=len(self.runs))]

    def _repr_html_(self):
        return "<table><tr><td>degradation</td></tr></table>"


@pytest.fixture(autouse=True)
def claims(monkeypatch, tmp_path):
    module = ModuleType("reslab.claims")
    module.CLAIMS = dict(degradation=None, depth=None)
    module.ledger = lambda runs, names=None: Ledger(list(runs), names)
    monkeypatch.setitem(sys.modules, "reslab.claims", module)
    monkeypatch.setenv("RESLAB_STORE", str(tmp_path / "runs"))
    make_store(tmp_path / "runs")


def reslab(*arguments: object):
    return CliRunner().invoke(app, ["claims", *map(str, arguments)])


def test_the_ledger_of_the_chosen_runs_is_printed():
    assert reslab().stdout == "5 runs, None\n"
    assert reslab("--profile", "smoke", "--claim", "depth").stdout == "5 runs, ['depth']\n"
    assert reslab("--profile", "paper").stdout == "0 runs, None\n"


def test_it_is_written_where_one_asks(tmp_path):
    done = reslab("--json", tmp_path / "out/a.json", "--html", tmp_path / "out/a.html")
    assert json.loads((tmp_path / "out/a.json").read_text()) == [dict(claim="degradation", n=5)]
    page = (tmp_path / "out/a.html").read_text()
    assert page.startswith("<!doctype html>") and Ledger([], None)._repr_html_() in page
    assert f"Written: {tmp_path / 'out/a.html'}" in done.stdout


def test_a_claim_that_is_not_there_is_told_the_closest():
    done = reslab("--claim", "degradatoin")
    assert done.exit_code == 2 and "did you mean 'degradation'" in done.stderr

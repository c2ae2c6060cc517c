"""The ledger and its figure show what the verdicts say."""

import json
import math

import pytest
from bs4 import BeautifulSoup

from reslab import RunConfig, RunStore, figures
from reslab.claims import CLAIMS, evaluate, ledger
from tests.claims_fixtures import make_net

NAMES = ["degradation-test", "not-overfitting", "residual-gains-from-depth", "precision-bf16", "shortcut-dropout"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    store = tmp_path_factory.mktemp("runs")
    make_net(store, [12.0, 12.3, 12.9], [20.0, 20.5, 21.0], depth=8, shortcut="none")
    make_net(store, [14.0, 14.3, 14.9], [25.0, 25.5, 26.0], depth=14, shortcut="none")
    make_net(store, [9.0, 9.2, 9.1], depth=8)
    make_net(store, [8.0, 8.1, 8.2], depth=14)
    make_net(store, [8.1, 8.15, 8.05], depth=14, precision="fp32")
    return list(RunStore(store))


def cells(table) -> list[list]:
    soup = BeautifulSoup(table._repr_html_(), "html.parser")
    return [row.find_all("td") for row in soup.find("tbody").find_all("tr")]


def test_the_table_shows_each_verdict_with_its_numbers(runs):
    table = ledger(runs, NAMES)
    assert list(table) == evaluate(runs, NAMES)
    for verdict, (claim, ours, published, difference, result) in zip(table, cells(table), strict=True):
        assert verdict.claim.statement in claim.text and verdict.claim.source in claim.text
        assert verdict.setting in claim.text and verdict.words in result.text
        for number in verdict.numbers:
            assert f"{number.net}: {number.mean:.2f} ± {number.std:.2f} % (n = {number.n})" in ours.text
        for finding in verdict.findings:
            low, high = (f"{end:+.2f}".replace("-", "−") for end in finding.interval)
            assert f"[{low}, {high}]" in difference.text and finding.what in difference.text
        assert published.text == "–"
        folded = {details.summary.text: details.text for details in result.find_all("details")}
        assert all(run.id in folded[f"{len(verdict.runs)} runs"] for run in verdict.runs)
    assert "3 seeds" in table.caption
    tested = len({(f.first, f.second, f.measure) for verdict in table for f in verdict.findings})
    assert f"{tested} are tested" in table.caption and f"{100 * (1 - 0.05 / tested):.2f} %" in table.caption


def test_commands_stand_where_runs_are_missing(runs):
    (row,) = cells(ledger(runs, ["shortcut-dropout"]))
    assert "No finished run of ResNet-14 (dropout)." in row[-1].text
    assert "reslab train --depth 14 --shortcut dropout --profile smoke --seed 2" in row[-1].text


def test_runs_are_links_only_if_asked(runs):
    assert "<a " not in ledger(runs)._repr_html_() and "file:" not in ledger(runs)._repr_html_()
    soup = BeautifulSoup(ledger(runs, ["degradation-test"], links="../my runs/")._repr_html_(), "html.parser")
    assert {a["href"] for a in soup.find_all("a")} == {
        f"../my runs/{r.id}" for r in runs if r.config.shortcut == "none"
    }


def test_text_markdown_and_json_say_the_same(runs):
    table = ledger(runs, NAMES)
    text, markdown, rows = str(table), table.markdown(), json.loads(json.dumps(table.to_json()))
    assert repr(table) == text and text.endswith(table.caption)
    lines = markdown.splitlines()
    assert lines[1] == "|---|---|---|---|---|" and all(line.count("|") == 6 for line in lines[: 2 + len(NAMES)])
    for name, row, verdict in zip(NAMES, rows, table, strict=True):
        (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        assert verdict.words in line and row["verdict"] == verdict.verdict
        assert f"`{name}`" in markdown and f"**{verdict.words}**" in markdown
        assert str(verdict.findings[0] if verdict.findings else "") in text
    assert "shortcut-dropout: No finished run" in text


def test_a_ledger_without_runs_is_still_one():
    table = ledger([])
    assert [verdict.claim.name for verdict in table] == list(CLAIMS)
    assert {v.verdict for v in table if v.claim.parts} == {"undecided"}
    assert len(cells(table)) == len(CLAIMS) and "in any one profile" in str(table)
    assert str(ledger([], [])) and cells(ledger([], [])) == []


def test_text_is_escaped(runs):
    (verdict,) = evaluate(runs, ["degradation-test"])
    page = ledger([], ["degradation-test"])
    object.__setattr__(page[0], "missing", "<script>")
    assert "<script>" not in page._repr_html_() and "&lt;script&gt;" in page._repr_html_()
    assert repr(verdict) == "Verdict(degradation-test: supported, shapes, smoke, 12 iterations)"


def test_the_figure_has_a_row_for_each_difference(runs):
    verdicts = evaluate(runs, NAMES)
    figure = figures.verdict_intervals(verdicts)
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    assert len(figure.data) == len(findings) == 5
    for dot, finding in zip(figure.data, findings, strict=True):
        turned = -1 if finding.expected == "lower" else 1  # right is what the claim says
        low, high = sorted(turned * end for end in finding.interval)
        assert math.sinh(dot.x[0]) / 2 == pytest.approx(turned * finding.effect)
        ends = dot.x[0] - dot.error_x.arrayminus[0], dot.x[0] + dot.error_x.array[0]
        assert [math.sinh(end) / 2 for end in ends] == pytest.approx([low, high])
        assert dot.marker.color != "white" and dot.meta["verdict"] == finding.verdict
    said = [note.text for note in figure.layout.annotations]
    assert all(finding.verdict in text for finding, text in zip(findings, said, strict=True))
    names = figure.layout.yaxis.ticktext
    assert "degradation-test" in names[0] and "training error" in names[1] and "test error" in names[2]
    boxes = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert [(math.sinh(b.x0) / 2, math.sinh(b.x1) / 2) for b in boxes] == [pytest.approx((-0.5, 0.5))]
    assert "shapes, smoke, 12 iterations" in figure.layout.title.text and "of 4 differences" in figure.layout.title.text


def test_the_figure_of_one_seed_has_a_hollow_dot_and_of_none_a_sentence(runs):
    few = [run for run in runs if run.config.seed == 0]
    (dot,) = figures.verdict_intervals(evaluate(few, ["degradation-test"])).data
    assert dot.marker.color == "white" and not dot.error_x.visible
    assert "No difference to draw" in figures.verdict_intervals(evaluate([])).layout.annotations[0].text
    two = [*runs, *make_net(runs[0].path.parents[1] / "more", [9.0, 9.1], depth=8, shortcut="none", width=8)]
    two += make_net(runs[0].path.parents[1] / "more", [9.5, 9.7], depth=14, shortcut="none", width=8)
    names = figures.verdict_intervals(evaluate(two, ["degradation-test"])).layout.yaxis.ticktext
    assert "width 8" in names[1] and "12 iterations" in names[0]


def test_published_numbers_stand_in_their_column(tmp_path):
    for depth in (20, 56):
        make_net(tmp_path, [9.0, 9.1], depth=depth, profile="paper")
    (row,) = cells(ledger(RunStore(tmp_path), ["residual-gains-from-depth"]))
    assert "ResNet-20: He et al. 2015, table 6: 8.75" in row[2].text and "6.97" in row[2].text
    assert RunConfig(profile="paper").dataset == "cifar10"

"""The ledger and its figure show what the verdicts say."""

import json
import math
from itertools import pairwise

import pytest
from bs4 import BeautifulSoup

from reslab import RunConfig, RunStore, figures
from reslab.claims import CLAIMS, evaluate, ledger
from tests.claims_fixtures import make_net, probed

INSIDE = ["responses-residual", "gradients-healthy", "lesions-plain-fatal", "surface-smoother"]
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


# Other units than percent


@pytest.fixture(scope="module")
def looked_into(tmp_path_factory):
    """Runs of two nets at two depths, in which all probes were."""
    store = tmp_path_factory.mktemp("inside")
    for shortcut, size in (("none", 1.0), ("A", 0.5)):
        for depth in (8, 14):
            scale = [size * depth / 14 + step for step in (0.0, 0.01, 0.03)]
            fields = dict(depth=depth, shortcut=shortcut)
            blocks = [[dict(name="stage1.block1", error=85 * size + 10 * x)] for x in scale]
            probed(store, "responses", [[dict(name="stem", std=x)] for x in scale], **fields)
            probed(store, "signals", [[dict(gradient=x), dict(gradient=1.0)] for x in scale], **fields)
            probed(store, "lesions", [dict(error=9.0, blocks=each) for each in blocks], **fields)
            probed(store, "roughness", [dict(roughness=x / 10, negative=x / 5) for x in scale], **fields)
    return list(RunStore(store))


def test_each_number_is_in_its_own_unit(looked_into):
    table = ledger(looked_into, ["degradation-test", *INSIDE])
    assert not table.in_points and table.head[3] == "difference"
    words = {v.claim.name: [table._said(f) for f in v.findings] for v in table}
    assert words["degradation-test"] == ["+0.00 points, no interval"]  # all errors are 9 in truth
    assert {name: [said.rpartition("]")[2] for said in words[name]] for name in INSIDE} == {
        "responses-residual": [""],
        "gradients-healthy": [" decades"],
        "lesions-plain-fatal": [" points", " points"],
        "surface-smoother": ["", " points"],
    }
    text, markdown, html = str(table), table.markdown(), BeautifulSoup(table._repr_html_(), "html.parser").text
    for verdict in table:
        for finding in verdict.findings:
            assert all(table._said(finding) in page for page in (text, markdown, html))
        for number in verdict.numbers:
            assert str(number) in markdown and str(number) in html
    assert "Student's interval" in table.caption and "(points)" not in html


def test_percent_is_said_as_it_always_was(runs):
    table = ledger(runs, NAMES)
    assert table.in_points and table.head[3] == "difference (points)" and "Student" not in table.caption
    assert not any("unit" in json.dumps(row) or "probe" in json.dumps(row) for row in table.to_json())
    (finding,) = table[0].findings
    assert str(finding) == "+2.00 [+0.39, +3.61]" and finding.with_unit == f"{finding} points"


def test_json_names_what_is_no_percent(looked_into):
    rows = {row["name"]: row for row in ledger(looked_into, INSIDE).to_json()}
    assert {name: row["unit"] for name, row in rows.items()} == {
        "responses-residual": "",
        "gradients-healthy": "decades",
        "lesions-plain-fatal": "points",
        "surface-smoother": "",
    }
    lesions, surface = rows["lesions-plain-fatal"], rows["surface-smoother"]
    assert [number["unit"] for number in lesions["numbers"]] == ["points"] * 3
    assert [number.get("unit") for number in surface["numbers"]] == ["", "", None, None]  # None: percent
    assert [finding["n"] for finding in lesions["findings"]] == [[3, 3], [3]]


def test_runs_to_probe_stand_in_the_table(runs):
    (row,) = cells(ledger(runs, ["responses-residual"]))
    folded = {details.summary.text: details.text for details in row[-1].find_all("details")}
    assert "6 to probe" in folded and "to run" not in " ".join(folded)
    assert folded["6 to probe"].count("shapes-") == 6 and "reslab probe responses " in folded["6 to probe"]


def test_the_figure_has_a_panel_for_each_unit(looked_into):
    verdicts = evaluate(looked_into, ["degradation-test", *INSIDE])
    figure = figures.verdict_intervals(verdicts)
    findings = {(v.claim.name, f.measure): f for v in verdicts for f in v.findings}
    assert len(figure.data) == len(findings) == 7
    titles = [figure.layout[name].title.text for name in ("xaxis", "xaxis2", "xaxis3", "xaxis4")]
    names = "percentage points", "standard deviation of the responses", "decades", "roughness"
    assert titles == [f"← against the claim · {name} · for the claim →" for name in names]
    places = [figure.layout[name].domain for name in ("yaxis", "yaxis2", "yaxis3", "yaxis4")]
    assert all(low < high for low, high in places) and places[0][1] == pytest.approx(1) and places[3][0] == 0
    assert all(above[0] > below[1] for above, below in pairwise(places))
    on = {}
    for dot in figure.data:
        on.setdefault(dot.xaxis or "x", []).append(dot)
        assert (dot.yaxis or "y") == (dot.xaxis or "x").replace("x", "y")
    assert {axis: len(dots) for axis, dots in on.items()} == {"x": 4, "x2": 1, "x3": 1, "x4": 1}
    (dot,) = on["x2"]
    finding = findings["responses-residual", "response of a layer"]
    ticks = dict(zip(figure.layout.xaxis2.ticktext, figure.layout.xaxis2.tickvals, strict=True))
    assert math.sinh(ticks["0.2"]) / math.sinh(dot.x[0]) == pytest.approx(0.2 / -finding.effect)  # lower is right
    (box,) = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert (box.xref, box.yref) == ("x3", "y3") and box.x1 == figure.layout.xaxis3.range[1]
    assert box.x0 == figure.layout.xaxis3.tickvals[figure.layout.xaxis3.ticktext.index("−1")]
    lines = {shape.xref for shape in figure.layout.shapes if shape.type == "line"}
    assert lines == {"x", "x2", "x3", "x4"}
    assert {note.yref for note in figure.layout.annotations} == {"y", "y2", "y3", "y4"}
    hover = [dot.hovertemplate for dot in figure.data if "distance" in dot.hovertemplate]
    assert "points, n = 3<extra>" in hover[0]

"""The HTML page of an executed notebook: whole, offline, and drawn in a real browser."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest
from bs4 import BeautifulSoup
from nbformat import v4
from playwright.sync_api import Page
from plotly.offline import get_plotlyjs

from reslab import RunConfig, RunStore, files
from reslab.batch.facts import StudyFacts
from reslab.batch.report import write_html, write_report
from reslab.batch.results import export
from reslab.batch.spec import NOTEBOOKS, Experiment
from reslab.claims import ledger
from reslab.figures import error_curves, final_errors, verdict_intervals

from .batch_fixtures import finished_run, write_study
from .browser_fixtures import chromium

REMOTE = "https://example.org/picture.png"
INTRODUCTION = f"""# Do deeper nets get worse?
A block computes $\\mathcal{{F}}(x_l) = H(x_l) - x_l$; see the [paper](https://arxiv.org/abs/1512.03385).
![a picture]({REMOTE})
## One
## Two
## Three"""
CODE = (
    "import plotly.graph_objects as go\nimport numpy as np",
    "go.Figure(go.Scatter(x=np.arange(5.0), y=np.arange(5.0) ** 2), layout_title_text='first')",
    "go.Figure(go.Scatter(y=[3, 1, 2]), layout_title_text='second </script> one')",
    "from IPython.display import HTML, display\ndisplay(HTML('<table><tr><td>12.34</td></tr></table>'))",
    "print('plain text')\nimport ipywidgets\nipywidgets.IntSlider()",
)


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Path:
    """A small notebook, run by papermill with plotly's default renderer."""
    folder = tmp_path_factory.mktemp("report")
    parameters = v4.new_code_cell("profile: str = 'demo'", metadata=dict(tags=["parameters"]))
    cells = [v4.new_markdown_cell(INTRODUCTION), parameters, *map(v4.new_code_cell, CODE)]
    kernel = dict(name="python3", display_name="Python 3", language="python")
    nbformat.write(v4.new_notebook(cells=cells, metadata=dict(kernelspec=kernel)), folder / "source.ipynb")
    papermill.execute_notebook(
        str(folder / "source.ipynb"), str(folder / "01_done.ipynb"), dict(profile="smoke"), progress_bar=False
    )
    return folder / "01_done.ipynb"


@pytest.fixture(scope="module")
def page_file(executed) -> Path:
    return write_html(executed, executed.parent / "pages" / "01_done.html")


def test_what_a_progress_bar_wrote_in_pieces_is_one_log_with_its_end(tmp_path):
    pieces = ["\r0 of 2", "\r1 of 2", "\r2 of 2", "\n", "\r0 of 9", "\r9 of 9", "\n"]
    outputs = [v4.new_output("stream", name="stderr", text=piece) for piece in pieces]
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("train()", outputs=outputs)]), tmp_path / "bar.ipynb")
    page = BeautifulSoup(write_html(tmp_path / "bar.ipynb", tmp_path / "bar.html").read_text(), "html.parser")
    (log,) = page.find_all("details", class_="log")
    assert log.pre.get_text().split("\n")[:2] == ["2 of 2", "9 of 9"]


@pytest.fixture(scope="module")
def soup(page_file) -> BeautifulSoup:
    return BeautifulSoup(page_file.read_text(encoding="utf-8"), "html.parser")


def test_plotly_is_in_it_once_and_it_is_small(page_file):
    text = page_file.read_text(encoding="utf-8")
    assert text.count(get_plotlyjs()[:300]) == 1 and len(re.findall(r"Plotly=\(\(\)=>", text)) <= 1
    assert page_file.stat().st_size < 8e6


def test_a_page_without_figures_goes_without_plotly(tmp_path):
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# Words\nonly")]), tmp_path / "words.ipynb")
    page = write_html(tmp_path / "words.ipynb", tmp_path / "words.html")
    assert page.stat().st_size < 50_000 and "<title>Words</title>" in page.read_text()


def test_nothing_is_loaded_from_a_network(soup):
    loading = [tag for tag in soup.find_all(["script", "link", "img", "iframe", "source", "video", "object", "embed"])]
    for tag in loading:
        for name in ("src", "href", "data", "srcset"):
            assert not re.match(r"\s*(https?:)?//", tag.get(name, "")), tag.get(name)
    styles = " ".join(tag.get_text() for tag in soup.find_all("style"))
    assert "url(" not in styles and "@import" not in styles
    ours = [tag.get_text() for tag in soup.find_all("script") if len(tag.get_text()) < 1_000_000]
    assert not any("http" in text for text in ours)
    assert soup.find("a", href=REMOTE).get_text() == "a picture"  # named, not fetched
    assert soup.find("a", href="https://arxiv.org/abs/1512.03385")
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy and "http" not in policy


def test_text_code_and_outputs_are_there(soup):
    assert soup.title.get_text() == "Do deeper nets get worse?" and len(soup.find_all("h1")) == 1
    assert [link.get_text() for link in soup.nav.find_all("a")] == ["One", "Two", "Three"]
    folded = soup.find_all("details", class_="code")
    assert len(folded) == len(CODE) + 1 and not any(cell.has_attr("open") for cell in folded)  # 1: parameters
    for cell, code in zip(folded[1:], CODE, strict=True):
        assert cell.pre.get_text().strip() == code
    assert soup.find("td", string="12.34") and "plain text" in soup.get_text()
    assert "JupyterLab" in soup.find(class_="control").get_text()
    facts = soup.header.get_text()
    assert "01_done.ipynb" in facts and "profile = smoke" in facts


def test_formulas_are_mathml_which_browsers_draw_without_a_library(soup):
    formula = soup.find("math")
    assert formula.get_text() == "ℱ(xl)=H(xl)−xl" and len(formula.find_all("msub")) == 3


def test_title_can_be_given(executed, tmp_path):
    page = write_html(executed, tmp_path / "page.html", title="Mine & yours")
    assert "<title>Mine &amp; yours</title>" in page.read_text(encoding="utf-8")


def test_an_appendix_adds_what_the_notebook_has_not_said(executed, tmp_path):
    appendix = {"Two": "<p>said before</p>", "How & why": "<p>last</p><img src='https://example.org/x.png' alt='x'>"}
    soup = BeautifulSoup(write_html(executed, tmp_path / "page.html", None, appendix).read_text(), "html.parser")
    assert [link.get_text() for link in soup.nav.find_all("a")] == ["One", "Two", "Three", "How & why"]
    assert "said before" not in soup.get_text() and soup.find(id="how-why") and not soup.main.find("img", alt="x")
    assert soup.main.find_all("section")[-1].p.get_text() == "last"


def test_a_report_of_two_hundred_long_runs_is_small(tmp_path):
    runs = [
        finished_run(tmp_path / "runs", RunConfig(8, "A", "paper", seed, lr=lr / 1000), lr / 10 + seed)
        for seed, lr in itertools.product(range(5), range(80, 120))
    ]
    assert len(runs) == 200 and len(runs[0].metrics) == 160
    outputs = [
        v4.new_output("display_data", {"application/vnd.plotly.v1+json": json.loads(figure.to_json())})
        for figure in (error_curves(runs), final_errors(runs), error_curves(runs[:40]))
    ]
    cells = [v4.new_markdown_cell("# Many"), v4.new_code_cell("draw()", outputs=outputs)]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "many.ipynb")
    study = Experiment.load(write_study(tmp_path))
    facts = StudyFacts(study, "paper", runs, ledger(runs, study.claims), [("make lab", "the notebooks")])
    page, text = write_report(tmp_path / "many.ipynb", facts, tmp_path / "reports" / "many-1.5")
    assert (page.name, text.name) == ("many-1.5.html", "many-1.5.md")
    assert page.stat().st_size < 8e6 and text.stat().st_size < 20_000
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    assert all(soup.find("td", string=run.id) for run in runs[::20]) and soup.title.get_text() == study.title


def test_the_notebook_is_left_as_it_is(executed, tmp_path):
    before = executed.read_bytes()
    write_html(executed, tmp_path / "page.html")
    assert executed.read_bytes() == before


def test_a_missing_notebook_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"there is no notebook .*nowhere\.ipynb"):
        write_html(tmp_path / "nowhere.ipynb", tmp_path / "page.html")


def test_nothing_that_is_passed_round_names_a_folder_of_this_machine(tmp_path):
    """The committed report of a study of which a run is missing, with all the paths that papermill is given."""
    plugin = tmp_path / "mine.py"
    text = "from reslab.nets import Shortcut, register\n@register('mine')\nclass Mine(Shortcut):\n"
    plugin.write_text(text + "    def merge(self, x, fx):\n        return fx + 0.5 * self.identity(x)\n")
    study, store = Experiment.load("degradation"), RunStore(tmp_path / "runs")
    runs = [store.run(config) for config in study.configs("smoke")]
    own = RunConfig(8, "mine", "smoke", plugins=[plugin])
    for config in (*study.configs("smoke")[1:], own):
        finished_run(store.root, config)
    parameters = dict(experiment="degradation", profile="smoke", store=store.url, data=str(tmp_path / "data"))
    done = tmp_path / "study.ipynb"
    papermill.execute_notebook(str(NOTEBOOKS / "study.ipynb"), str(done), parameters, progress_bar=False)
    assert str(tmp_path) in done.read_text()  # where papermill keeps it, so that there is something to leave out
    facts = StudyFacts(study, "smoke", [*runs, store.run(own)], ledger(runs, study.claims), [("make lab", "a lab")])
    written = [*write_report(done, facts, tmp_path / "out"), *export([*runs[1:], store.run(own)], tmp_path / "out")]
    assert [file.name for file in written] == ["out.html", "out.md", "out.csv", "out.json"]
    assert [file.name for file in written if str(tmp_path) in file.read_text()] == []
    page = BeautifulSoup(written[0].read_text(), "html.parser").get_text()
    assert "1 of 4 runs of profile smoke are not done" in page and "--store that this notebook was given" in page
    told = json.loads(written[3].read_text())[own.id]["config"]["plugins"]
    assert told == [own.plugins[0].copy_name] and (store.run(own).path / "plugins" / told[0]).is_file()


def test_a_page_that_cannot_be_written_leaves_the_old_one(executed, tmp_path, monkeypatch):
    page = write_html(executed, tmp_path / "page.html")
    before = page.read_bytes()

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_html(executed, page, title="another")
    assert page.read_bytes() == before and list(tmp_path.iterdir()) == [page]


# In the browser


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a Chromium that has no network."""
    with chromium() as browser:
        yield browser.new_context(offline=True).new_page()


@pytest.mark.browser
def test_the_page_draws_its_figures_offline_without_a_complaint(page, page_file):
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_file.as_uri())
    page.wait_for_function("document.querySelectorAll('.figure .scatterlayer .trace').length === 2")
    titles = page.eval_on_selector_all(".figure .gtitle", "all => all.map(title => title.textContent)")
    assert titles[0] == "first" and titles[1].startswith("second")
    assert page.evaluate("document.querySelector('.figure').calcdata[0].map(point => point.y)") == [0, 1, 4, 9, 16]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert not page.locator("details.code pre").first.is_visible()
    page.click("#code")
    assert page.locator("details.code pre").first.is_visible()
    assert complaints == []
    assert requests == [page_file.as_uri()]


@pytest.mark.browser
def test_the_title_of_a_low_figure_is_inside_it_and_the_ledger_is_as_wide_as_the_page(page, tmp_path):
    """Of one claim, whose figure is the lowest there is, and with numbers that would be broken where there is room."""
    configs = [RunConfig(8, s, "smoke", seed) for s in ("A", "dropout") for seed in range(3)]
    runs = [finished_run(tmp_path / "runs", c, 10 + 5 * (c.shortcut == "dropout") + 0.1 * c.seed) for c in configs]
    table = ledger(runs, ["shortcut-dropout", "parameters-equal"])
    figure = {"application/vnd.plotly.v1+json": json.loads(verdict_intervals(table).to_json())}
    outputs = [v4.new_output("display_data", data) for data in (figure, {"text/html": table._repr_html_()})]
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("show()", outputs=outputs)]), tmp_path / "low.ipynb")
    page.set_viewport_size(dict(width=1280, height=900))
    page.goto(write_html(tmp_path / "low.ipynb", tmp_path / "low.html").as_uri())
    page.wait_for_selector(".figure .gtitle")
    around, title = (page.locator(place).bounding_box() for place in (".figure", ".figure .gtitle"))
    assert title["y"] >= around["y"] + 4 and "What the runs say" in page.locator(".gtitle").text_content()
    table = page.locator(".output_html > table").bounding_box()
    assert table["width"] == around["width"] > 900
    number = page.locator("span", has_text=re.compile(r"^10\.10 ± 0\.10 %$"))
    assert number.count() == 1 and number.bounding_box()["height"] < 25  # one line

"""The small widgets in a real JupyterLab: drawn, clicked, saved, with the console watched."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from ..browser_fixtures import TOKEN, Server, chromium, jupyterlab, open_notebook
from ..browser_fixtures import run_all as run_cells

KERNEL = dict(name="python3", display_name="Python 3 (ipykernel)", language="python")
pytestmark = pytest.mark.browser

MAKE = """
import json
from pathlib import Path
import ipywidgets as widgets
import plotly.graph_objects as go
from reslab.figures.style import TEMPLATE, headline
from reslab.widgets.plot import Plot
from reslab.widgets.snippet import Snippet
from reslab.widgets.table import RunTable

def figure(power):
    x = list(range(200))
    layout = dict(template=TEMPLATE, height=420, uirevision="same", title=headline("Curves", f"power {power}"))
    lines = [go.Scatter(x=x, y=[90 / (1 + i / 20) ** (power + k / 4) for i in x], name=f"net {k}") for k in range(3)]
    return go.Figure(lines, layout)

def runs(n, progress):
    kinds = [("plain-20", "#e69f00"), ("plain-56", "#d55e00"), ("ResNet-20", "#56b4e9"), ("ResNet-110", "#00304d")]
    rows = []
    for i in range(n):
        net, colour = kinds[i % 4]
        state = ("done", "running", "interrupted", "new")[i % 4]
        share = {"done": 1.0, "running": progress, "interrupted": 0.4, "new": 0.0}[state]
        error = None if state == "new" else 6 + (i * 37 % 101) / 7
        name = f"cifar10-{net.lower()}-demo-s{i}"
        row = dict(id=name, colour=colour, net=net, seed=i, state=state, progress=share, error=error)
        rows.append(row | dict(parameters=855770 + i))
    return rows

plot = Plot()
plot.show(figure(1))
table = RunTable(
    columns=[
        dict(key="net", label="net", kind="text"),
        dict(key="seed", label="seed", kind="number"),
        dict(key="state", label="state", kind="state"),
        dict(key="progress", label="progress", kind="progress"),
        dict(key="error", label="test error", kind="number", digits=2, unit="%"),
        dict(key="parameters", label="parameters", kind="number"),
    ],
    rows=runs(340, 0.25),
)
snippet = Snippet(text="run = reslab.train(config)\\n<b>not bold</b>", language="Python")
picks = lambda _: Path("picks.json").write_text(json.dumps(dict(shown=table.shown, pair=table.pair)))
table.observe(picks, ["shown", "pair"])

def button(name, act):
    made = widgets.Button(description=name)
    made.on_click(lambda _: act())
    return made

def more():
    plot.show(figure(2))
    table.rows = runs(340, 0.5)

buttons = widgets.HBox([
    button("more", more),
    button("picture", lambda: plot.download("png", "curves")),
    button("values", lambda: plot.download("csv", "curves", "x,y\\n1,2\\n")),
])
widgets.VBox([buttons, plot, table, snippet])
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A JupyterLab that saves widget state, with one small notebook."""
    folder = tmp_path_factory.mktemp("lab")
    cells = [nbformat.v4.new_code_cell(MAKE.strip()), nbformat.v4.new_code_cell("plot")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=dict(kernelspec=KERNEL)), folder / "widgets.ipynb")
    saves = folder / "settings/@jupyter-widgets/jupyterlab-manager/plugin.jupyterlab-settings"
    saves.parent.mkdir(parents=True)
    saves.write_text(json.dumps(dict(saveState=True)))
    with jupyterlab(folder) as server:
        yield server


def run_all(page: Page) -> None:
    run_cells(page, 2)
    expect(page.locator(".reslab-plot .scatterlayer")).to_have_count(2, timeout=60_000)
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()


def settled(page: Page, locator: Locator) -> dict:
    """The element's box once it keeps still: after Run All Cells JupyterLab scrolls."""
    locator.scroll_into_view_if_needed()
    before = None
    while (box := locator.bounding_box()) != before:
        before = box
        page.wait_for_timeout(300)
    return box


@pytest.fixture(scope="module")
def page(lab: Server) -> Iterator[tuple[Page, list[str]]]:
    """The notebook after Run All Cells, and what the console said of errors so far."""
    errors: list[str] = []
    with chromium() as browser:
        context = browser.new_context(viewport=dict(width=1400, height=1500), accept_downloads=True)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=lab.address)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        open_notebook(page, lab, "widgets.ipynb")
        run_all(page)
        yield page, errors
        assert errors == []


def read(page: Page, path: Path, wanted: dict) -> None:
    """Waits until the kernel has written this."""
    deadline = time.monotonic() + 10
    while not path.exists() or json.loads(path.read_text() or "{}") != wanted:
        assert time.monotonic() < deadline, path.read_text() if path.exists() else "never written"
        page.wait_for_timeout(50)


def x_range(page: Page) -> list[float]:
    return page.evaluate("document.querySelector('.reslab-plot .js-plotly-plot')._fullLayout.xaxis.range")


def test_a_figure_is_drawn_updated_in_place_and_keeps_a_zoom(page):
    page, _ = page
    plot = page.locator(".reslab-plot").first
    expect(plot.locator(".scatterlayer .trace")).to_have_count(3)
    assert plot.locator(".js-plotly-plot").bounding_box()["height"] == 420
    expect(plot.locator(".gtitle")).to_contain_text("power 1")
    # The page's plotly is ours alone, and was fetched once for both views.
    assert page.evaluate("[typeof window.Plotly, typeof globalThis.__reslabPlotly.then]") == ["undefined", "function"]
    area = settled(page, plot.locator(".nsewdrag").first)
    before = x_range(page)
    page.mouse.move(area["x"] + 0.3 * area["width"], area["y"] + 100)
    page.mouse.down()
    page.mouse.move(area["x"] + 0.6 * area["width"], area["y"] + 100, steps=5)
    page.mouse.up()
    page.wait_for_timeout(500)
    zoomed = x_range(page)
    assert before[0] < zoomed[0] < zoomed[1] < before[1]
    page.get_by_role("button", name="more").click()
    expect(plot.locator(".gtitle")).to_contain_text("power 2")
    assert x_range(page) == zoomed


def test_the_figure_follows_the_width_of_its_container(page):
    page, _ = page
    drawn = page.locator(".reslab-plot .main-svg").first
    wide = drawn.bounding_box()["width"]
    page.set_viewport_size(dict(width=1000, height=1500))
    page.wait_for_function(
        "wide => document.querySelector('.reslab-plot .main-svg').clientWidth < wide - 300", arg=wide
    )
    page.set_viewport_size(dict(width=1400, height=1500))
    page.wait_for_function("wide => document.querySelector('.reslab-plot .main-svg').clientWidth === wide", arg=wide)


def test_downloads_arrive_once_although_two_views_are_open(page, tmp_path):
    page, _ = page
    assert page.locator(".reslab-plot").count() == 2
    downloads = []
    page.on("download", lambda download: downloads.append(download))
    with page.expect_download() as picture:
        page.get_by_role("button", name="picture").click()
    assert picture.value.suggested_filename == "curves.png"
    picture.value.save_as(tmp_path / "curves.png")
    head = (tmp_path / "curves.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(head[20:24]) == 840  # height, twice 420
    with page.expect_download() as values:
        page.get_by_role("button", name="values").click()
    assert values.value.suggested_filename == "curves.csv"
    values.value.save_as(tmp_path / "curves.csv")
    assert (tmp_path / "curves.csv").read_text() == "x,y\n1,2\n"
    page.wait_for_timeout(500)
    assert len(downloads) == 2


def column(page: Page, number: int, n: int = 6) -> list[str]:
    return page.locator(f".reslab-table tbody td:nth-child({number})").all_inner_texts()[:n]


def test_the_table_sorts_by_header_up_down_and_back(page):
    page, _ = page
    header = page.locator(".reslab-table th[data-key=error]")
    given = column(page, 8)
    assert given[3] == "–"
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    values = column(page, 8, 340)
    numbers = [float(value) for value in values if value != "–"]
    assert numbers == sorted(numbers) and values[len(numbers) :] == ["–"] * 85
    header.get_by_role("button").press("Enter")
    expect(header).to_have_attribute("aria-sort", "descending")
    values = column(page, 8, 340)
    assert [float(value) for value in values[:255]] == sorted(numbers, reverse=True) and values[-1] == "–"
    header.get_by_role("button").press("Space")
    expect(header).to_have_attribute("aria-sort", "none")
    assert column(page, 8) == given


def test_filter_ticks_and_comparison_reach_the_kernel_and_outlive_an_update(page, lab):
    page, _ = page
    picks = lab.folder / "picks.json"
    table = page.locator(".reslab-table")
    rows = table.locator("tbody tr")
    expect(table.get_by_role("status")).to_have_text("340 runs")
    table.get_by_role("searchbox").fill("110 s3")
    expect(table.get_by_role("status")).to_have_text("14 of 340 runs")
    table.get_by_role("searchbox").fill("resnet s33 new")
    expect(table.get_by_role("status")).to_have_text("3 of 340 runs")
    ids = [f"cifar10-resnet-110-demo-s{seed}" for seed in (331, 335, 339)]
    table.get_by_label("Draw the curves of all listed runs").check()
    read(page, picks, dict(shown=ids, pair=[]))
    rows.nth(1).get_by_role("checkbox").uncheck()
    read(page, picks, dict(shown=[ids[0], ids[2]], pair=[]))
    assert table.get_by_label("Draw the curves of all listed runs").evaluate("box => box.indeterminate")
    for row in range(3):
        rows.nth(row).get_by_role("button", name="Compare").click()
    read(page, picks, dict(shown=[ids[0], ids[2]], pair=ids[1:]))
    expect(rows.nth(0).locator(".reslab-table-compare")).to_have_attribute("aria-pressed", "false")
    expect(rows.nth(2).locator(".reslab-table-compare")).to_have_attribute("aria-pressed", "true")

    table.get_by_role("searchbox").fill("")
    table.locator(".reslab-table-scroll").evaluate("box => { box.scrollTop = 3000; }")
    rows.nth(0).evaluate("row => { row.dataset.mine = 'yes'; }")
    page.get_by_role("button", name="more").click()
    expect(rows.nth(1)).to_contain_text("50 %")
    assert table.locator(".reslab-table-scroll").evaluate("box => box.scrollTop") == 3000
    expect(rows.nth(0)).to_have_attribute("data-mine", "yes")
    read(page, picks, dict(shown=[ids[0], ids[2]], pair=ids[1:]))
    expect(table.locator("tbody input:checked")).to_have_count(2)


def test_a_snippet_is_text_and_copies(page):
    page, _ = page
    snippet = page.locator(".reslab-snippet")
    expect(snippet.locator("pre")).to_have_text("run = reslab.train(config)\n<b>not bold</b>")
    snippet.get_by_role("button").click()
    expect(snippet.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "run = reslab.train(config)\n<b>not bold</b>"
    expect(snippet.get_by_role("button")).to_have_text("Copy", timeout=3000)


def test_the_saved_notebook_holds_no_plotly(page, lab):
    page, errors = page
    if shots := os.environ.get("RESLAB_SCREENSHOTS"):
        page.screenshot(path=f"{shots}/widgets.png")
    page.locator(".jp-Notebook").press("Control+s")
    path = lab.folder / "widgets.ipynb"
    deadline = time.monotonic() + 20
    while "widget-state+json" not in path.read_text():
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)
    assert path.stat().st_size < 300_000
    assert errors == []
    assert not lab.complaints()


def test_a_saved_figure_whose_kernel_is_gone_says_so_until_the_cell_runs(page, lab):
    page, errors = page
    sessions = f"{lab.address}/api/sessions"
    headers = dict(Authorization=f"token {TOKEN}")
    for session in page.request.get(sessions, headers=headers).json():
        assert page.request.delete(f"{sessions}/{session['id']}", headers=headers).ok
    errors.clear()  # a kernel that went away is worth a word to JupyterLab
    open_notebook(page, lab, "widgets.ipynb")
    note = page.locator(".reslab-plot-note").first
    expect(note).to_be_visible(timeout=20_000)
    expect(note).to_contain_text("Run the cell to see the figure")
    expect(page.locator(".reslab-table tbody tr")).to_have_count(340)
    if shots := os.environ.get("RESLAB_SCREENSHOTS"):
        page.locator(".reslab-table").first.scroll_into_view_if_needed()
        page.screenshot(path=f"{shots}/saved.png")
    run_all(page)
    expect(note).to_have_count(0)

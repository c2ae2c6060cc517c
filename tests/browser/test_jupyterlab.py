"""The notebooks as a learner meets them: a real JupyterLab, in Chromium, with its console watched."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from reslab import RunStore

from ..browser_fixtures import NOTEBOOKS, Server, Watched, chromium, jupyterlab, open_notebook, run_all

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Server]:
    """A JupyterLab on a copy of the notebooks with profile="smoke"."""
    folder = tmp_path_factory.mktemp("lab")
    for path in NOTEBOOKS.glob("*.ipynb"):
        text = path.read_text().replace('profile: str = \\"demo\\"', 'profile: str = \\"smoke\\"')
        (folder / path.name).write_text(text)
    with jupyterlab(folder) as server:
        yield server


@pytest.fixture
def watched() -> Iterator[Watched]:
    with chromium() as browser:
        yield Watched(browser.new_page(viewport=dict(width=1400, height=1000)))


@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")))
def test_run_all_draws_every_figure_without_an_error(lab, watched, name):
    page = watched.page
    cells = json.loads((NOTEBOOKS / name).read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    open_notebook(page, lab, name)
    run_all(page, len(code))
    # Cells that draw with plotly: no table, no drawing of a block.
    drawn = r"^ *(table = |figures = \[|display\()?reslab\.figures\.(?!\w+_table|\w+_drawing|beside)"
    figures = sum(re.search(drawn, source, re.M) is not None for source in code)
    figures += sum(source.startswith(("room.watch", "Passage(", "RelativeChange(", "TwoBlocks(")) for source in code)
    figures += sum(re.search(r"^(LossSurface|Denoising)\(", source, re.M) is not None for source in code)
    figures += 2 * sum(re.search(r"^Detections\(", source, re.M) is not None for source in code)
    for cell in page.locator(".jp-Notebook .jp-Cell").all():  # a plot is drawn where it can be seen
        cell.scroll_into_view_if_needed()
    page.locator(".jp-Notebook").press("End")
    expect(page.locator(".jp-Notebook .js-plotly-plot")).to_have_count(figures, timeout=30_000)
    assert page.locator(".jp-RenderedText[data-mime-type*=error]").count() == 0
    assert not watched.errors and not lab.complaints()
    assert {run.state for run in RunStore(lab.folder / "runs")} <= {"done"}
    if shots := os.environ.get("RESLAB_SCREENSHOTS"):
        page.screenshot(path=f"{shots}/{Path(name).stem}.png")

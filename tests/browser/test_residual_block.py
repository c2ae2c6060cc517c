"""The residual block's sliders in a real JupyterLab: moved by keys, with console and log watched."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from ..browser_fixtures import NOTEBOOKS, Server, Watched, chromium, jupyterlab, open_notebook, run_all

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Server]:
    """A JupyterLab with the notebook's cells about sliders: no net is trained."""
    folder = tmp_path_factory.mktemp("residual")
    notebook = json.loads((NOTEBOOKS / "03_residual_block.ipynb").read_text())
    wanted = ("imports", "parameters", "change", "blocks")
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] in wanted]
    (folder / "sliders.ipynb").write_text(json.dumps(notebook))
    with jupyterlab(folder) as server:
        yield server


def press(page: Page, panel: Locator, slider: str, key: str) -> None:
    row = panel.locator(".widget-slider").filter(has=page.get_by_text(slider, exact=True))
    row.locator(".noUi-handle").press(key)


def test_moving_a_slider_changes_its_figure(lab):
    with chromium() as browser:
        watched = Watched(browser.new_page(viewport=dict(width=1400, height=1500)))
        page = watched.page
        open_notebook(page, lab, "sliders.ipynb")
        run_all(page, 4)
        change, pair = page.locator(".reslab-change"), page.locator(".reslab-pair")
        expect(change.locator(".gtitle")).to_contain_text("51 times as much as H", timeout=30_000)
        press(page, change, "H after", "ArrowRight")
        expect(change.locator(".gtitle")).to_contain_text("F changes by 200 %")
        press(page, change, "x", "ArrowRight")
        expect(change.locator(".gtitle")).to_contain_text("infinitely many percent")

        expect(pair.locator(".gtitle")).to_contain_text("a factor of 16.94")
        press(page, pair, "channels of x", "ArrowRight")
        expect(pair.locator(".gtitle")).to_contain_text("512 channels, 128 inside the bottleneck")
        expect(pair.locator(".gtitle")).to_contain_text("a factor of 16.94")
        expect(pair.locator("svg[role=img]").nth(1)).to_contain_text("1×1 conv, 128")
        press(page, pair, "inside", "ArrowLeft")
        expect(pair.locator(".gtitle")).to_contain_text("64 inside the bottleneck: 4,718,592 weights against 102,400")
        assert page.locator(".reslab-trouble").count() == 0
        assert watched.errors == [] and watched.outside == [] and lab.complaints() == []

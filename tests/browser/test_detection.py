"""The score's slider over pictures in a real JupyterLab: moved by keys, with console and log watched."""

import json
import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from ..browser_fixtures import NOTEBOOKS, Server, Watched, chromium, jupyterlab, open_notebook, run_all

pytestmark = pytest.mark.browser
WANTED = ("imports", "parameters", "derive", "curves", "found")


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Server]:
    """A JupyterLab with those cells of the notebook that the slider needs, and nets that are trained in seconds."""
    folder = tmp_path_factory.mktemp("detection")
    notebook = json.loads((NOTEBOOKS / "07_detection.ipynb").read_text())
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] in WANTED]
    text = json.dumps(notebook)
    for name, before, after in (("profile: str", '\\"demo\\"', '\\"smoke\\"'), ("pictures: int", "100", "6")):
        assert text.count(f"{name} = {before}") == 1
        text = text.replace(f"{name} = {before}", f"{name} = {after}")
    (folder / "boxes.ipynb").write_text(text)
    with jupyterlab(folder) as server:
        yield server


def handle(page: Page, panel: Locator, slider: str) -> Locator:
    row = panel.locator(".widget-slider").filter(has=page.get_by_text(slider, exact=True))
    return row.locator(".noUi-handle")


def counts(panel: Locator) -> list[tuple[int, ...]]:
    """(right, wrong, missed) of each net, as its row says."""
    told = " ".join(panel.locator(".reslab-plot").first.locator(".annotation-text").all_text_contents())
    return [tuple(map(int, found)) for found in re.findall(r"(\d+) right, (\d+) wrong, (\d+) missed", told)]


def test_moving_the_score_changes_the_boxes_and_the_point_on_the_curve(lab):
    with chromium() as browser:
        watched = Watched(browser.new_page(viewport=dict(width=1400, height=1500)))
        page = watched.page
        open_notebook(page, lab, "boxes.ipynb")
        run_all(page, len(WANTED))
        panel = page.locator(".reslab-detections")
        boxes, trade = (panel.locator(".gtitle").nth(i) for i in (0, 1))
        expect(boxes).to_contain_text("a score of at least 0.50", timeout=120_000)
        expect(trade).to_contain_text("The trade at a score of 0.50")
        pictures = panel.locator(".imagelayer image")
        expect(pictures).to_have_count(8)  # four of each net
        (plain, residual), lines = counts(panel), panel.locator(".reslab-plot").first.locator("path.js-line")
        assert sum(plain[::2]) == sum(residual[::2]) > 0  # right and missed: the same objects

        handle(page, panel, "score at least").press("ArrowLeft")
        expect(boxes).to_contain_text("a score of at least 0.45")
        expect(trade).to_contain_text("The trade at a score of 0.45")
        before = lines.count()
        handle(page, panel, "score at least").press("Home")
        expect(boxes).to_contain_text("a score of at least 0.05")
        low = counts(panel)
        assert sum(wrong for _, wrong, _ in low) > plain[1] + residual[1] and lines.count() > before
        assert [right + missed for right, _, missed in low] == [sum(plain[::2]), sum(residual[::2])]

        shown = [picture.get_attribute("href") for picture in pictures.all()]
        handle(page, panel, "from picture").press("ArrowRight")
        expect(pictures.first).to_have_attribute("href", shown[1])  # all have moved by one
        expect(trade).to_contain_text("The trade at a score of 0.05")
        if shots := os.environ.get("RESLAB_SCREENSHOTS"):
            page.wait_for_timeout(500)
            page.screenshot(path=f"{shots}/detection.png")

        page.keyboard.press("Control+s")
        expect(page.locator(".jp-DocumentSearch-overlay")).to_have_count(0)
        page.wait_for_timeout(1500)
        assert (lab.folder / "boxes.ipynb").stat().st_size < 100_000  # no plotly.js
        assert page.locator(".jp-mod-editMode").count() == 0 and page.locator(".reslab-trouble").count() == 0
        assert watched.errors == [] and watched.outside == [] and lab.complaints() == []

"""The architectures notebook as a class meets it: its controls in a real JupyterLab."""

import io
import json
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from ..browser_fixtures import NOTEBOOKS, Server, Watched, chromium, jupyterlab, open_notebook, run_all

NAME = "04_architectures.ipynb"
CODE = sum(cell["cell_type"] == "code" for cell in json.loads((NOTEBOOKS / NAME).read_text())["cells"])

pytestmark = pytest.mark.browser


@pytest.fixture
def lab(tmp_path) -> Iterator[Server]:
    """Without the internet and without weights that somebody has downloaded here."""
    text = (NOTEBOOKS / NAME).read_text()
    for before, after in (
        ('profile: str = \\"demo\\"', 'profile: str = \\"smoke\\"'),
        ("depth: int = 50", "depth: int = 18"),
    ):
        assert text.count(before) == 1
        text = text.replace(before, after)
    (tmp_path / NAME).write_text(text)
    with jupyterlab(tmp_path, TORCH_HOME=str(tmp_path / "torch")) as server:
        yield server


def picture(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (300, 260), colour).save(file, "PNG")
    return file.getvalue()


def hand_over(panel: Locator, name: str, content: bytes) -> None:
    with panel.page.expect_file_chooser() as chooser:
        panel.get_by_role("button", name="a picture of yours").click()
    chooser.value.set_files(dict(name=name, mimeType="application/octet-stream", buffer=content))


def test_controls_change_what_is_shown(lab):
    with chromium() as browser:
        watched = Watched(browser.new_page(viewport=dict(width=1400, height=1400)))
        page = watched.page
        open_notebook(page, lab, NAME)
        run_all(page, CODE)
        counting = page.locator(".reslab-counting")
        counting.scroll_into_view_if_needed()
        expect(counting.locator("[data-layer]")).to_have_count(18)
        counting.get_by_role("button", name="101", exact=True).click()
        expect(counting.locator("h3")).to_contain_text("1 + 33 × 3 + 1 = 101")
        expect(counting.locator("[data-layer]")).to_have_count(101)

        passage = page.locator(".reslab-passage")
        passage.scroll_into_view_if_needed()
        expect(passage.locator(".js-plotly-plot")).to_contain_text("512 maps of 7×7", timeout=30_000)
        cat = passage.locator("image").last.get_attribute("href")
        passage.get_by_role("button", name="50", exact=True).click()
        expect(passage.locator(".js-plotly-plot")).to_contain_text("2,048 maps of 7×7", timeout=30_000)
        expect(passage.locator(".js-plotly-plot")).to_contain_text("ResNet-50, fresh")
        passage.get_by_role("button", name="the drawing").click()
        expect(passage.locator("image").last).not_to_have_attribute("href", cat, timeout=30_000)
        boxes = [passage.locator("image").nth(i).bounding_box() for i in range(2)]
        photo = min(boxes, key=lambda box: box["width"])
        assert abs(photo["width"] / photo["height"] - 1) < 0.01  # square, however wide the page is

        naming = page.locator(".reslab-naming")
        naming.scroll_into_view_if_needed()
        before = naming.locator("img").get_attribute("src")
        hand_over(naming, "mine.png", picture("orange"))
        expect(naming.locator("img")).not_to_have_attribute("src", before, timeout=30_000)
        expect(naming).to_contain_text("A fresh ResNet-18 knows no classes")
        hand_over(naming, "poem.txt", b"a poem")
        expect(naming.locator("[role=alert]")).to_contain_text("poem.txt is no picture that can be read")
        hand_over(naming, "mine.png", picture("teal"))
        expect(naming.locator("[role=alert]")).to_have_count(0)
        assert page.locator(".jp-RenderedText[data-mime-type*=error]").count() == 0
        assert watched.errors == [] and watched.outside == [] and lab.complaints() == []

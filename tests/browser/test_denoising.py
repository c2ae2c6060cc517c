"""Noise put on pictures in a real JupyterLab: slider, zoom and a picture of one's own, console and log watched."""

import io
import json
import os
import re
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from ..browser_fixtures import NOTEBOOKS, Server, Watched, chromium, jupyterlab, open_notebook, run_all

pytestmark = pytest.mark.browser
CELLS = ("imports", "parameters", "derive", "train", "taken", "yours")


@pytest.fixture(params=["Light", "Dark"])
def lab(request, tmp_path) -> Iterator[Server]:
    """A JupyterLab with those cells of the notebook that the slider needs, and nets that are trained in seconds."""
    notebook = json.loads((NOTEBOOKS / "08_denoising.ipynb").read_text())
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] in CELLS]
    text = json.dumps(notebook)
    assert text.count('profile: str = \\"demo\\"') == 1
    (tmp_path / "noise.ipynb").write_text(text.replace('profile: str = \\"demo\\"', 'profile: str = \\"smoke\\"'))
    with jupyterlab(tmp_path, request.param) as server:
        yield server


def ranges(panel: Locator) -> list[list[float]]:
    """What each picture shows of itself, from left to right."""
    code = "box => Object.keys(box._fullLayout).filter(k => /^xaxis/.test(k)).map(k => box._fullLayout[k].range)"
    return panel.locator(".js-plotly-plot").evaluate(code)


def hand_over(panel: Locator, name: str, content: bytes) -> None:
    with panel.page.expect_file_chooser() as chooser:
        panel.get_by_role("button", name="a picture of yours").click()
    chooser.value.set_files(dict(name=name, mimeType="application/octet-stream", buffer=content))


def gradient() -> bytes:
    """A picture of 60x40 pixels."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((60, 40)).save(file, "PNG")
    return file.getvalue()


def test_the_slider_the_zoom_and_a_picture_of_ones_own(lab, request):
    with chromium() as browser:
        watched = Watched(browser.new_page(viewport=dict(width=1400, height=1300)))
        page = watched.page
        open_notebook(page, lab, "noise.ipynb")
        run_all(page, len(CELLS))
        panel = page.locator(".reslab-denoising")
        title, pictures = panel.locator(".gtitle"), panel.locator(".imagelayer image")
        expect(title).to_contain_text("The cat with noise of σ = 50", timeout=60_000)
        expect(pictures).to_have_count(3 * 5)
        expect(panel).to_contain_text("residual with shortcuts")
        before = pictures.nth(1).get_attribute("href")

        handle = panel.locator(".widget-slider .noUi-handle")
        handle.press("ArrowRight")
        expect(title).to_contain_text("σ = 51", timeout=30_000)
        assert pictures.nth(1).get_attribute("href") != before

        first = panel.locator(".nsewdrag").first.bounding_box()
        x, y = first["x"], first["y"]
        page.mouse.move(x + 0.2 * first["width"], y + 0.2 * first["height"])
        page.mouse.down()
        page.mouse.move(x + 0.6 * first["width"], y + 0.6 * first["height"], steps=5)
        page.mouse.up()
        page.wait_for_timeout(500)
        shown = ranges(panel)
        assert shown == [shown[0]] * 15 and 60 < shown[0][1] - shown[0][0] < 100  # of 192 pixels
        if shots := os.environ.get("RESLAB_SCREENSHOTS"):
            page.wait_for_timeout(500)
            page.screenshot(path=f"{shots}/{re.sub(r'[^a-z]', '', request.node.name)}.png")

        panel.get_by_role("button", name="held-out pictures").click()
        expect(title).to_contain_text("Held-out pictures with noise of σ = 51", timeout=30_000)
        hand_over(panel, "mine.png", gradient())
        expect(title).to_contain_text("Your picture with noise of σ = 51", timeout=30_000)
        expect(title).to_contain_text("60×40 pixels")
        hand_over(panel, "poem.txt", b"a poem")
        expect(page.locator(".reslab-trouble")).to_contain_text("poem.txt is no picture that can be read")
        hand_over(panel, "mine.png", gradient())
        expect(page.locator(".reslab-trouble")).to_have_count(0)

        page.keyboard.press("Control+s")
        page.wait_for_timeout(1500)
        assert (lab.folder / "noise.ipynb").stat().st_size < 300_000
        assert watched.errors == [] and watched.outside == [] and lab.complaints() == []

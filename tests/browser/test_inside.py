"""Blocks clicked away in a real JupyterLab, by mouse and by keys, with console and log watched."""

import json
import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from reslab import RunStore
from reslab.probes import LesionStudy, subject

from ..browser_fixtures import NOTEBOOKS, Server, Watched, chromium, jupyterlab, open_notebook, run_all

pytestmark = pytest.mark.browser


@pytest.fixture(params=["Light", "Dark"])
def lab(request, tmp_path) -> Iterator[Server]:
    """A JupyterLab with those cells of the notebook that the blocks need, and nets that are trained in seconds."""
    notebook = json.loads((NOTEBOOKS / "05_inside.ipynb").read_text())
    wanted = ("imports", "parameters", "derive", "lesions")
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] in wanted]
    text = json.dumps(notebook)
    for name, before, after in (
        ("profile: str", '\\"demo\\"', '\\"smoke\\"'),
        ("shallow: int", "20", "8"),
        ("deep: int", "56", "14"),
        ("images: int", "1000", "200"),
    ):
        assert text.count(f"{name} = {before}") == 1
        text = text.replace(f"{name} = {before}", f"{name} = {after}")
    (tmp_path / "blocks.ipynb").write_text(text)
    with jupyterlab(tmp_path, request.param) as server:
        yield server


def error(row: Locator) -> str:
    expect(row).to_have_attribute("aria-busy", "false", timeout=30_000)
    return row.locator("output").inner_text()


def number(text: str) -> float:
    return float(text.split()[0].replace(",", ""))


def test_deleting_blocks_changes_the_error_and_bringing_them_back_restores_it(lab, request):
    with chromium() as browser:
        watched = Watched(browser.new_page(viewport=dict(width=1400, height=1000)))
        page = watched.page
        open_notebook(page, lab, "blocks.ipynb")
        run_all(page, 4)
        panel = page.locator(".reslab-lesions")
        plain, residual = (panel.locator(".reslab-lesion").nth(i) for i in (0, 1))
        expect(residual).to_contain_text("error on 200 images · nothing deleted", timeout=60_000)
        whole = [error(row) for row in (plain, residual)]

        (run,) = RunStore(lab.folder / "runs").find(depth=14, shortcut="A")
        shown = subject(run, images=200)
        study, deleted, seen = LesionStudy(shown.net, shown.images, shown.labels), [], set()
        for block in ("stage1.block1", "stage2.block2", "stage3.block1"):
            button = residual.locator(f"[data-block='{block}']")
            button.click()
            expect(button).to_have_attribute("aria-pressed", "true")
            deleted.append(block)
            seen.add(error(residual))
            assert number(error(residual)) == pytest.approx(study.error(deleted), abs=0.5)  # one picture of 200
        assert number(whole[1]) == pytest.approx(study.error(), abs=0.5) and seen - {whole[1]}
        expect(residual).to_contain_text(f"3 of 6 blocks deleted · whole net: {whole[1]}")
        expect(button).to_have_attribute("title", "stage3.block1, deleted, changes the shape")
        assert error(plain) == whole[0]
        for block in ("stage1.block1", "stage2.block2", "stage3.block1"):
            residual.locator(f"[data-block='{block}']").click()
        expect(residual).to_contain_text("nothing deleted")
        assert error(residual) == whole[1]

        first = plain.locator("[data-block='stage1.block1']")
        first.press("Enter")  # which in JupyterLab's command mode is "edit the cell"
        expect(first).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        expect(plain).to_contain_text("2 of 6 blocks deleted")
        expect(plain.locator("[data-block='stage1.block2']")).to_be_focused()
        assert page.locator(".jp-mod-editMode").count() == 0

        panel.get_by_role("button", name="Delete one at random").click()
        expect(residual).to_contain_text("1 of 6 blocks deleted")
        expect(plain).to_contain_text("3 of 6 blocks deleted")
        panel.get_by_role("button", name="Swap two at random").click()
        expect(residual).to_contain_text("2 not in their place")
        numbers = residual.locator(".reslab-lesion-stage").first.locator("button")
        expect(numbers).to_have_text(["2", "1"])
        if shots := os.environ.get("RESLAB_SCREENSHOTS"):
            page.wait_for_timeout(500)
            page.screenshot(path=f"{shots}/{re.sub(r'[^a-z]', '', request.node.name)}.png")
        panel.get_by_role("button", name="Restore all").click()
        expect(numbers).to_have_text(["1", "2"])
        for row, before in zip((plain, residual), whole, strict=True):
            expect(row).to_contain_text("nothing deleted")
            assert error(row) == before

        page.keyboard.press("Control+s")
        expect(page.locator(".jp-DocumentSearch-overlay")).to_have_count(0)
        page.wait_for_timeout(1500)
        assert (lab.folder / "blocks.ipynb").stat().st_size < 100_000  # no plotly.js
        assert page.locator(".reslab-trouble").count() == 0
        assert watched.errors == [] and watched.outside == [] and lab.complaints() == []

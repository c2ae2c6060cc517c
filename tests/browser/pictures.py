"""Pictures of the explorer's panels, in both themes, for docs/images/.

    python -m tests.browser.pictures STORE docs/images

STORE holds finished runs to show, such as those of `reslab train --depth 56 --shortcut none`, A, scaled ...; what the
training panel trains goes into a copy of it.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from ..browser_fixtures import NOTEBOOKS, Server, chromium, jupyterlab, open_notebook, run_all
from .test_explorer import CODE, NAME, choose, row, train

SHOWN = ("none", "scaled", "conv1x1", "dropout", "A", "rezero")


def panels(page: Page, server: Server, out: Path, theme: str) -> None:
    text = (NOTEBOOKS / NAME).read_text().replace("depth: int = 20", "depth: int = 56")
    (server.folder / NAME).write_text(text)
    open_notebook(page, server, NAME)
    page.keyboard.press("Control+b")  # the file browser
    run_all(page, CODE)

    def picture(panel: str) -> None:
        place = page.locator(f".reslab-{panel}")
        place.scroll_into_view_if_needed()
        page.mouse.move(2, 2)
        page.wait_for_timeout(1500)
        path = out / f"explorer-{panel}-{theme}.png"
        place.screenshot(path=path)
        Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)  # a third of the size

    choose(page, "shortcut", "exclusive-gating")
    expect(page.locator(".reslab-headline h3")).to_have_text("ResNet-56 (exclusive-gating)")
    picture("design")
    picture("take")
    page.locator(".reslab-watch").scroll_into_view_if_needed()
    box = page.locator(".reslab-watch")
    box.locator("thead input[type=checkbox]").check()
    box.locator("thead input[type=checkbox]").uncheck()
    for shortcut in SHOWN:
        config = server.folder / "runs"
        name = next(p.name for p in config.glob("shapes-*56*-demo-s0-*") if says(p, shortcut))
        box.locator(f"tr[data-id='{name}'] input[type=checkbox]").check()
    for label in ("plain-56", "ResNet-56"):
        line = box.locator("tbody tr").filter(has=page.get_by_text(label, exact=True)).first
        line.get_by_role("button", name="Compare").click()
    picture("watch")
    choose(page, "profile", "smoke")
    choose(page, "shortcut", "conv1x1")
    train(page)
    expect(page.locator(".reslab-train")).to_contain_text("done in", timeout=90_000)
    choose(page, "profile", "demo")
    for seed in ("7", "8", "9"):
        page.locator(".reslab-controls input[type=number]").fill(seed)
        page.keyboard.press("Tab")
        choose(page, "shortcut", {"7": "A", "8": "none", "9": "rezero"}[seed])
        train(page)
        page.wait_for_timeout(1500)
    expect(row(page, "left")).to_have_count(1, timeout=60_000)
    row(page, "waiting").last.get_by_role("button", name="Pause").click()
    expect(row(page, "paused")).to_have_count(1, timeout=20_000)
    picture("train")
    stop = page.locator(".reslab-row").get_by_role("button", name="Stop")
    while stop.count():
        stop.last.click()
        page.wait_for_timeout(1500)
    expect(page.locator(".reslab-row")).to_have_count(0, timeout=60_000)


def says(run: Path, shortcut: str) -> bool:
    config = json.loads((run / "config.json").read_text())
    return config["shortcut"] == shortcut and config["activation_order"] == "original"


def main(store: Path, out: Path) -> None:
    for theme in ("Light", "Dark"):
        with tempfile.TemporaryDirectory() as name, chromium() as browser:
            shutil.copytree(store, Path(name) / "runs")
            with jupyterlab(Path(name), theme) as server:
                page = browser.new_page(viewport=dict(width=1400, height=1700), device_scale_factor=1.5)
                panels(page, server, out, theme.lower())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

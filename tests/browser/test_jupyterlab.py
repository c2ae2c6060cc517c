"""The notebooks as a learner meets them: a real JupyterLab, in Chromium, with its console watched."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from reslab import RunStore

from ..browser_fixtures import chromium

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
TOKEN = "a-token-for-this-test"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab on a copy of the notebooks with profile="smoke": its address and its folder."""
    folder = tmp_path_factory.mktemp("lab")
    for path in NOTEBOOKS.glob("*.ipynb"):
        text = path.read_text().replace('profile: str = \\"demo\\"', 'profile: str = \\"smoke\\"')
        (folder / path.name).write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}"]
    environment = os.environ | {
        "RESLAB_STORE": str(folder / "runs"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
    }
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/api", timeout=2).close()
                break
            except (urllib.error.URLError, TimeoutError):
                assert time.monotonic() < deadline and server.poll() is None, (folder / "server.log").read_text()
                time.sleep(0.2)
        yield address, folder
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page(viewport=dict(width=1400, height=1000))


@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")))
def test_run_all_draws_every_figure_without_an_error(lab, page, name):
    address, folder = lab
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}/lab/tree/{name}?token={TOKEN}&reset")
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)  # else Run asks for a kernel
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).click()
    cells = json.loads((NOTEBOOKS / name).read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    page.wait_for_function(
        """wanted => {
            const notebook = [...document.querySelectorAll('.jp-Notebook')][0];
            const counts = [...notebook.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(p => p.innerText);
            return counts.some(text => text.includes(`[${wanted}]`));
        }""",
        arg=len(code),
        timeout=120_000,
    )
    figures = sum("reslab.figures." in "".join(cell["source"]) for cell in code) - sum(
        "summary_table" in "".join(cell["source"]) for cell in code
    )
    drawn = page.locator(".jp-Notebook .js-plotly-plot")
    page.locator(".jp-Notebook").press("End")
    expect(drawn).to_have_count(figures, timeout=30_000)
    assert page.locator(".jp-RenderedText[data-mime-type*=error]").count() == 0
    assert errors == []
    assert {run.state for run in RunStore(folder / "runs")} == {"done"}
    log = (folder / "server.log").read_text()
    assert not re.search(r"^\[E |Traceback", log, re.M), log
    if shots := os.environ.get("RESLAB_SCREENSHOTS"):
        page.screenshot(path=f"{shots}/{Path(name).stem}.png")

"""Chromium, JupyterLab and Voila for tests, on 127.0.0.1 only, with console and log watched."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
# WebGL in software: today's Chromium falls back to it by itself, later ones have to be asked.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-unsafe-swiftshader"]
TOKEN = "a-token-for-this-test"


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """A headless browser, with more `flags`; the test fails, with what to do, where there is none."""
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*FLAGS, *flags])
        except Error as error:
            pytest.fail(f"no Chromium: apt-get install chromium, or playwright install chromium ({error})")
        yield browser
        browser.close()


CLOSED = r"^Task exception was never retrieved\nfuture: [^\n]*WebSocketClosedError.*?^tornado\S*WebSocketClosedError$"


@dataclass
class Server:
    """A server that was started, and the folder of its notebooks, log and runs."""

    address: str
    folder: Path

    def complaints(self) -> list[str]:
        """Errors and tracebacks in the server's log, but for what is said when a page is closed that was written to."""
        log = re.sub(CLOSED, "", (self.folder / "server.log").read_text(), flags=re.S | re.M)
        return re.findall(r"^\[E .*|.*Traceback.*|\w+Error: .*", log, re.M)


@contextmanager
def jupyterlab(folder: Path, theme: str = "Light", **environment: str) -> Iterator[Server]:
    """JupyterLab over `folder`, whose runs are in folder/runs."""
    settings = folder / "settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "themes.jupyterlab-settings").write_text(json.dumps(dict(theme=f"JupyterLab {theme}")))
    quiet = dict(fetchNews="false", checkForUpdates=False)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}"]
    command = [sys.executable, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={folder}"]
    # Its own, not this user's, which other servers write too.
    environment |= {f"JUPYTERLAB_{name.upper()}_DIR": str(folder / name) for name in ("settings", "workspaces")}
    with _served(command, folder, environment, "/api") as server:
        yield server


@contextmanager
def app(folder: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    """The explorer as `make app` serves it, Makefile and all, with its runs in folder/runs."""
    recipe = subprocess.run(["make", "-n", "app"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    variable, _voila, *words = shlex.split(
        next(line for line in recipe.replace("\\\n", " ").splitlines() if "voila " in line)
    )
    name, path = variable.split("=", 1)
    command = [sys.executable, "-m", "voila", *words, *arguments, "--no-browser", "--Voila.ip=127.0.0.1"]
    with _served(command, folder, environment | {name: path}, "/voila/static/voila.js", cwd=ROOT) as server:
        yield server


@contextmanager
def _served(
    command: Sequence[str], folder: Path, environment: dict[str, str], ready: str, cwd: Path | None = None
) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"RESLAB_STORE": str(folder / "runs")} | environment
    with open(folder / "server.log", "w") as log:
        process = subprocess.Popen(
            [*command, f"--port={port}"], cwd=cwd or folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    server = Server(f"http://127.0.0.1:{port}", folder)
    try:
        _wait(server, process, ready)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _wait(server: Server, process: subprocess.Popen, ready: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(server.address + ready, timeout=2).close()
            return
        except urllib.error.HTTPError:  # it answers
            return
        except (urllib.error.URLError, TimeoutError):
            assert time.monotonic() < deadline and process.poll() is None, (server.folder / "server.log").read_text()
            time.sleep(0.2)


@dataclass
class Watched:
    """A page; `errors` are those of its console, `outside` what it asked of other machines."""

    page: Page
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not re.match(r"(blob|data):|\w+://127\.0\.0\.1[:/]", url):
            self.outside.append(url)


def open_notebook(page: Page, server: Server, name: str) -> None:
    """Opens it in JupyterLab and waits for its kernel."""
    page.goto(f"{server.address}/lab/tree/{name}?token={TOKEN}&reset")
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)  # else Run asks for a kernel


def run_all(page: Page, cells: int) -> None:
    """Run > Run All Cells, and waits for the last of so many code cells."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).click()
    wait_for_cell(page, cells)


def wait_for_cell(page: Page, count: int) -> None:
    page.wait_for_function(
        """wanted => {
            const notebook = [...document.querySelectorAll('.jp-Notebook')][0];
            const counts = [...notebook.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(p => p.innerText);
            return counts.some(text => text.includes(`[${wanted}]`));
        }""",
        arg=count,
        timeout=300_000,
    )

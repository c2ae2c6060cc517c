"""How fast the explorer follows a hand, and how much it says meanwhile: the numbers in docs/benchmarks.md.

    python -m tests.browser.measure experiments/results/explorer.json

A real JupyterLab and Chromium; five to ten minutes on an otherwise idle machine.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import papermill
import torch
from playwright.sync_api import Page

from reslab import RunConfig
from reslab.bench.machine import describe, source
from reslab.nets import ORDERS, SHORTCUTS

from ..browser_fixtures import NOTEBOOKS, Server, chromium, jupyterlab, open_notebook, run_all

NAME = "02_shortcut_explorer.ipynb"
CODE = sum(cell["cell_type"] == "code" for cell in json.loads((NOTEBOOKS / NAME).read_text())["cells"])
LIVE, SECONDS = 5, 30

# Changes a control as a hand would, and waits until what it changed has been painted. Milliseconds.
CHANGE = """([index, value]) => new Promise(done => {
    const select = document.querySelectorAll('.reslab-controls select')[index];
    const view = document.querySelector('.reslab-view');
    const before = view.innerHTML, start = performance.now();
    const watcher = new MutationObserver(() => {
        if (view.innerHTML === before) return;
        watcher.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
    });
    watcher.observe(view, {childList: true, subtree: true, characterData: true});
    select.selectedIndex = value;
    select.dispatchEvent(new Event('change', {bubbles: true}));
})"""
SHORTCUT, ORDER = 0, 2  # among the drop-down menus


def latencies(page: Page) -> list[float]:
    """Milliseconds from a change to its drawing, for every shortcut and order but the first: none is drawn twice."""
    page.locator(".reslab-design").scroll_into_view_if_needed()
    found = []
    for number in range(len(ORDERS)):
        if number:
            found.append(page.evaluate(CHANGE, [ORDER, number]))
        shortcuts = range(1, len(SHORTCUTS)) if number % 2 == 0 else reversed(range(len(SHORTCUTS) - 1))
        found += [page.evaluate(CHANGE, [SHORTCUT, index]) for index in shortcuts]
        page.wait_for_timeout(200)
    return found


def spread(values: list[float]) -> dict[str, float]:
    return dict(median=median(values), p95=quantiles(values, n=20)[-1], changes=len(values))


def opened(page: Page, server: Server, name: str, **fields: object) -> None:
    text = (NOTEBOOKS / NAME).read_text()
    begins = 'choice = {\\"profile\\": profile, \\"depth\\": depth, \\"shortcut\\": shortcut}'
    assert text.count(begins) == 1
    given = json.dumps(json.dumps(dict(shortcut="none") | fields))[1:-1]
    (server.folder / name).write_text(text.replace(begins, f"choice = {given}"))
    open_notebook(page, server, name)
    run_all(page, CODE)
    page.wait_for_timeout(3000)


@contextmanager
def training(store: Path, *configs: RunConfig, threads: int) -> Iterator[None]:
    """These runs, each in a process of its own, from the first log point of all of them on."""
    from reslab.batch.queue import train_command

    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    processes = [subprocess.Popen(train_command(c, store), env=environment, stderr=subprocess.DEVNULL) for c in configs]
    try:
        while not all((store / c.id / "metrics.csv").exists() for c in configs):
            time.sleep(0.2)
            assert all(p.poll() is None for p in processes)
        yield
        assert all(p.poll() is None for p in processes), "the runs should have lasted longer"
    finally:
        for process in processes:
            process.kill()
            process.wait()


def message_rate(page: Page, frames: Counter, seconds: int) -> dict[str, float]:
    """Websocket messages a second, both directions: the mean, and the most in one second of the clock."""
    frames.clear()
    page.wait_for_timeout(1000 * seconds)
    counts = [frames[second] for second in sorted(frames)[1:-1]]
    return dict(mean=sum(counts) / len(counts), most=max(counts), seconds=len(counts))


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of the notebook that papermill executed, with these runs in its store."""
    papermill.execute_notebook(
        str(NOTEBOOKS / NAME), str(folder / "executed.ipynb"), dict(store=str(folder / "runs")), progress_bar=False
    )
    return dict(papermill=(folder / "executed.ipynb").stat().st_size)


def main(out: Path) -> None:
    result: dict = dict(machine=describe(torch.device("cpu"))) | source() | dict(latency={})
    frames: Counter = Counter()
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        store = folder / "runs"
        with jupyterlab(folder) as server:

            def fresh() -> Page:
                page = browser.new_page(viewport=dict(width=1500, height=1100))

                def count(_frame: object) -> None:
                    frames[int(time.time())] += 1

                def listen(socket) -> None:
                    if "/channels" in socket.url:
                        socket.on("framereceived", count)
                        socket.on("framesent", count)

                page.on("websocket", listen)
                return page

            busy = RunConfig(depth=56, profile="demo", iterations=100_000, log_every=50, lr_drops=())
            for number, (depth, profile) in enumerate(itertools.product((20, 56), ("demo", "short"))):
                for state in ("idle", "training"):
                    page = fresh()
                    opened(page, server, f"{state}{number}.ipynb", depth=depth, profile=profile)
                    if state == "idle":
                        found = latencies(page)
                    else:
                        with training(store, RunConfig(**vars(busy) | dict(seed=number)), threads=2):
                            found = latencies(page)
                    result["latency"][f"{depth} {profile} {state}"] = spread(found)
                    page.close()
            page = fresh()
            opened(page, server, "five.ipynb", depth=20, profile="demo")
            runs = [RunConfig(depth=8, iterations=100_000, log_every=20, lr_drops=(), seed=s) for s in range(LIVE)]
            with training(store, *runs, threads=1):
                page.locator(".reslab-watch").scroll_into_view_if_needed()
                page.wait_for_timeout(3000)
                result["messages"] = message_rate(page, frames, SECONDS)
            page.keyboard.press("Control+s")
            page.wait_for_timeout(3000)
            result["bytes"] = dict(saved=(folder / "five.ipynb").stat().st_size) | sizes(folder)
    out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

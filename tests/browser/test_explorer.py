"""The shortcut explorer as a learner uses it, in JupyterLab and as an app, through real kernels and real training."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from reslab import RunStore

from ..browser_fixtures import (
    NOTEBOOKS,
    Server,
    Watched,
    app,
    chromium,
    jupyterlab,
    open_notebook,
    run_all,
    wait_for_cell,
)

NAME = "02_shortcut_explorer.ipynb"
CODE = sum(cell["cell_type"] == "code" for cell in json.loads((NOTEBOOKS / NAME).read_text())["cells"])
LONG = dict(iterations=2500, log_every=50)  # some seconds at depth 8
PLUGIN = """\
from reslab.nets import Shortcut, register
@register("quarter")
class Quarter(Shortcut):
    def merge(self, x, fx):
        return fx + 0.25 * self.identity(x)
"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("explorer")
    with jupyterlab(folder) as server:
        yield server
    _end_training(folder)


def _end_training(folder: Path) -> None:
    """Ends workers and trainers of this folder's store."""
    store = str(folder / "runs")
    mine = [p for p in psutil.process_iter(["cmdline"]) if any(store in part for part in p.info["cmdline"] or [])]
    for process in mine:
        process.kill()
    psutil.wait_procs(mine, 20)


@pytest.fixture
def watched() -> Iterator[Watched]:
    with chromium() as browser:
        yield Watched(browser.new_page(viewport=dict(width=1500, height=1100)))


def opened(watched: Watched, lab: Server, name: str, **fields: object) -> Page:
    """The explorer in a notebook of its own, run to its end; `fields` are of the net that it begins with."""
    fields = dict(profile="smoke", depth=8) | fields
    text = (NOTEBOOKS / NAME).read_text()
    begins = 'choice = {\\"profile\\": profile, \\"depth\\": depth, \\"shortcut\\": shortcut}'
    assert text.count(begins) == 1
    given = json.dumps(json.dumps(fields))[1:-1]
    (lab.folder / f"{name}.ipynb").write_text(text.replace(begins, f"choice = {given}"))
    open_notebook(watched.page, lab, f"{name}.ipynb")
    run_all(watched.page, CODE)
    expect(watched.page.locator(".reslab-design svg")).to_have_count(3)
    return watched.page


def choose(page: Page, field: str, value: str) -> None:
    row = page.locator(".reslab-controls .widget-dropdown").filter(has=page.get_by_text(field, exact=True))
    options = row.locator("option").all_text_contents()
    row.locator("select").select_option(label=next(o for o in options if o.split(":")[0] == value))


def parameters(page: Page) -> str:
    return page.locator(".reslab-numbers tr").filter(has_text="parameters").locator("td").first.text_content()


def operations(page: Page, drawing: int) -> list[str]:
    groups = page.locator(".reslab-blocks svg").nth(drawing).locator(".reslab-op")
    return groups.evaluate_all("groups => groups.map(g => g.dataset.op)")


def train(page: Page) -> None:
    page.locator(".reslab-train").get_by_role("button", name="Train", exact=True).click()


def row(page: Page, text: str) -> Locator:
    return page.locator(".reslab-row").filter(has_text=text)


def finished(watched: Watched, lab: Server) -> None:
    page = watched.page
    assert page.locator(".jp-RenderedText[data-mime-type*=error]").count() == 0
    assert page.locator(".reslab-trouble").count() == 0
    assert watched.errors == [] and watched.outside == [] and lab.complaints() == []


def test_a_change_of_shortcut_changes_drawing_and_numbers(watched, lab):
    page = opened(watched, lab, "design")
    assert "shortcut.conv" not in operations(page, 1) and "conv1" in operations(page, 0)
    before = parameters(page)
    choose(page, "shortcut", "B")
    expect(page.locator(".reslab-headline h3")).to_have_text("ResNet-8 (B)")
    assert {"shortcut.conv", "shortcut.bn"} <= set(operations(page, 1)) and parameters(page) != before
    choose(page, "shortcut", "none")
    expect(page.locator(".reslab-headline h3")).to_have_text("plain-8")
    assert parameters(page) == before
    choose(page, "order", "full-preactivation")
    expect(page.locator(".reslab-headline h3")).to_have_text("plain-8 (full-preactivation)")
    names = [name for name in operations(page, 1) if not name.startswith("shortcut")]
    assert names == ["bn1", "relu1", "conv1", "bn2", "relu2", "conv2"]
    expect(page.locator(".reslab-take pre").nth(1)).to_contain_text("--activation-order full-preactivation")
    finished(watched, lab)


def test_a_run_is_trained_paused_resumed_stopped_and_followed_live(watched, lab):
    page = opened(watched, lab, "train", seed=1, **LONG)
    train(page)
    expect(row(page, "training")).to_have_count(1, timeout=60_000)
    page.wait_for_function(f"() => ({POINTS})() > 0", timeout=60_000)
    first = points(page)
    expect(row(page, "training error")).to_have_count(1)
    page.wait_for_function(f"() => ({POINTS})() > {first}", timeout=60_000)  # they arrive by themselves
    row(page, "training").get_by_role("button", name="Pause").click()
    expect(row(page, "paused")).to_have_count(1, timeout=30_000)
    (run,) = RunStore(lab.folder / "runs").find(seed=1)
    assert run.state == "interrupted" and (run.path / "checkpoint.pt").exists()
    at = run.metrics[-1]["iteration"]
    row(page, "paused").get_by_role("button", name="Resume").click()
    expect(row(page, "training error")).to_have_count(1)
    _until(lambda: run.metrics[-1]["iteration"] > at)
    row(page, "plain-8" if run.config.shortcut == "none" else "ResNet-8").get_by_role("button", name="Stop").click()
    expect(page.locator(".reslab-row")).to_have_count(0, timeout=30_000)
    assert run.state == "interrupted"
    finished(watched, lab)


POINTS = """() => {
    const plot = document.querySelector('.reslab-watch .js-plotly-plot');
    const curves = (plot?.calcdata ?? []).filter(points => ['test', 'test seed'].includes(points[0].trace.meta?.kind));
    return curves.reduce((most, points) => Math.max(most, points.length), 0);
}"""


def points(page: Page) -> int:
    """Points of the longest test curve on the screen."""
    return page.evaluate(POINTS)


def _until(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_restarted_kernel_finds_its_run_again(watched, lab):
    page = opened(watched, lab, "restart", seed=2, **LONG)
    train(page)
    expect(row(page, "training error")).to_have_count(1, timeout=60_000)
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Restart Kernel and Run All Cells")).click()
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.locator(".reslab-row")).to_have_count(0, timeout=30_000)
    expect(row(page, "training error")).to_have_count(1, timeout=60_000)
    (run,) = RunStore(lab.folder / "runs").find(seed=2)
    assert len(run.provenance.get("resumed", [])) == 0  # the same sitting: training knew nothing of it
    expect(page.locator(".reslab-train")).to_contain_text("done in", timeout=90_000)
    assert run.state == "done"
    finished(watched, lab)


def test_a_shortcut_of_ones_own_from_a_cell(watched, lab):
    page = opened(watched, lab, "own", seed=3)
    new_cell(page, f"%%writefile my_shortcut.py\n{PLUGIN}", CODE + 1)
    new_cell(page, 'room.add_plugin("my_shortcut.py")', CODE + 2)
    expect(page.locator(".reslab-headline h3")).to_have_text("ResNet-8 (quarter)")
    assert page.locator(".reslab-blocks svg").first.get_by_text("× 0.25", exact=True).count() >= 1
    train(page)
    expect(page.locator(".reslab-train")).to_contain_text("done in", timeout=60_000)
    (run,) = RunStore(lab.folder / "runs").find(shortcut="quarter")
    assert run.state == "done" and run.config.plugins[0].source.decode() == PLUGIN
    new_cell(page, 'from reslab.widgets import watch\nwatch(shortcut="quarter")', CODE + 3)
    alone = page.locator(".reslab-watch").last
    expect(alone.locator("tbody tr")).to_have_count(1)
    expect(alone.locator(".js-plotly-plot")).to_have_count(1)
    finished(watched, lab)


def test_figure_and_data_are_saved(watched, lab):
    page = opened(watched, lab, "saved", seed=5)
    choose(page, "shortcut", "B")
    train(page)  # at once: a press does not overtake a choice
    expect(page.locator(".reslab-train")).to_contain_text("done in", timeout=60_000)
    line = page.locator(".reslab-watch tbody tr").filter(has_text="ResNet-8 (B)")
    expect(line.filter(has_text="done").locator("input:checked")).to_have_count(1)
    saved = {}
    for kind in ("HTML", "PNG", "SVG", "CSV"):
        with page.expect_download() as download:
            page.locator(".reslab-watch").get_by_role("button", name=kind, exact=True).click()
        assert download.value.suggested_filename == f"reslab-curves.{kind.lower()}"
        saved[kind] = Path(download.value.path()).read_bytes()
    assert saved["PNG"].startswith(b"\x89PNG") and b"<svg" in saved["SVG"][:500]
    assert b"Plotly.newPlot" in saved["HTML"] and len(saved["HTML"]) > 3_000_000  # opens without a network
    (run,) = RunStore(lab.folder / "runs").find(seed=5)
    assert run.config.shortcut == "B"
    assert f"{run.id},12," in saved["CSV"].decode()
    finished(watched, lab)


def new_cell(page: Page, source: str, count: int) -> None:
    """Adds a cell at the end and runs it."""
    page.locator(".jp-Notebook .jp-Cell").last.locator(".jp-InputPrompt, .jp-MarkdownOutput").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.keyboard.insert_text(source)
    page.keyboard.press("Shift+Enter")
    wait_for_cell(page, count)


def test_a_failed_run_says_why(watched, lab):
    page = opened(watched, lab, "failed", seed=4, lr=1e30, precision="fp32")
    train(page)
    expect(page.locator(".reslab-reason")).to_contain_text("is not finite", timeout=60_000)
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".reslab-row")).to_have_count(0)
    finished(watched, lab)


def test_as_an_app_without_code_and_without_a_network(watched, tmp_path):
    with app(tmp_path) as server:
        page = watched.page
        page.goto(server.address)
        expect(page.locator(".reslab-watch .reslab-plot")).to_be_visible(timeout=90_000)
        assert "from reslab" not in page.content() and "my_shortcut.py" not in page.content()
        choose(page, "profile", "smoke")
        choose(page, "shortcut", "concat")
        expect(page.locator(".reslab-headline h3")).to_have_text("ResNet-20 (concat)")
        train(page)
        expect(page.locator(".reslab-train")).to_contain_text("done in", timeout=90_000)
        page.wait_for_function(f"() => ({POINTS})() === 4", timeout=30_000)
        assert [run.state for run in RunStore(tmp_path / "runs")] == ["done"]
        finished(watched, server)
    _end_training(tmp_path)


def test_a_read_only_app_starts_nothing_and_writes_nothing(watched, tmp_path):
    with app(tmp_path, RESLAB_READ_ONLY="1") as server:
        page = watched.page
        page.goto(server.address)
        expect(page.locator(".reslab-watch .reslab-plot")).to_be_visible(timeout=90_000)
        choose(page, "shortcut", "C")
        expect(page.locator(".reslab-headline h3")).to_have_text("ResNet-20 (C)")
        expect(page.locator(".reslab-train")).to_contain_text("read-only")
        assert page.locator(".reslab-train button").count() == 0 and not (tmp_path / "runs").exists()
        finished(watched, server)

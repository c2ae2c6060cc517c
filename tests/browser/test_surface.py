"""The loss surface in a real JupyterLab: turned by hand, seen from above, filling in, with console and log watched."""

import json
import math
import re
from collections.abc import Iterator

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from reslab import RunConfig, RunStore
from reslab.probes.surface import Plan

from ..browser_fixtures import Server, Watched, chromium, jupyterlab, open_notebook, run_all
from ..surface_fixtures import bowl, fill_grid

pytestmark = pytest.mark.browser
KERNEL = dict(kernelspec=dict(display_name="Python 3 (ipykernel)", language="python", name="python3"))
PLAN = Plan(points=15, images=500)
CELL = """\
from reslab import RunStore
from reslab.widgets import LossSurface
{what} = LossSurface({{"{depth} layers": RunStore("runs").find(depth={depth})}}, points=15, images=500)
{what}"""


def rough(x: float, y: float) -> float:
    return 2 + 0.4 * math.sin(9 * x) * math.cos(7 * y) + 4 * (x * x + y * y)


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Server]:
    """A JupyterLab over runs with surfaces in closed form: of 20 layers complete, of 56 not begun."""
    folder = tmp_path_factory.mktemp("surface")
    store = RunStore(folder / "runs")
    for shortcut, loss, name in (("none", rough, "plain-20"), ("A", None, "ResNet-20")):
        run = store.create(RunConfig(depth=20, shortcut=shortcut))
        fill_grid(run, PLAN, name=name, **(dict(loss=loss) if loss else {}))
        store.create(RunConfig(depth=56, shortcut=shortcut))
    for what, depth in (("whole", 20), ("growing", 56), ("flat", 20)):
        cells = [nbformat.v4.new_code_cell(CELL.format(what=what, depth=depth))]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), folder / f"{what}.ipynb")
    with jupyterlab(folder) as server:
        yield server


def eye(panel: Locator, scene: str) -> dict:
    """Where its camera is, as plotly draws it."""
    return json.loads(
        panel.locator(".js-plotly-plot").evaluate(
            "(box, scene) => JSON.stringify(box._fullLayout[scene]._scene.getCamera().eye)", scene
        )
    )


def both_at_rest(page: Page, panel: Locator) -> dict:
    """Where both cameras are, once they are at one place and stay: a busy machine turns them when it comes to it."""
    last = None
    for _ in range(40):
        page.wait_for_timeout(500)
        first, second = eye(panel, "scene"), eye(panel, "scene2")
        if first == last and second == pytest.approx(first, abs=1e-6):
            return first
        last = first
    raise AssertionError(f"the cameras are at {first} and {second}")


def drag(page: Page, panel: Locator) -> None:
    """Turn the left surface by hand. Plotly lets a camera coast at the last event's speed: how far it gets differs."""
    box = panel.locator(".js-plotly-plot").bounding_box()
    x, y = box["x"] + 0.22 * box["width"], box["y"] + 0.65 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(x + 15 * step, y + 4 * step)
        page.wait_for_timeout(30)  # as a hand does: events that come all at once are one jump, or none
    page.mouse.up()


def under_pointer(page: Page, panel: Locator, across: float, down: float) -> tuple[float, float, float]:
    """x, y and the loss that plotly tells of this place in its box, 0..1 from the left and from the top."""
    box = panel.locator(".js-plotly-plot").bounding_box()
    label = panel.locator(".hovertext").last
    for _ in range(20):  # plotly asks what is there when the mouse moves, and knows it once the surface is drawn
        page.mouse.move(box["x"] + across * box["width"] + 3, box["y"] + down * box["height"])
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        page.wait_for_timeout(500)
        if label.count():
            break
    expect(label).to_contain_text("loss", timeout=1_000)
    # "(0.1, -0.2)loss 2 ..." in space, "x = 0.1, y = -0.2loss 2 ..." on contours
    told = label.text_content().replace("−", "-")
    found = re.search(r"(-?[\d.]+), (?:y = )?(-?[\d.]+)\)?loss ([\d.]+)", told)
    return tuple(float(number) for number in found.groups())


def test_turning_one_surface_turns_both_and_the_camera_stays(lab):
    with chromium() as browser:
        watched = Watched(browser.new_page(viewport=dict(width=1400, height=1100)))
        page = watched.page
        open_notebook(page, lab, "whole.ipynb")
        run_all(page, 1)
        panel = page.locator(".reslab-surface")
        expect(panel.locator(".gtitle")).to_contain_text("Loss around plain-20 and ResNet-20", timeout=60_000)
        expect(panel.locator(".gl-container canvas")).to_have_count(2)
        x, y, loss = under_pointer(page, panel, 0.7, 0.5)
        assert abs(x) != pytest.approx(abs(y)) and loss == pytest.approx(bowl(x, y), rel=1e-2)  # of (x, y), not (y, x)
        before = eye(panel, "scene")
        drag(page, panel)
        turned = both_at_rest(page, panel)
        assert max(abs(turned[k] - before[k]) for k in "xyz") > 0.05  # how far is a matter of time: see drag

        panel.get_by_role("button", name="contours").click()
        expect(panel.locator(".contourlayer .contour")).to_have_count(2)
        expect(panel.locator(".gl-container canvas")).to_have_count(0)
        x, y, loss = under_pointer(page, panel, 0.76, 0.55)
        assert abs(x) != pytest.approx(abs(y)) and loss == pytest.approx(bowl(x, y), rel=1e-2)
        panel.get_by_role("button", name="error").click()
        expect(panel.locator(".gtitle")).to_contain_text("Error around")
        panel.get_by_role("button", name="3-D").click()
        expect(panel.locator(".gl-container canvas")).to_have_count(2)
        assert both_at_rest(page, panel) == pytest.approx(turned, abs=1e-6)
        panel.get_by_role("button", name="linear").click()
        expect(panel.locator(".gtitle")).to_contain_text("the same linear scale")
        assert both_at_rest(page, panel) == pytest.approx(turned, abs=1e-6)
        assert page.locator(".reslab-trouble").count() == 0
        assert watched.errors == [] and watched.outside == [] and lab.complaints() == []


def test_a_surface_fills_in_while_another_process_computes_it(lab):
    plain, residual = (RunStore(lab.folder / "runs").run(RunConfig(depth=56, shortcut=s)) for s in ("none", "A"))
    with chromium() as browser:
        watched = Watched(browser.new_page(viewport=dict(width=1400, height=1100)))
        page = watched.page
        open_notebook(page, lab, "growing.ipynb")
        run_all(page, 1)
        panel = page.locator(".reslab-surface")
        expect(panel).to_contain_text("reslab surface", timeout=60_000)
        fill_grid(residual, PLAN, 40, name="ResNet-56")
        expect(panel.locator(".annotation-text").first).to_contain_text("40 of 225 points", timeout=10_000)
        drag(page, panel)
        fill_grid(residual, PLAN, 90, name="ResNet-56")
        expect(panel.locator(".annotation-text").first).to_contain_text("90 of 225 points", timeout=10_000)
        for run, name in ((plain, "plain-56"), (residual, "ResNet-56")):
            fill_grid(run, PLAN, name=name)
        expect(panel.locator(".gl-container canvas")).to_have_count(2, timeout=10_000)
        expect(panel).not_to_contain_text("reslab surface")
        assert page.locator(".reslab-trouble").count() == 0
        assert watched.errors == [] and watched.outside == [] and lab.complaints() == []


def test_a_browser_without_webgl_sees_contours_and_why(lab):
    with chromium("--disable-3d-apis") as browser:
        page = browser.new_page(viewport=dict(width=1400, height=1100))
        open_notebook(page, lab, "flat.ipynb")
        run_all(page, 1)
        panel = page.locator(".reslab-surface")
        expect(panel).to_contain_text("WebGL is off", timeout=60_000)
        expect(panel.locator(".contourlayer .contour")).to_have_count(2)
        assert page.locator(".reslab-trouble").count() == 0 and lab.complaints() == []

"""The loss surface's panel over grids that grow under it, without a browser."""

import pytest

from reslab import RunConfig, RunStore
from reslab.figures import loss_contours, loss_surfaces
from reslab.probes.surface import Plan
from reslab.probes.surface.grid import FOLDER, Grid
from reslab.widgets import LossSurface

from .surface_fixtures import fill_grid

PLAN = Plan(points=3, images=500)


@pytest.fixture
def pair(tmp_path):
    return [RunStore(tmp_path).create(RunConfig(shortcut=shortcut)) for shortcut in ("none", "A")]


def surfaces(pair):
    return [Grid(run.path / FOLDER / PLAN.name).surface() for run in pair]


def words(panel) -> str:
    return " ".join(note.text for note in panel.figure.layout.annotations)


def test_what_is_shown_is_what_the_controls_say(pair):
    for run in pair:
        fill_grid(run, PLAN)
    panel = LossSurface({"20 layers": pair}, PLAN, live=True)
    both = surfaces(pair)
    assert panel.figure == loss_surfaces(both, data="shapes") and panel._said.value == ""
    panel.controls["view"].value = "contours"
    assert panel.figure == loss_contours(both, data="shapes")
    panel.controls["what"].value = "error"
    panel.controls["scale"].value = "linear"
    assert panel.figure == loss_contours(both, "error", "linear", data="shapes")
    assert panel.plot.figure["layout"]["title"]["text"] == panel.figure.layout.title.text


def test_a_grid_fills_as_another_process_computes_it(pair):
    panel = LossSurface({"20 layers": pair}, PLAN, live=True)
    command = f"reslab surface {pair[0].id} {pair[1].id} --points 3 --images 500 --store {pair[0].path.parent}"
    assert "computed yet" in words(panel) and command in panel._said.value
    fill_grid(pair[1], PLAN, 4)
    panel._follow()
    assert "4 of 9 points" in words(panel) and "plain-20, ResNet-20" in panel._said.value
    fill_grid(pair[1], PLAN)
    panel._follow()
    assert "of 9 points" not in words(panel) and "complete: plain-20." in panel._said.value
    fill_grid(pair[0], PLAN)
    panel._follow()
    assert panel.figure == loss_surfaces(surfaces(pair), data="shapes") and panel._said.value == ""
    shown = panel.figure
    panel._follow()
    assert panel.figure is shown  # a complete grid is not read again


def test_pairs_to_choose_from(pair, tmp_path):
    deep = [RunStore(tmp_path).create(RunConfig(shortcut=shortcut, depth=56)) for shortcut in ("none", "A")]
    for run in (*pair, *deep):
        fill_grid(run, PLAN)
    panel = LossSurface({"20 layers": pair, "56 layers": deep}, PLAN, live=True)
    panel.controls["pair"].value = "56 layers"
    assert panel.figure == loss_surfaces(surfaces(deep), data="shapes")


def test_a_browser_without_webgl_gets_contours_and_is_told(pair):
    for run in pair:
        fill_grid(run, PLAN)
    panel = LossSurface({"20 layers": pair}, PLAN, live=True)
    panel.plot.webgl = False  # which the browser says
    assert panel.figure == loss_contours(surfaces(pair), data="shapes")
    assert "WebGL is off" in panel._said.value


def test_without_a_front_end_both_views_stand_there(pair):
    for run in pair:
        fill_grid(run, PLAN)
    panel = LossSurface({"20 layers": pair}, live=False, points=3, images=500)
    space, flat, hint = panel.still()
    both = surfaces(pair)
    assert (space, flat) == (loss_surfaces(both, data="shapes"), loss_contours(both, data="shapes"))
    assert "In JupyterLab" in hint.data and not hasattr(panel, "widget")


def test_without_a_front_end_the_command_for_what_is_missing_stands_there(pair):
    fill_grid(pair[0], PLAN)
    (*_, hint) = LossSurface({"20 layers": pair}, PLAN, live=False).still()
    assert "complete: ResNet-20." in hint.data and f"reslab surface {pair[0].id} {pair[1].id}" in hint.data


@pytest.mark.parametrize(
    ("pairs", "fields", "told"),
    [
        ({}, {}, "there is nothing to show"),
        ({"none": []}, {}, "there is nothing to show"),
        ({"a": [1]}, dict(dimensions=1), "dimensions=1 is a line"),
        ({"a": [1]}, dict(points=1), "points=1 is not possible"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(pairs, fields, told):
    with pytest.raises(ValueError, match=told):
        LossSurface(pairs, live=True, **fields)

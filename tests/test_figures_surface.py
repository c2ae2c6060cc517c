"""Figures of loss surfaces against surfaces in closed form."""

import math

import numpy as np
import pytest

from reslab.figures import loss_contours, loss_profile, loss_surfaces, net_colour
from reslab.figures.heights import BAND, CUT, Heights, number
from reslab.figures.surface_marks import LIFT, between
from reslab.training.config import RunConfig

from .surface_fixtures import make_surface

PLAIN = make_surface(lambda x, y: 10 ** (3 * (x**2 + y**2) + 0.1), "plain-20")  # from 1.26 to 1.26 million
RESIDUAL = make_surface()
BOTH = (PLAIN, RESIDUAL)


def planes(figure) -> list:
    return [trace for trace in figure.data if trace.meta["kind"] == "plane"]


def losses(surface) -> np.ndarray:
    return np.array(surface.loss)


def colour(figure, place: float) -> str:
    """That of a place on the colour axis."""
    axis = figure.layout.coloraxis
    share = (place - axis.cmin) / (axis.cmax - axis.cmin)
    return [shade for at, shade in axis.colorscale if at <= share + 1e-9][-1]


# The scale


@pytest.mark.parametrize("draw", [loss_contours, loss_surfaces])
def test_both_nets_have_one_scale_and_what_is_cut_is_grey_and_told(draw):
    figure = draw(BOTH, data="shapes")
    plain, residual = (np.array(trace.z) for trace in planes(figure))
    kept = losses(PLAIN) <= 100
    np.testing.assert_allclose(plain[kept], np.log10(losses(PLAIN)[kept]))
    np.testing.assert_allclose(residual, np.log10(losses(RESIDUAL)))
    assert kept.sum() < 25 and (plain[~kept] > 2).all() and (plain[~kept] < 2 + BAND * 3).all()
    assert {colour(figure, place) for place in plain[~kept]} == {CUT}
    assert CUT not in {colour(figure, place) for place in [*plain[kept], *residual.ravel()]}
    told = figure.layout.title.text
    assert f"cut above 100 (grey: {100 * (~kept).sum() / 50:.0f} % of the points)" in told
    assert "500 training pictures of shapes; two random directions, filter-normalised, seed 0" in told
    assert "<b>Loss around plain-20 and ResNet-20</b>" in told and "the same logarithmic scale" in told
    assert all(trace.coloraxis == "coloraxis" for trace in planes(figure))
    titles = [note.text for note in figure.layout.annotations]
    assert "loss 1.26 to 1.26×10<sup>6</sup>" in titles[0] and "loss 0.1 to 3.1" in titles[1]


def test_a_linear_scale_is_cut_lower_and_errors_are_not_cut():
    plain, _ = planes(loss_contours(BOTH, scale="linear"))
    assert np.array(plain.z).max() < 10 * (1 + BAND)
    assert "cut above 10 (" in loss_contours(BOTH, scale="linear").layout.title.text
    errors = loss_surfaces(BOTH, what="error", scale="linear")
    np.testing.assert_allclose(planes(errors)[0].z, np.array(PLAIN.error))
    assert "cut" not in errors.layout.title.text and errors.layout.scene2.zaxis.range == (0, 100)


def test_a_top_of_ones_own():
    heights = Heights.of([RESIDUAL], scale="linear", top=2.0)
    assert heights.high == 2 and heights.share == (losses(RESIDUAL) > 2).mean()
    assert heights.ticks["ticktext"][-1] == "> 2" and heights.ticks["tickvals"][-1] == 2 * (1 + BAND)


def test_the_ticks_are_where_their_losses_are():
    for scale, power in (("linear", False), ("log", True)):
        heights = Heights.of([RESIDUAL], scale=scale)
        for place, text in zip(*heights.ticks.values(), strict=True):
            assert place == pytest.approx(math.log10(float(text)) if power else float(text))
        assert len(heights.ticks["tickvals"]) >= 3


def test_scenes_have_the_same_heights_and_turn_as_one():
    figure = loss_surfaces([PLAIN, RESIDUAL, PLAIN])
    scenes = figure.layout.meta["linked"]
    assert scenes == ["scene", "scene2", "scene3"] == [trace.scene or "scene" for trace in planes(figure)]
    ranges = {figure.layout[scene].zaxis.range for scene in scenes}
    assert len(ranges) == 1 and len({figure.layout[scene].camera.to_plotly_json()["eye"]["x"] for scene in scenes}) == 1


def test_the_words_under_the_pointer_are_those_of_the_point():
    plane = planes(loss_surfaces([RESIDUAL]))[0]
    assert plane.text[0][3] == "x = 0.5, y = -1<br>loss 2.35<br>error 23.5 %" and plane.hoverinfo == "text"
    both = planes(loss_contours([RESIDUAL]))[0].customdata
    assert both[0][3].tolist() == pytest.approx([2.35, 23.5])


@pytest.mark.parametrize("corner", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_one_looks_from_the_corner_that_hides_least(corner):
    sloping = make_surface(lambda x, y: 5 - corner[0] * x - 2 * corner[1] * y)
    for what in ("loss", "error"):
        eye = loss_surfaces([sloping, RESIDUAL], what, "linear").layout.scene.camera.eye
        assert (np.sign(eye.x), np.sign(eye.y)) == corner


def test_an_infinite_loss_is_cut_and_never_drawn_as_a_hole():
    surface = make_surface(lambda x, y: math.inf if x > 0.9 else 1 + x**2)
    (trace,) = planes(loss_contours([surface]))
    assert np.isfinite(trace.z).all() and "∞" in loss_contours([surface]).layout.annotations[0].text


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (0.05864, "0.0586"), (5709.2, "5,710"), (-2.5, "−2.5"), (46881252, "4.69×10<sup>7</sup>")],
)
def test_numbers_of_any_size_are_short(value, told):
    assert number(value) == told


# What is not computed yet


def test_holes_where_nothing_is_computed_yet():
    half = make_surface(missing=[(0, 0), (2, 3), (4, 4)])
    flat = planes(loss_contours([half]))[0]
    assert flat.type == "heatmap" and np.isnan(np.array(flat.z)).sum() == 3 and not flat.hoverongaps
    assert "22 of 25 points" in loss_contours([half]).layout.annotations[0].text
    space = loss_surfaces([half])
    assert np.isnan(np.array(planes(space)[0].z)).sum() == 3
    (points,) = [trace for trace in space.data if trace.meta["kind"] == "points"]
    assert len(points.x) == 22 and (0.5, 0.0) not in set(zip(points.x, points.y, strict=True))
    np.testing.assert_allclose(points.z, np.log10(0.1 + points.x**2 + 2 * points.y**2))


@pytest.mark.parametrize("draw", [loss_contours, loss_surfaces])
def test_a_surface_without_a_point_is_empty(draw):
    nothing = make_surface(lambda x, y: math.nan)
    assert "0 of 25 points" in draw([nothing]).layout.annotations[0].text


# The path, and the net


def test_the_path_lies_on_the_surface_with_its_ends_marked():
    tilted = make_surface(lambda x, y: 5 + 2 * x + y, path=[(0, -0.75, 0.3), (50, 0.1, 0.3), (100, 0.0, 0.0)])
    figure = loss_surfaces([tilted], scale="linear")
    path, ends, names = (t for t in figure.data if t.meta["kind"] in ("path", "ends"))
    expected = np.array([5 - 1.5 + 0.3, 5 + 0.2 + 0.3, 5])  # bilinear is exact on a tilted plane
    np.testing.assert_allclose(path.z, expected + LIFT * 8)
    assert list(path.customdata) == [0, 50, 100] and list(names.text) == ["start", "end"]
    assert list(ends.x) == [-0.75, 0.0] and list(ends.y) == [0.3, 0.0]
    flat = loss_contours([tilted])
    (line,) = [t for t in flat.data if t.meta["kind"] == "path" and t.mode == "lines+markers"]
    assert list(line.x) == [-0.75, 0.1, 0.0] and not [t for t in flat.data if t.meta["kind"] == "net"]


def test_between_points_that_are_missing_or_outside_there_is_nothing():
    holed = make_surface(missing=[(2, 3)])
    at = between(holed, losses(holed), np.array([0.25, -0.75, 1.1, 1.0]), np.array([0.25, -0.75, 0.0, 1.0]))
    assert np.isnan(at).tolist() == [True, False, True, False] and at[3] == pytest.approx(3.1)


def test_without_a_path_the_net_is_marked():
    (mark,) = [trace for trace in loss_contours([RESIDUAL]).data if trace.meta["kind"] == "net"]
    assert (list(mark.x), list(mark.y)) == ([0], [0])
    mark, _ = [trace for trace in loss_surfaces([RESIDUAL], scale="linear").data if trace.meta["kind"] == "net"]
    assert mark.z[0] == pytest.approx(0.1 + LIFT * 3.1)


# Lines


def test_places_are_marked_by_name():
    places = {"seed 0": (0.0, 0.0), "seed 1": (0.5, -0.5)}
    flat, space = (draw([RESIDUAL], scale="linear", places=places) for draw in (loss_contours, loss_surfaces))
    for figure in (flat, space):
        drawn = [t for t in figure.data if t.meta["kind"] == "places"]
        marks, names = drawn[0], drawn[-1]  # one trace on contours, two in space
        assert (list(names.text), list(marks.x), list(marks.y)) == (list(places), [0, 0.5], [0, -0.5])
        assert not [trace for trace in figure.data if trace.meta["kind"] == "net"]
    np.testing.assert_allclose(marks.z, np.array([0.1, 0.85]) + LIFT * 3.1)


def line(name: str, directions: str = "a random direction", loss=lambda x, y: 1 + x**2):
    return make_surface(loss, name, line=True, directions=directions)


def test_lines_have_a_panel_for_each_direction_and_the_nets_colours():
    lines = [line(name, kind) for kind in ("raw", "normalised") for name in ("plain-56", "plain-56, weights × 4")]
    figure = loss_profile([*lines, line("mine", "raw")], data="CIFAR-10")
    drawn = {(t.meta["net"], t.meta["directions"], t.meta["what"]): t for t in figure.data}
    assert len(drawn) == 10 and [note.text for note in figure.layout.annotations] == ["raw", "normalised"]
    net, variant = (drawn[name, "raw", "loss"].line for name in ("plain-56", "plain-56, weights × 4"))
    assert net.color == net_colour(RunConfig(depth=56, shortcut="none")) != variant.color
    assert (net.dash, variant.dash, drawn["mine", "raw", "loss"].line.dash) == ("solid", "dash", "solid")
    np.testing.assert_allclose(drawn["mine", "raw", "error"].y, [20, 12.5, 10, 12.5, 20])
    assert sum(trace.showlegend for trace in figure.data) == 3
    assert "500 training pictures of CIFAR-10; loss on a logarithmic scale" in figure.layout.title.text
    assert figure.layout.yaxis.type == "log" and figure.layout.yaxis3.type != "log"


# What is refused


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: loss_contours([]), "no surface to draw"),
        (lambda: loss_surfaces([line("plain-20")]), "plain-20 is a line; draw it with loss_profile"),
        (lambda: loss_contours(BOTH, what="lss"), "what='lss' is not possible; allowed: loss, error"),
        (lambda: loss_contours(BOTH, scale="cubic"), "scale='cubic' is not possible; allowed: linear, log"),
        (lambda: loss_contours(BOTH, top=0), "top=0 is not possible; allowed: a number above 0"),
        (lambda: loss_profile([]), "no line to draw"),
        (lambda: loss_profile([PLAIN]), "plain-20 is a plane; draw it with loss_contours"),
        (lambda: loss_profile([line("plain-20")], scale="cubic"), "scale='cubic'"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(call, told):
    with pytest.raises(ValueError, match=told):
        call()

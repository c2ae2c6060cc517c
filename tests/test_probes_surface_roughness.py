"""Roughness of surfaces that are known: bowls, saddles, waves."""

import math

import numpy as np
import pytest

import reslab
from reslab.probes import result
from reslab.probes.surface import Surface
from reslab.probes.surface.roughness import STANDARD, Roughness, measured, rough


def made(loss, points=11, **fields):
    axis = tuple(np.linspace(-1, 1, points).tolist())
    rows = tuple(tuple(float(loss(x, y)) for x in axis) for y in axis)
    return Surface("known", axis, axis, rows, rows, 1, "train", "known", **fields)


def test_a_convex_quadratic_is_not_rough_at_all():
    found = rough(made(lambda x, y: 0.2 + 0.1 * x + 0.3 * x * x + 0.2 * x * y + 0.4 * y * y), 10)
    assert found.roughness < 1e-12 and found.negative == 0


def test_a_saddle_is_a_quadratic_that_curves_downwards_everywhere():
    found = rough(made(lambda x, y: 1 + x * y), 10)
    assert found.roughness < 1e-12 and found.negative == 1


def test_a_wave_is_all_that_a_quadratic_leaves_over():
    found = rough(made(lambda x, y: 1 + 0.1 * math.sin(2 * math.pi * 3 * x + 0.3), 61), 10)
    assert found.roughness > 0.95
    assert found.negative == pytest.approx(0.5, abs=0.05)  # it curves downwards in half of the plane


def test_the_residual_is_numpys_and_scale_does_not_matter():
    def loss(x, y):
        return 0.3 + x * x + 0.2 * math.sin(7 * x + 3 * y)

    surface = made(loss)
    x, y = (axis.ravel() for axis in np.meshgrid(surface.x, surface.y))
    z = np.array(surface.loss).ravel()
    terms = np.stack([x**i * y**j for i in range(3) for j in range(3 - i)], 1)
    _, (squares,), *_ = np.linalg.lstsq(terms, z, rcond=None)
    expected = math.sqrt(squares / ((z - z.mean()) ** 2).sum())
    assert rough(surface, 10).roughness == pytest.approx(expected)
    third = rough(made(lambda x, y: loss(x, y) / 3), 10)
    assert third.roughness == pytest.approx(expected) and third.negative == rough(surface, 10).negative


def test_above_the_uniform_guess_losses_are_alike_for_the_residual():
    low = made(lambda x, y: 3 * (x * x + y * y))
    high = made(lambda x, y: 3 * (x * x + y * y) if 3 * (x * x + y * y) < math.log(10) else math.inf)
    assert rough(low, 10).roughness == rough(high, 10).roughness > 0


def test_rounding_is_no_curvature():
    noise = np.random.default_rng(0).standard_normal((11, 11))
    flat = made(lambda x, y: 2 * (1 + 1e-6 * noise[round(5 * x) + 5, round(5 * y) + 5]))
    assert rough(flat, 10).negative == 0


def test_a_surface_with_missing_points_or_a_line_is_refused():
    with pytest.raises(ValueError, match="has 120 of 11x11 points"):
        rough(made(lambda x, y: math.nan if x == y == 1 else 1.0), 10)
    whole = made(lambda x, y: 1.0)
    line = Surface("a line", whole.x, (0.0,), whole.loss[:1], whole.loss[:1], 1, "train", "known")
    with pytest.raises(ValueError, match="3x3 at least"):
        rough(line, 10)


def test_the_standard_roughness_of_a_run_is_kept(tmp_path, monkeypatch):
    for name, value in (("points", 3), ("images", 20)):
        monkeypatch.setitem(STANDARD, name, value)
    run = reslab.train(reslab.RunConfig(depth=8, profile="smoke"), tmp_path)
    found = measured(run)
    assert isinstance(found, Roughness) and 0 <= found.roughness <= 1 and 0 <= found.negative <= 1
    assert result(run, "roughness", STANDARD) == dict(roughness=found.roughness, negative=found.negative)
    assert len(list((run.path / "surface").iterdir())) == len(STANDARD["seeds"])
    assert measured(run) == found

"""One net with many weights: against eager nets with loaded weights."""

import math

import pytest
import torch

import reslab
from reslab.fast import conv, fold
from reslab.probes import subject
from reslab.probes.surface import Evaluator, plane_through, project, random_plane
from reslab.probes.surface.evaluator import NAMES
from reslab.probes.surface.weights import vector
from reslab.threads import torch_threads

from .surfaces import eager


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    store = tmp_path_factory.mktemp("runs")
    return [reslab.train(reslab.RunConfig(depth=8, profile="smoke", seed=seed), store) for seed in range(3)]


@pytest.fixture
def run(runs):
    return runs[0]


@pytest.mark.parametrize(("wanted", "tolerance"), [("fp32", 1e-5), ("bf16", 2e-2)])
def test_losses_are_the_eager_nets(run, wanted, tolerance):
    seen = subject(run, images=100)
    plane = random_plane(seen.net)
    with Evaluator(seen.net, seen.images, seen.labels, wanted) as evaluator:
        points = [(0.0, 0.0), (0.1, 0.2), (-0.5, 0.3), (1.0, -1.0), (0.0, 0.0)]
        found = evaluator.evaluate(plane, points)
    for (loss, error), at in zip(found, points, strict=True):
        expected = eager(seen.net, plane.at(*at), seen.images, seen.labels)
        assert loss == pytest.approx(expected[0], rel=tolerance)
        assert error == pytest.approx(expected[1], abs=1e-4 if wanted == "fp32" else 3)
    assert found[0] == found[-1]


def test_what_bf16_is_computed_in_is_what_the_cpu_has(run, monkeypatch):
    seen, found = subject(run, images=50), []
    for wanted, have in (("fp32", torch.float32), ("bf16", conv.reduced()), ("bf16", torch.float32)):
        monkeypatch.setattr(fold, "reduced", lambda have=have: have)
        with Evaluator(seen.net, seen.images, seen.labels, wanted) as evaluate:
            assert evaluate.computed_in == NAMES[have]
            found.append(evaluate(vector(seen.net)))
    assert found[0] == found[2]


def test_without_kernels_and_without_bf16_torch_computes_in_float32(run, monkeypatch):
    monkeypatch.setattr(fold, "_can_build", lambda: False)
    monkeypatch.setattr(fold, "multiplies_bf16", lambda device: False)
    seen = subject(run, images=50)
    with Evaluator(seen.net, seen.images, seen.labels, "bf16") as evaluate:
        assert evaluate.computed_in == "fp32"
        expected = eager(seen.net, vector(seen.net), seen.images, seen.labels)
        assert evaluate(vector(seen.net))[0] == pytest.approx(expected[0], rel=1e-5)


def test_running_statistics_move_with_a_plane_through_nets_and_variances_stay_positive(run, runs):
    seen = subject(run, images=50)
    plane = plane_through(seen.net, [other.net() for other in runs[1:]])
    with Evaluator(seen.net, seen.images, seen.labels, "fp32") as evaluate:
        for other in runs[1:]:
            place = project(plane, vector(seen.net, other.weights()))
            expected = eager(seen.net, vector(seen.net, other.weights()), seen.images, seen.labels)
            assert evaluate(plane.at(*place))[0] == pytest.approx(expected[0], rel=1e-4)
        assert math.isfinite(evaluate(plane.at(-200.0, 300.0))[0])


def test_a_loss_beyond_float32_is_infinite(run):
    seen = subject(run, images=20)
    with Evaluator(seen.net, seen.images, seen.labels, "fp32") as evaluate:
        assert evaluate(random_plane(seen.net).at(1e30, 0.0))[0] == math.inf


def test_the_net_that_is_looked_at_stays_as_it_was(run):
    seen = subject(run, images=20)
    before = vector(seen.net).clone()
    with Evaluator(seen.net, seen.images, seen.labels) as evaluate:
        evaluate(random_plane(seen.net).at(1.0, 1.0))
    assert torch.equal(vector(seen.net), before) and all(p.requires_grad for p in seen.net.parameters())


def test_threads_stay_the_callers_and_change_no_bit(run):
    seen, found = subject(run, images=50), []
    plane = random_plane(seen.net)
    for threads in (1, 3):
        with torch_threads(threads), Evaluator(seen.net, seen.images, seen.labels) as evaluate:
            found.append([evaluate(plane.at(x, 0.2)) for x in (0.0, 0.4)])
            assert torch.get_num_threads() == threads
    assert found[0] == found[1]

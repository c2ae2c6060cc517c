"""Directions, planes, and the surfaces of runs: against their definitions, and eager nets with loaded weights."""

import copy
import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import reslab
from reslab import precision
from reslab.probes import subject
from reslab.probes.recorded import recorded_iterations, recorded_weights
from reslab.probes.surface import (
    Evaluator,
    Plan,
    plane_through,
    principal_plane,
    project,
    random_plane,
    read_surface,
    surface,
)
from reslab.probes.surface.computing import plane_of
from reslab.probes.surface.grid import FOLDER
from reslab.probes.surface.weights import are_weights, entries, put_on, vector
from reslab.threads import torch_threads
from reslab.training.recording import SPACING

SMOKE = dict(depth=8, profile="smoke")
SMALL = dict(points=3, images=40, precision="fp32")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(store):
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(SPACING, "weights", 3)  # iterations; it has 12
        return reslab.train(reslab.RunConfig(**SMOKE), store, record=("weights",))


@pytest.fixture(scope="module")
def others(store):
    return [reslab.train(reslab.RunConfig(**SMOKE, seed=seed), store) for seed in (1, 2)]


def state_at(net, point):
    """What load_state_dict takes, cut out of a vector by hand."""
    state, start = net.state_dict(), 0
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        state[name] = point[start : start + tensor.numel()].view(tensor.shape)
        start += tensor.numel()
    assert start == len(point)
    return state


@torch.no_grad()
def eager(net, point, images, labels):
    twin = copy.deepcopy(net)
    twin.load_state_dict(state_at(net, point))
    logits = twin.eval()(images)
    return F.cross_entropy(logits, labels).item(), 100 * (logits.argmax(1) != labels).float().mean().item()


# Directions


def test_each_filter_of_a_random_direction_has_the_norm_of_the_nets():
    net = reslab.cifar_net(8, "B", width=4)
    for bn in [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]:
        bn.weight.data.uniform_(0.5, 2)
    first, second = random_plane(net, seed=3).along
    for direction in (first, second):
        for name, tensor in state_at(net, direction).items():
            if name.endswith("num_batches_tracked"):
                continue
            if tensor.dim() < 2:  # Li et al.'s code: ignore="biasbn"
                assert not tensor.any(), name
                continue
            for mine, theirs in zip(tensor, net.state_dict()[name], strict=True):
                assert mine.norm().item() == pytest.approx(theirs.norm().item(), rel=1e-5), name
    # Gaussian before it was scaled: independent, and each with as much in one quarter of a filter as in the next.
    filters = state_at(net, first)["stage3.block1.conv2.weight"].flatten(1)
    shares = (filters.square() / filters.square().sum(1, keepdim=True)).view(16, 4, -1).sum(2).mean(0)
    assert (shares - 0.25).abs().max() < 0.05
    assert abs(F.cosine_similarity(first, second, 0)) < 0.05


def test_the_seed_is_all_that_a_direction_depends_on():
    net = reslab.cifar_net(8, width=4)
    once, again = random_plane(net, 1), random_plane(copy.deepcopy(net), 1)
    assert all(torch.equal(a, b) for a, b in zip(once.along, again.along, strict=True))
    assert torch.equal(random_plane(net, 1, dimensions=1).along[0], once.along[0])
    assert not torch.equal(random_plane(net, 2).along[0], once.along[0])


# Planes


def test_a_vector_is_the_nets_state_and_moves_it():
    net = reslab.cifar_net(8, "B", width=4)
    twin = copy.deepcopy(net)
    flat = put_on(twin)
    assert torch.equal(flat, vector(net))
    assert sum(entry.weight * entry.shape.numel() for entry in entries(net)) == are_weights(net).sum().item()
    assert are_weights(net).sum().item() == sum(p.numel() for p in net.parameters())
    flat.copy_(torch.arange(len(flat)))
    for name, tensor in state_at(net, torch.arange(len(flat)).float()).items():
        assert torch.equal(twin.state_dict()[name], tensor), name


def test_a_plane_goes_through_its_three_nets():
    nets = [reslab.cifar_net(8, width=4, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    for net in nets:
        net.stem.bn.running_mean.normal_(generator=torch.Generator().manual_seed(len(net.state_dict())))
    plane = plane_through(nets[0], [nets[1], nets[2].state_dict()])
    weights = are_weights(nets[0])
    x, y = (direction[weights].double() for direction in plane.along)
    torch.testing.assert_close(
        torch.stack([x @ x, y @ y, x @ y]), torch.tensor([1.0, 1, 0]).double(), rtol=0, atol=1e-6
    )
    places = [project(plane, vector(net)) for net in nets]
    assert places[0] == (0, 0) and abs(places[1][1]) < 1e-5 and places[1][0] > 0
    distance = (vector(nets[1]) - vector(nets[0]))[weights].norm().item()
    assert places[1][0] == pytest.approx(distance, rel=1e-6)
    for net, place in zip(nets, places, strict=True):  # running statistics too
        torch.testing.assert_close(plane.at(*place), vector(net), rtol=0, atol=1e-5)


def test_the_coordinates_of_a_point_are_found_again_although_random_directions_are_not_at_right_angles():
    plane = random_plane(reslab.cifar_net(8, width=4))
    assert project(plane, plane.at(0.3, -0.7)) == pytest.approx((0.3, -0.7), abs=1e-6)
    line = random_plane(reslab.cifar_net(8, width=4), dimensions=1)
    assert project(line, line.at(0.5)) == pytest.approx((0.5, 0), abs=1e-6)


def test_nets_on_a_line_or_of_another_kind_make_no_plane():
    net, other = reslab.cifar_net(8, width=4), reslab.cifar_net(8, width=4)
    middle = {
        name: (a + b) / 2 for (name, a), b in zip(net.state_dict().items(), other.state_dict().values(), strict=True)
    }
    with pytest.raises(ValueError, match="one line"):
        plane_through(net, [other, middle])
    with pytest.raises(ValueError, match="give two more, not 1"):
        plane_through(net, [other])
    with pytest.raises(ValueError, match=r"not alike: stem\.conv\.weight differs"):
        plane_through(net, [other, reslab.cifar_net(8, width=8)])


def test_the_principal_plane_is_numpys():
    net = reslab.cifar_net(8, width=4)
    end, generator = vector(net), torch.Generator().manual_seed(0)
    steps = torch.randn(5, len(end), generator=generator) * torch.tensor([9.0, 4, 2, 1, 0.5])[:, None]
    path = {10 * i: state_at(net, end + step) for i, step in enumerate(steps)}
    plane = principal_plane(net, path)
    weights = are_weights(net)
    matrix = (torch.stack([end + step for step in steps]) - end)[:, weights].double().numpy()
    _, sizes, components = np.linalg.svd(matrix - matrix.mean(0), full_matrices=False)
    for mine, theirs in zip(plane.along, components, strict=False):
        assert abs(mine[weights].double().numpy() @ theirs) == pytest.approx(1, abs=1e-5)
    assert plane.share == pytest.approx((sizes[:2] ** 2).sum() / (sizes**2).sum(), rel=1e-6)
    assert torch.equal(plane.at(0, 0), end)
    centred = torch.tensor(matrix - matrix.mean(0))
    for along in plane.along:  # of the two directions that would do, the same one everywhere
        places = centred @ along[weights].double()
        assert places[places.abs().argmax()] > 0
    for i, step in enumerate(steps):
        expected = [step[weights].double().numpy() @ d[weights].double().numpy() for d in plane.along]
        assert project(plane, vector(net, path[10 * i])) == pytest.approx(expected, rel=1e-4, abs=1e-4)


# Evaluation


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


def test_a_quadratic_in_the_weights_is_one_on_a_plane(run):
    """Half of w . (c * w) has, along a direction, the slope w . (c * d) and the curvature d . (c * d)."""
    plane = random_plane(run.net(), seed=3)
    scale = torch.rand(len(plane.origin), generator=torch.Generator().manual_seed(0)).double()
    w, (d, e) = plane.origin.double(), (direction.double() for direction in plane.along)
    loss = lambda at: 0.5 * (at.double() * scale * at.double()).sum().item()  # noqa: E731
    for x, y in ((0.0, 0.0), (1.0, 0.0), (-0.5, 0.25), (2.0, -3.0)):
        slopes = x * w @ (scale * d) + y * w @ (scale * e)
        curvatures = 0.5 * x * x * d @ (scale * d) + x * y * d @ (scale * e) + 0.5 * y * y * e @ (scale * e)
        assert loss(plane.at(x, y)) == pytest.approx(loss(w) + (slopes + curvatures).item(), rel=1e-5)


def test_without_bf16_the_evaluator_computes_in_float32(run, monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bf16", lambda device: False)
    seen = subject(run, images=50)
    found = []
    for wanted in ("fp32", "bf16"):
        with Evaluator(seen.net, seen.images, seen.labels, wanted) as evaluate:
            found.append(evaluate(vector(seen.net)))
    assert found[0] == found[1]


def test_all_who_share_a_grid_compute_it_in_what_the_first_had(run, monkeypatch):
    """Whose device had no bfloat16, so that it is float32; or had it, and then others must."""
    bf16, fp32 = (Plan(points=3, images=30, seed=5, precision=name) for name in ("bf16", "fp32"))
    folder = run.path / FOLDER / bf16.name
    monkeypatch.setattr(precision, "multiplies_bf16", lambda device: False)
    surface(run, bf16)
    for file in folder.glob("results.json"):  # all is to be computed again
        file.unlink()
    monkeypatch.setattr(precision, "multiplies_bf16", lambda device: True)
    assert json.loads((folder / "grid.json").read_text())["computed_in"] == "fp32"
    assert surface(run, bf16).loss == surface(run, fp32).loss

    (folder / "results.json").unlink()
    (folder / "grid.json").unlink()
    surface(run, bf16)
    (folder / "results.json").unlink()
    monkeypatch.setattr(precision, "multiplies_bf16", lambda device: False)
    with pytest.raises(ValueError, match=r"was begun in bf16, which this device does not have; .* precision='fp32'"):
        surface(run, bf16)


def test_running_statistics_move_with_a_plane_through_nets_and_variances_stay_positive(run, others):
    seen = subject(run, images=50)
    plane = plane_through(seen.net, [other.net() for other in others])
    with Evaluator(seen.net, seen.images, seen.labels, "fp32") as evaluate:
        for other in others:
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


# Surfaces of runs


def test_a_surface_is_that_of_eager_evaluation_and_is_kept(run):
    told = []
    found = surface(run, **SMALL, seed=5, report=lambda *what: told.append(what))
    seen = subject(run, images=40, split="train")
    plane = random_plane(seen.net, 5)
    assert found.x == found.y == (-1.0, 0.0, 1.0)
    for j, y in enumerate(found.y):
        for i, x in enumerate(found.x):
            expected = eager(seen.net, plane.at(x, y), seen.images, seen.labels)
            assert (found.loss[j][i], found.error[j][i]) == pytest.approx(expected, rel=1e-5)
    assert (found.name, found.images, found.split, found.path) == (seen.name, 40, "train", ())
    assert found.directions == "two random directions, filter-normalised, seed 5"
    assert told[-1] == (9, 9, "")
    assert surface(run, **SMALL, seed=5) == read_surface(run, **SMALL, seed=5) == found
    assert read_surface(run, **SMALL, seed=6) is None


def test_a_line(run):
    found = surface(run, **SMALL, dimensions=1, span=0.5)
    assert (found.x, found.y, len(found.loss)) == ((-0.5, 0.0, 0.5), (0.0,), 1)
    whole = surface(run, **SMALL, span=0.5)
    assert found.loss[0] == whole.loss[1]  # the same first direction


def test_interrupted_it_is_the_undisturbed_one_bit_for_bit(run, tmp_path):
    def stop(done, total, note):
        if done == 4:
            raise KeyboardInterrupt

    plan = Plan(**SMALL, seed=7)
    with pytest.raises(KeyboardInterrupt):
        surface(run, plan, report=stop)
    assert read_surface(run, plan).done == 4
    found = surface(run, plan)
    fresh = reslab.train(run.config, tmp_path)
    assert surface(fresh, plan) == found


def test_the_path_of_training_lies_on_its_principal_plane(run):
    found = surface(run, **SMALL, plane="path")
    assert [point.iteration for point in found.path] == recorded_iterations(run)
    assert (found.path[-1].x, found.path[-1].y) == pytest.approx((0, 0), abs=1e-5)  # where training ended
    for axis, places in ((found.x, [p.x for p in found.path]), (found.y, [p.y for p in found.path])):
        size = max(places) - min(places)
        assert axis[0] == pytest.approx(min(places) - size / 4) and axis[-1] == pytest.approx(max(places) + size / 4)
    assert "principal components" in found.directions


def test_the_plane_through_three_runs(run, others):
    found = surface(run, **SMALL, plane=",".join(other.id for other in others))
    assert all(each.id in found.directions for each in (run, *others))
    assert found.x[0] < 0 < found.x[-1] and found.done == 9


def test_the_plane_through_three_checkpoints_of_one_run(run):
    middle = recorded_iterations(run)[1]
    found = surface(run, **SMALL, plane=f"0,{middle}")
    assert f"iteration 0, iteration {middle}" in found.directions and found.done == 9
    plane = plane_of(run, Plan(**SMALL, plane=f"0,{middle}"))
    origin, state = vector(run.net()).double(), {i: recorded_weights(run, i) for i in recorded_iterations(run)}
    corners = [project(plane, vector(run.net(), weights)) for weights in (state[0], state[middle], run.weights())]
    assert corners[0][0] > 0 == round(corners[0][1], 5) and corners[1][1] != 0 and corners[2] == (0, 0)
    for weights, at in zip((state[0], state[middle]), corners, strict=False):
        assert plane.at(*at) == pytest.approx(vector(run.net(), weights), abs=1e-5)  # it goes through them
    assert [point.iteration for point in found.path] == recorded_iterations(run)
    along = np.stack([direction.numpy()[plane.weights.numpy()] for direction in plane.along]).T
    for point in found.path:  # training's path, projected: least squares
        away = (vector(run.net(), state[point.iteration]).double() - origin).numpy()[plane.weights.numpy()]
        assert (point.x, point.y) == pytest.approx(np.linalg.lstsq(along, away, rcond=None)[0], abs=1e-4)
    for x, y in (*corners, *((point.x, point.y) for point in found.path)):
        assert found.x[0] < x < found.x[-1] and found.y[0] < y < found.y[-1]
    with pytest.raises(ValueError, match=r"at=5: .* did not record its weights then; it has those of 0, "):
        surface(run, **SMALL, plane="0,5")


def test_the_surface_of_a_net_before_training(tmp_path, run):
    new = reslab.RunStore(tmp_path).create(run.config)  # nothing is trained
    found = surface(new, **SMALL, at="initial")
    seen = subject(new, "initial", SMALL["images"], "train")
    net = copy.deepcopy(seen.net).train()  # with the statistics of these images, as nothing else is known
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(net(seen.images), seen.labels).item()
    assert found.loss[1][1] == pytest.approx(loss, rel=1e-2)  # running variances have n - 1 in their denominator
    assert "not trained" in found.name
    assert Plan(at="initial").name != Plan().name


def test_the_surface_around_a_recorded_iteration(run):
    middle = recorded_iterations(run)[1]
    found = surface(run, **SMALL, at=middle)
    assert f"iteration {middle}" in found.name and found.done == 9
    with pytest.raises(ValueError, match="at='best' is not possible"):
        surface(run, **SMALL, at="best")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (dict(points=1), "points=1 is not possible; allowed: 2 or more"),
        (dict(span=0), "span=0 is not"),
        (dict(images=0), "images=0 is not"),
        (dict(split="all"), "allowed: train, test"),
        (dict(dimensions=3), "allowed: 1, 2"),
        (dict(precision="int8"), "allowed: fp32, bf16"),
        (dict(plane="a,b,c"), "allowed: random, path, or two runs"),
        (dict(plane="path", dimensions=1), "has two dimensions"),
    ],
)
def test_plans_that_are_not_possible(wrong, says):
    with pytest.raises(ValueError, match=says):
        Plan(**wrong)


def test_runs_that_are_not_done_or_recorded_nothing(tmp_path, others):
    with pytest.raises(ValueError, match="0 recorded iterations make no plane, which takes 3"):
        surface(others[0], **SMALL, plane="path")
    new = reslab.RunStore(tmp_path).create(reslab.RunConfig(**SMOKE))
    with pytest.raises(ValueError, match="is new"):
        surface(new, **SMALL)
    assert not (new.path / FOLDER).exists()

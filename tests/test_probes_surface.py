"""The surfaces of runs, against eager nets with loaded weights."""

import copy
import json

import numpy as np
import pytest
import torch

import reslab
from reslab.fast import conv, fold
from reslab.probes import subject
from reslab.probes.recorded import recorded_iterations, recorded_weights
from reslab.probes.surface import Plan, project, random_plane, read_surface, surface
from reslab.probes.surface.computing import plane_of
from reslab.probes.surface.grid import FOLDER, Grid
from reslab.probes.surface.weights import vector
from reslab.training.recording import SPACING

from .processes import wait_until
from .surfaces import eager, start

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


def test_all_who_share_a_grid_compute_it_in_what_the_first_had(run, monkeypatch):
    """Whose CPU had no narrower products, so that it is float32; or had them, and then others must."""
    bf16, fp32 = (Plan(points=3, images=30, seed=5, precision=name) for name in ("bf16", "fp32"))
    folder, had = run.path / FOLDER / bf16.name, conv.reduced()
    monkeypatch.setattr(fold, "reduced", lambda: torch.float32)
    surface(run, bf16)
    for file in folder.glob("results.json"):  # all is to be computed again
        file.unlink()
    monkeypatch.setattr(fold, "reduced", lambda: had)
    assert json.loads((folder / "grid.json").read_text())["computed_in"] == "fp32"
    assert surface(run, bf16).loss == surface(run, fp32).loss

    (folder / "results.json").unlink()
    begun = json.loads((folder / "grid.json").read_text())
    for other in ("bf16", "int16"):
        monkeypatch.setattr(fold, "reduced", lambda: torch.float32)
        (folder / "grid.json").write_text(json.dumps(begun | dict(computed_in=other)))
        with pytest.raises(ValueError, match=f"was begun in {other}, which this device does not have; .*='fp32'"):
            surface(run, bf16)


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


def test_computed_by_two_processes_it_is_the_same_bit_for_bit(run, tmp_path):
    plan = SMALL | dict(points=7, seed=11)  # five tiles
    processes = [start(run, **plan) for _ in range(2)]
    folder = run.path / FOLDER / Plan(**plan).name
    try:
        wait_until((folder / "grid.json").exists)
        wait_until(lambda: len({tile.worker for tile in Grid(folder).look()[1]} - {None}) == 2)  # each is at one
        for process in processes:
            process.join(120)
            assert process.exitcode == 0
    finally:
        for process in processes:
            process.kill()
    found = read_surface(run, **plan)
    assert found.done == 49
    assert surface(reslab.train(run.config, tmp_path), **plan) == found


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

"""`reslab surface`, and `reslab bench --surface`."""

import json

import pytest
import torch
from typer.testing import CliRunner

import reslab
from reslab.bench import surface as bench
from reslab.cli import app
from reslab.fast.conv import reduced
from reslab.probes.surface import read_surface
from reslab.probes.surface.evaluator import NAMES
from reslab.threads import torch_threads


def command(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        reslab.train(reslab.RunConfig(depth=8, profile="smoke", seed=seed), folder)
    return folder


def test_surfaces_are_computed_kept_and_written(store, tmp_path):
    files = ("--json", tmp_path / "new" / "s.json", "--figure", tmp_path / "new" / "s.html")
    done = command("surface", "s0", "s1", "--points", 3, "--images", 20, "--store", store, *files)
    assert done.exit_code == 0, done.output
    runs = [reslab.RunStore(store).find(seed=seed)[0] for seed in (0, 1)]
    written = json.loads((tmp_path / "new" / "s.json").read_text())
    for run, each in zip(runs, written, strict=True):
        found = read_surface(run, points=3, images=20)
        assert each["run"] == run.id and each["loss"] == [list(row) for row in found.loss]
        assert f"{found.loss[1][1]:.4g}" in done.stdout
    assert '"type":"surface"' in (tmp_path / "new" / "s.html").read_text()


def test_a_line_has_a_figure_of_its_own(store, tmp_path):
    options = ("--points", 3, "--images", 20, "--dimensions", 1, "--store", store, "--figure", tmp_path / "line.html")
    done = command("surface", "s0", *options)
    assert done.exit_code == 0, done.output
    page = (tmp_path / "line.html").read_text()
    assert '"type":"surface"' not in page and '"type":"scatter"' in page


def test_the_plane_through_runs_that_are_named_by_parts_of_their_ids(store):
    done = command("surface", "s0", "--points", 2, "--images", 20, "--plane", "s1,s2", "--store", store)
    assert done.exit_code == 0, done.output
    ids = [reslab.RunStore(store).find(seed=seed)[0].id for seed in (1, 2)]
    assert read_surface(reslab.RunStore(store).find(seed=0)[0], points=2, images=20, plane=",".join(ids)).done == 4


def test_the_loss_that_is_told_is_that_of_the_point_nearest_to_the_net(store):
    done = command("surface", "s0", "--points", 4, "--images", 20, "--plane", "s1,s2", "--store", store)
    assert done.exit_code == 0, done.output
    ids = [reslab.RunStore(store).find(seed=seed)[0].id for seed in (1, 2)]
    found = read_surface(reslab.RunStore(store).find(seed=0)[0], points=4, images=20, plane=",".join(ids))
    points = [(x * x + y * y, found.loss[j][i]) for j, y in enumerate(found.y) for i, x in enumerate(found.x)]
    nearest = min(points)[1]
    (line,) = [line for line in done.stdout.splitlines() if " 16 " in line]
    assert nearest != found.loss[2][2] and f"{nearest:.4g}" == line.split("16", 1)[1].split()[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("s0", "--points", 1), "points=1 is not possible"),
        (("s0", "--plane", "path"), "recorded iterations"),
        (("nothing",), "there is no run 'nothing'"),
        (("s0", "--plane", "s1,s7"), "there is no run 's7'"),
    ],
)
def test_what_cannot_be_is_a_sentence(store, arguments, says):
    done = command("surface", *arguments, "--store", store)
    assert done.exit_code == 2 and says in done.stderr and "Traceback" not in done.output


def test_the_benchmark_times_the_same_points_for_all(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "DEPTH", 8)
    monkeypatch.setattr(bench, "IMAGES", 40)
    ours, theirs, seen = bench.Evaluator.__call__, bench.Obvious.__call__, set()
    for cls, call in ((bench.Evaluator, ours), (bench.Obvious, theirs)):
        counted = lambda *a, call=call: (seen.add(torch.get_num_threads()), call(*a))[1]  # noqa: E731
        monkeypatch.setattr(cls, "__call__", counted)
    with torch_threads(2):
        result = bench.measure_surface(lambda *_: None, rounds=2, images=40)
    assert seen == {2}  # everyone has the same threads
    ways = {row["way"]: row for row in result["rows"]}
    fast, exact = f"reslab, {NAMES[reduced()]}", "reslab, fp32"
    assert list(ways) == [*dict.fromkeys([fast, exact]), bench.WORKERS, bench.NO_WORKERS]
    assert ways[fast]["ratio"] == 1 and ways[bench.NO_WORKERS]["difference"] == 0
    assert ways[exact]["difference"] < 1e-5 and ways[fast]["difference"] < 2e-2
    assert result["grid"] == 625 * ways[fast]["seconds"]
    monkeypatch.setattr(bench, "measure_surface", lambda report: result)
    done = command("bench", "--surface", "--json", tmp_path / "b.json")
    assert done.exit_code == 0 and f"25 x 25 points ({fast})" in done.stdout and bench.WORKERS in done.stdout
    assert json.loads((tmp_path / "b.json").read_text()) == json.loads(json.dumps(result))
    refused = command("bench", "--surface", "--device", "cpu")
    assert refused.exit_code == 2 and "leave out --device" in refused.stderr

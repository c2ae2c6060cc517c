"""Notebooks 05 and 06 under plain papermill, and what they wrote read back."""

import json
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch

from reslab import RunConfig, RunStore, train
from reslab.probes import recorded_iterations, result, subject
from reslab.probes.recorded import recorded_weights
from reslab.probes.surface import Plan, Surface, read_surface
from reslab.runs import Run

from .executed import NOTEBOOKS, figure, numbers, outputs, papermill


def test_inside(tmp_path):
    small = dict(shallow=8, deep=14, images=60, draws=2)
    notebook = papermill("05_inside.ipynb", tmp_path, "-y", json.dumps(small))
    store = RunStore(tmp_path / "runs")
    runs = {("plain" if r.config.shortcut == "none" else "ResNet") + f"-{r.config.depth}": r for r in store}
    assert set(runs) == {"plain-8", "plain-14", "ResNet-8", "ResNet-14"} and all(r.state == "done" for r in store)

    def traces(cell: str, **meta: str) -> dict[str, list]:
        drawn = figure(notebook, cell)["data"]
        return {trace["meta"]["net"]: trace for trace in drawn if meta.items() <= trace.get("meta", {}).items()}

    layers = {name: len(numbers(trace["y"])) for name, trace in traces("responses").items()}
    assert layers == {"plain-8": 7, "plain-14": 13, "ResNet-8": 7, "ResNet-14": 13}
    assert set(traces("norm")) == {
        f"{net}, no BN, {rule}" for net in ("plain-14", "ResNet-14") for rule in ("He's rule", "half of it")
    }
    assert set(traces("history")) == {"plain-14", "ResNet-14"} and set(runs) < set(traces("shattering"))
    assert set(traces("paths", what="share")) == {"ResNet-8", "ResNet-14"}

    page = outputs(notebook, "lesions")[0]["data"]["text/html"]
    told = re.findall(r"<b>([\w-]+)</b><[^>]*reslab-lesion-now[^>]*>([\d.]+) %<", page)
    assert [name for name, _ in told] == 3 * ["plain-14", "ResNet-14"] and page.count(', deleted">') == 2 * (1 + 4)
    shown = subject(runs["ResNet-14"], images=60)
    error = 100 * (shown.net(shown.images).argmax(1) != shown.labels).float().mean().item()
    assert told[1] == ("ResNet-14", f"{error:.1f}")
    for name, bars in traces("bars", kind="single").items():
        kept = result(runs[name], "lesions", dict(images=1000, split="test"))
        assert numbers(bars["y"]) == [block["error"] for block in kept["blocks"]]
        table = outputs(notebook, "end")[0]["data"]["text/markdown"]
        (row,) = [line for line in table.splitlines() if line.startswith(f"| {name} ")]
        assert f"| {kept['error']:.3g} |" in row and f"| {max(numbers(bars['y'])):.3g} |" in row
    assert numbers(traces("curves", kind="mean", graph="deleted")["plain-14"]["x"]) == [0, 1, 2, 4]
    assert numbers(traces("curves", kind="mean", graph="order")["plain-14"]["x"])[0] == 1
    assert len(outputs(notebook, "history")) == 1  # the figure alone
    assert "widgets" not in notebook.metadata and len(nbformat.writes(notebook)) < 300_000


def test_inside_looks_into_the_runs_that_it_is_given(tmp_path):
    runs = [train(RunConfig(depth=8, profile="smoke", seed=seed), tmp_path / "runs", device="cpu") for seed in (0, 1)]
    given = ("-y", json.dumps(dict(runs=[runs[0].id, runs[1].id[:-4]], images=40, draws=1)))
    notebook = papermill("05_inside.ipynb", tmp_path, *given)
    assert len(list(RunStore(tmp_path / "runs"))) == 2  # nothing else was trained
    assert {trace["meta"]["net"] for trace in figure(notebook, "bars")["data"]} == {
        "ResNet-8, seed 0",
        "ResNet-8, seed 1",
    }
    told = outputs(notebook, "history")[1]["data"]["text/markdown"]
    assert "Trained without recording: " in told and runs[0].id in told and "--record signals" in told

    command = [sys.executable, "-m", "papermill", str(NOTEBOOKS / "05_inside.ipynb"), str(tmp_path / "out.ipynb")]
    command += ["-y", json.dumps(dict(profile="smoke", store=str(tmp_path / "runs"), runs=["res9"]))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (
        done.returncode != 0
        and "there is no run 'res9' in" in done.stderr
        and "`reslab runs` lists them" in done.stderr
    )
    assert len(list(RunStore(tmp_path / "runs"))) == 2


def test_loss_surface(tmp_path):
    small = dict(shallow=8, deep=14, points=5, images=40)
    notebook = papermill("06_loss_surface.ipynb", tmp_path, "-y", json.dumps(small))
    store = RunStore(tmp_path / "runs")
    runs = {(r.config.shortcut, r.config.depth, r.config.seed): r for r in store}
    assert set(runs) == {(s, d, n) for s in ("none", "A") for d, n in ((8, 0), (8, 1), (8, 2), (14, 0))}
    assert all(run.state == "done" for run in runs.values())

    def figures(cell: str) -> list[dict]:
        kind = "application/vnd.plotly.v1+json"
        return [o["data"][kind] for o in outputs(notebook, cell) if kind in o.get("data", {})]

    def planes(drawn: dict) -> dict[str, np.ndarray]:
        return {t["meta"]["net"]: np.array(numbers(t["z"])) for t in drawn["data"] if t["meta"]["kind"] == "plane"}

    lines = {
        (t["meta"]["net"], t["meta"]["directions"]): numbers(t["y"]) for t in figure(notebook, "line")["data"][::2]
    }
    assert len(lines) == 4
    normalised = [values for (_, kind), values in lines.items() if "normalised" in kind]
    np.testing.assert_allclose(*normalised, rtol=2e-3)
    space, *flat = figures("grids")
    assert [set(planes(each)) for each in flat] == [{"plain-8", "ResNet-8"}, {"plain-14", "ResNet-14"}]
    for name, places in planes(space).items():  # the middle of each plane is the net itself
        shown = subject(runs["none" if name.startswith("plain") else "A", 8, 0], images=40, split="train")
        with torch.no_grad():
            loss = torch.nn.functional.cross_entropy(shown.net(shown.images), shown.labels).item()
        assert 10 ** places[12] == pytest.approx(loss, rel=1e-3), name
    plan = Plan(points=5, span=0.5, images=40)
    rows = outputs(notebook, "numbers")[0]["data"]["text/markdown"].splitlines()[2:]
    rough = [np.mean([_roughness(read_surface(runs["A", 8, seed], plan)) for seed in range(3)])]
    assert len(rows) == 4 and f"{rough[0]:.3g} ± " in rows[1] and rows[1].endswith("| 3 |") and "±" not in rows[2]
    assert outputs(notebook, "hessian")[0]["data"]["text/markdown"].count("-8 |") == 2
    _, flat = figures("path")
    ways = [t for t in flat["data"] if t["meta"]["kind"] == "path" and t["mode"] == "lines+markers"]
    for way, shortcut in zip(ways, ("none", "A"), strict=True):
        run = runs[shortcut, 8, 0]
        assert numbers(way["customdata"]) == recorded_iterations(run) and len(recorded_iterations(run)) > 2
        on_plane = np.array([numbers(way["x"]), numbers(way["y"])]).T
        np.testing.assert_allclose(_distances(on_plane), _distances(_principal(run)), rtol=1e-2, atol=1e-4)
    assert "of its variance" in json.dumps(flat["layout"])
    (marks,) = [trace for trace in figure(notebook, "three")["data"] if trace["meta"]["kind"] == "places"]
    assert marks["text"] == ["seed 0", "seed 1", "seed 2"]
    ends = [torch.cat([p.flatten() for p in runs["A", 8, seed].net().parameters()]) for seed in range(3)]
    places = np.array([numbers(marks["x"]), numbers(marks["y"])]).T
    for i, j in ((0, 1), (0, 2), (1, 2)):  # distances on the plane are those of the weights
        assert np.linalg.norm(places[i] - places[j]) == pytest.approx((ends[i] - ends[j]).norm().item(), rel=1e-3)
    end = outputs(notebook, "end")[0]["data"]["text/markdown"]
    assert f"roughness {rough[0]:.2g}" in end and "where guessing has 2.3" in end
    assert "widgets" not in notebook.metadata and len(nbformat.writes(notebook)) < 300_000


def _principal(run: Run) -> np.ndarray:
    """The recorded weights [records, 2] on their first two principal components, by numpy's singular values."""
    names = [name for name, _ in run.net().named_parameters()]
    states = [recorded_weights(run, iteration) for iteration in recorded_iterations(run)]
    weights = torch.stack([torch.cat([state[name].flatten() for name in names]) for state in states]).double().numpy()
    return weights @ np.linalg.svd(weights - weights.mean(0), full_matrices=False)[2][:2].T


def _distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def _roughness(surface: Surface) -> float:
    """What the best quadratic leaves over, with polynomials of numpy's own; 0 where all is worse than guessing."""
    x, y = np.meshgrid(surface.x, surface.y)
    z = np.minimum(np.array(surface.loss), np.log(10)).ravel()
    terms = np.polynomial.polynomial.polyvander2d(x.ravel(), y.ravel(), [2, 2])[:, [0, 1, 2, 3, 4, 6]]
    return float(np.std(z - terms @ np.linalg.pinv(terms) @ z) / np.std(z)) if np.std(z) else 0.0


def test_loss_surface_of_the_runs_that_it_is_given(tmp_path):
    configs = [RunConfig(depth=8, profile="smoke", seed=seed) for seed in (0, 1)]
    runs = [train(config, tmp_path / "runs", device="cpu") for config in configs]
    given = ("-y", json.dumps(dict(runs=[runs[0].id, runs[1].id[:-4]], points=3, images=20)))
    notebook = papermill("06_loss_surface.ipynb", tmp_path, *given)
    assert len(list(RunStore(tmp_path / "runs"))) == 2  # nothing else was trained
    (row,) = outputs(notebook, "numbers")[0]["data"]["text/markdown"].splitlines()[2:]
    assert row.startswith("| ResNet-8 |") and row.endswith("| 2 |")
    assert "A path takes three records of a run's weights" in outputs(notebook, "path")[0]["data"]["text/markdown"]
    assert "No net here has three seeds" in outputs(notebook, "three")[0]["data"]["text/markdown"]

    command = [sys.executable, "-m", "papermill", str(NOTEBOOKS / "06_loss_surface.ipynb"), str(tmp_path / "out.ipynb")]
    command += ["-y", json.dumps(dict(profile="smoke", store=str(tmp_path / "runs"), runs=["res9"]))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and "there is no run 'res9' in" in done.stderr

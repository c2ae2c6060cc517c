"""Every notebook top to bottom under plain papermill, without our command line, and what it wrote read back."""

import base64
import json
import re
import subprocess
import sys
from html import escape
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from reslab import RunConfig, RunStore, cifar_net, train
from reslab.batch.sharing import as_experiment
from reslab.batch.spec import Experiment
from reslab.claims import CLAIMS, evaluate
from reslab.probes import recorded_iterations, result, subject
from reslab.probes.recorded import recorded_weights
from reslab.probes.surface import Plan, Surface, read_surface
from reslab.runs import Run
from tests.claims_fixtures import find, make_net

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def papermill(name: str, folder: Path, *parameters: str) -> nbformat.NotebookNode:
    """Runs the notebook as the README says one can, and returns the executed one. Fails with papermill's own words."""
    out = folder / name
    command = [sys.executable, "-m", "papermill", str(NOTEBOOKS / name), str(out), "--kernel", "python3"]
    command += ["-p", "profile", "smoke", "-p", "store", str(folder / "runs"), *parameters]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return nbformat.read(out, 4)


def outputs(notebook: nbformat.NotebookNode, cell: str) -> list:
    (found,) = [c for c in notebook.cells if c.id == cell]
    return found.outputs


def figure(notebook: nbformat.NotebookNode, cell: str) -> dict:
    (output,) = [o for o in outputs(notebook, cell) if "application/vnd.plotly.v1+json" in o.get("data", {})]
    return output["data"]["application/vnd.plotly.v1+json"]


def numbers(values: list | dict | None) -> list:
    """A trace's values, which plotly stores as a list or as base64 with a numpy dtype."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()
    return list(values or [])


def test_train(tmp_path):
    settings = ["-p", "depth", "8", "-p", "shortcut", "none", "-p", "seed", "3", "-y", "{record: [signals]}"]
    notebook = papermill("train.ipynb", tmp_path, *settings)
    (run,) = RunStore(tmp_path / "runs")
    assert run.config == RunConfig(depth=8, shortcut="none", profile="smoke", seed=3)
    assert run.state == "done" and run.column("iteration") == [3, 6, 9, 12]
    drawn = [numbers(trace.get("y")) for trace in figure(notebook, "curves")["data"]]
    assert (run.path / "signals.csv").exists() and not (run.path / "weights").exists()
    assert run.column("train_error") in drawn and run.column("test_error") in drawn
    assert f"{run.final['test_error']:.2f}" in outputs(notebook, "final")[0]["data"]["text/html"]
    assert len(nbformat.writes(notebook)) < 300_000


def test_train_with_a_shortcut_of_ones_own(tmp_path):
    plugin = tmp_path / "mine.py"
    text = (NOTEBOOKS.parent / "README.md").read_text()
    plugin.write_text(re.search(r"```python\n(from reslab.nets import.*?)```", text, re.S)[1])
    values = ("-p", "depth", "8", "-p", "shortcut", "half", "-y", f"{{plugins: ['{plugin}']}}")
    papermill("train.ipynb", tmp_path, *values, "-y", "{settings: {activation_order: full-preactivation}}")
    (run,) = RunStore(tmp_path / "runs")
    assert run.state == "done" and run.config.net_name == "res8-half-full-preactivation"


def test_degradation(tmp_path):
    notebook = papermill("01_degradation.ipynb", tmp_path, "-p", "seeds", "2")
    runs = list(RunStore(tmp_path / "runs"))
    nets = {(run.config.depth, run.config.shortcut, run.config.seed) for run in runs}
    assert nets == {(depth, shortcut, seed) for depth in (20, 56) for shortcut in ("none", "A") for seed in (0, 1)}
    assert {run.state for run in runs} == {"done"}
    final = {
        key: [r.final["train_error"] for r in runs if (r.config.depth, r.config.shortcut) == key]
        for key in ((20, "none"), (56, "none"))
    }
    gap = (sum(final[56, "none"]) - sum(final[20, "none"])) / 2
    assert f"{gap:+.1f}" in outputs(notebook, "gap")[0]["data"]["text/markdown"]
    lines = "".join(o["text"] for o in outputs(notebook, "nets")).splitlines()
    expected = {depth: sum(p.numel() for p in cifar_net(depth, "A", width=4).parameters()) for depth in (20, 56)}
    assert [line.split()[0] for line in lines] == ["plain20", "plain56", "res20", "res56"]
    assert [f"{expected[depth]:,}" in line for depth, line in zip((20, 56, 20, 56), lines, strict=True)] == [True] * 4
    assert figure(notebook, "curves")["data"] and figure(notebook, "overfit")["data"]
    assert len(nbformat.writes(notebook)) < 300_000


def test_study(tmp_path):
    study = tmp_path / "mine.yaml"
    study.write_text(
        "title: Mine\nquestion: Does it gate?\nnotebook: train.ipynb\nreport: study.ipynb\n"
        "claims: [shortcut-gating-0]\ngrid:\n  - {depth: 8, shortcut: [A, none]}\n"
        "  - {depth: 8, shortcut: shortcut-gating, gate_bias: [0, -6]}\n"
    )
    name, chosen = "study.ipynb", ("-p", "experiment", str(study), "-p", "seeds", "2", "-y", "{settings: {lr: 0.02}}")
    empty = papermill(name, tmp_path, *chosen)
    told = outputs(empty, "there")[0]["data"]["text/markdown"]
    assert "8 of 8 runs of profile `smoke` are not done" in told and "'lr=0.02'" not in told
    assert "with the `--store` that this notebook was given" in told
    assert f"reslab reproduce {study} --profile smoke --seeds 2 -p lr=0.02" in told
    assert not (tmp_path / "runs").exists() and "undecided" in outputs(empty, "verdicts")[0]["data"]["text/html"]

    command = told.split("```")[1].split()[1:]
    configs = Experiment.load(study).configs("smoke", 2, {"lr": 0.02})
    runs = [train(config, tmp_path / "runs", device="cpu") for config in configs]
    assert command[0] == "reproduce" and len(runs) == 8
    full = papermill(name, tmp_path, *chosen)
    assert "8 of 8 runs of profile `smoke` are done" in outputs(full, "there")[0]["data"]["text/markdown"]
    assert "Does it gate?" in outputs(full, "question")[0]["data"]["text/markdown"]
    drawn = {trace["meta"].get("net") for trace in figure(full, "curves")["data"]}
    gates = {f"ResNet-8 (shortcut-gating), bias {bias}" for bias in ("0", "−6")}
    assert {"plain-8", "ResNet-8", *gates} <= drawn and figure(full, "verdict-figure")["data"]
    finals = [run.final["test_error"] for run in runs if run.config.shortcut == "none"]
    assert f"{np.mean(finals):.2f} ± {np.std(finals, ddof=1):.2f}" in outputs(full, "numbers")[0]["data"]["text/html"]
    assert "8 of 8 runs" in outputs(full, "end")[0]["data"]["text/markdown"]
    assert len(nbformat.writes(full)) < 300_000


@pytest.mark.parametrize("setting", ["learning_rate: 0.1", "lr: -1"])
def test_a_wrong_setting_stops_the_notebook_before_anything_is_trained(tmp_path, setting):
    command = [sys.executable, "-m", "papermill", str(NOTEBOOKS / "train.ipynb"), str(tmp_path / "out.ipynb")]
    command += ["-y", f"{{profile: smoke, store: {tmp_path}/runs, settings: {{{setting}}}}}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and "ValueError" in done.stderr and setting.split(":")[0] in done.stderr
    assert not (tmp_path / "runs").exists()


def test_shortcut_explorer_is_a_report_without_a_front_end(tmp_path):
    for shortcut in ("none", "A", "exclusive-gating"):
        train(RunConfig(depth=8, shortcut=shortcut, profile="smoke"), tmp_path / "runs", device="cpu")
    notebook = papermill(
        "02_shortcut_explorer.ipynb", tmp_path, "-p", "depth", "8", "-p", "shortcut", "exclusive-gating"
    )
    (design,) = outputs(notebook, "design")
    page = design["data"]["text/html"]
    assert "<svg" in page and "ResNet-8 (exclusive-gating)" in page
    assert f"{sum(p.numel() for p in cifar_net(8, 'exclusive-gating', width=4).parameters()):,}" in page
    drawn = {trace["meta"].get("net") for trace in figure(notebook, "watch")["data"]}
    assert {"plain-8", "ResNet-8", "ResNet-8 (exclusive-gating)"} <= drawn
    assert "--shortcut exclusive-gating" in outputs(notebook, "take")[0]["data"]["text/html"]
    assert "widgets" not in notebook.metadata and len(nbformat.writes(notebook)) < 300_000
    assert not any(
        output["output_type"] in ("error", "stream") for cell in notebook.cells for output in cell.get("outputs", [])
    )


def test_residual_block(tmp_path):
    values = dict(shallow=8, deep=14, seeds=2, steps=60, pictures=48, outer=1024, inner=256)
    notebook = papermill("03_residual_block.ipynb", tmp_path, "-y", json.dumps(values))
    runs = list(RunStore(tmp_path / "runs"))
    assert {(run.config.shortcut, run.config.depth) for run in runs} == {(s, d) for s in ("none", "A") for d in (8, 14)}
    assert {run.state for run in runs} == {"done"}

    def title(cell: str) -> str:
        return figure(notebook, cell)["layout"]["title"]["text"]

    assert "F changes by 100 %: 51 times as much" in title("change") and "a factor of 16.94" in title("blocks")
    pages = "".join(o["data"].get("text/html", "") for cell in ("blocks", "drawings") for o in outputs(notebook, cell))
    assert pages.count("<svg") == 2 + 3 and "1×1 conv, 256" in pages and "stroke-dasharray" in pages
    factors = [row[1] for trace in figure(notebook, "sensitivity")["data"][:1] for row in trace["customdata"]]
    assert len(factors) == 6 and min(factors) > 1

    def cells(name: str) -> list[list[str]]:
        table = outputs(notebook, name)[0]["data"]["text/markdown"]
        return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]

    assert [row[1:] for row in cells("survival")] == [
        ["0", "25 %", "4 of 4", "50 %", "True"],
        [str(4 * 8 + 2 * 8), "25 %", "4 of 4", "0 %", "False"],
        [str(4 * 8 + 2 * 8), "25 %", "4 of 4", "50 %", "True"],
    ]
    shallow, by_hand, deep, same = cells("construction")
    assert shallow[1:] == by_hand[1:] and same[1:] == ["True", "True"]
    medians = {}
    for trace in figure(notebook, "lesson")["data"]:
        if (trace["meta"]["kind"], trace["meta"]["what"]) == ("median", "distance"):
            medians[trace["meta"]["shortcut"]] = numbers(trace["y"])
    assert [len(values) for values in medians.values()] == [60, 60] and medians["A"][-1] < medians["none"][-1]
    end = outputs(notebook, "end")[0]["data"]["text/markdown"]
    assert f"*F* is {min(factors):.1f} to {max(factors):.1f} times" in end and "a factor of 16.94" in end
    assert f"A plain-14 with {shallow[1]} error exists. SGD found {deep[1]}." in end
    assert "widgets" not in notebook.metadata and len(nbformat.writes(notebook)) < 300_000


def test_the_explorers_experiment_file_is_a_study(tmp_path):
    study = tmp_path / "mine.yaml"
    study.write_text(as_experiment(RunConfig(depth=8, shortcut="rezero", profile="smoke"), seeds=2))
    command = [sys.executable, "-m", "reslab", "reproduce", str(study), "--store", str(tmp_path / "runs")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = list(RunStore(tmp_path / "runs"))
    assert {(r.config.shortcut, r.config.seed) for r in runs} == {
        (s, n) for s in ("none", "A", "rezero") for n in (0, 1)
    }
    report = nbformat.read(tmp_path / "reports/mine-smoke.ipynb", 4)
    assert "n = 2" in json.dumps(figure(report, "watch")["layout"]["title"])
    assert (tmp_path / "reports/mine-smoke.html").exists()


def test_claims(tmp_path):
    for depth, errors in ((8, [12.0, 12.3, 12.9]), (14, [15.0, 15.3, 15.9])):
        plain = make_net(tmp_path / "runs", errors, depth=depth, shortcut="none")
        make_net(tmp_path / "runs", errors[:1], depth=depth)
        for run, gradient in zip(plain, errors, strict=True):
            find(run, "signals", [dict(gradient=gradient), dict(gradient=99.0)])
    notebook = papermill("09_claims.ipynb", tmp_path, "-p", "claim", "degradation-test", "-p", "links", "../runs")
    verdicts = evaluate(RunStore(tmp_path / "runs"))
    page = outputs(notebook, "ledger")[0]["data"]["text/html"]
    assert all(escape(claim.statement) in page for claim in CLAIMS.values()) and page.count('href="../runs/') >= 6
    rows = [finding for verdict in verdicts for finding in verdict.findings]
    assert len(rows) > 3 and len(figure(notebook, "picture")["data"]) == len(rows)
    assert "· decades ·" in figure(notebook, "picture")["layout"]["xaxis2"]["title"]["text"]
    seeds = outputs(notebook, "seeds")[0]["data"]["text/markdown"].splitlines()
    assert len(seeds) == 5 and "residual-gains-from-depth (against)" in seeds[2] and "residual" not in seeds[3]
    apart = outputs(notebook, "apart")[0]["data"]["text/markdown"]
    (found,) = [verdict for verdict in verdicts if verdict.claim.name == "degradation-test"]
    assert "Verdict: **supported**" in apart and str(found.findings[0]) in apart
    several = outputs(notebook, "several")[0]["data"]["text/markdown"]
    (row,) = [line for line in several.splitlines() if line.startswith("| degradation-test ")]
    (alone,) = evaluate(RunStore(tmp_path / "runs"), ["degradation-test"])
    low, high = (f"{end:+.2f}" for end in alone.interval)
    assert f"| [{low}, {high}] points supported |" in row and f"{found.held} supported" in row
    assert alone.interval[0] > found.interval[0]
    (row,) = [line for line in several.splitlines() if line.startswith("| gradients-healthy ")]
    assert row.count(" decades ") == 2
    end = outputs(notebook, "end")[0]["data"]["text/markdown"]
    assert "a look into 5 of these" in end and "4 to probe" in page
    assert "From 8 runs" in end and f"{sum(v.words == 'supported' for v in verdicts) - 2} supported" in end
    assert len(nbformat.writes(notebook)) < 300_000


def test_claims_without_a_run(tmp_path):
    notebook = papermill("09_claims.ipynb", tmp_path)
    told = re.sub(r"<[^>]+>", "", outputs(notebook, "ledger")[0]["data"]["text/html"])
    assert "No finished run of plain-20 and plain-56" in told
    assert "reslab train --depth 56 --shortcut none" in outputs(notebook, "apart")[0]["data"]["text/markdown"]
    assert "No difference to draw" in json.dumps(figure(notebook, "picture")["layout"])
    assert "no interval yet" in outputs(notebook, "several")[0]["data"]["text/markdown"]
    assert "nothing yet" in outputs(notebook, "end")[0]["data"]["text/markdown"]


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


def test_architectures(tmp_path):
    notebook = papermill("04_architectures.ipynb", tmp_path, "-p", "depth", "18", "-y", "{weights: none, size: 32}")
    words = {cell.id: "".join(str(output) for output in cell.get("outputs", [])) for cell in notebook.cells}
    (table,) = outputs(notebook, "table")
    assert "[1×1, 256; 3×3, 256; 1×1, 1024] × 23" in table["data"]["text/plain"]
    last = table["data"]["text/plain"].splitlines()[-1]
    assert re.findall(r"(\d+\.\d+) × 10⁹", last) == ["1.8", "3.6", "3.8", "7.6", "11.3"]
    assert all(f"= {depth}</h3>" in words["count"] for depth in (18, 34, 50, 101, 152))
    assert (
        "17 more blocks, all in conv4_x; 17 × 3 = 51 layers"
        in outputs(notebook, "differences")[0]["data"]["text/markdown"]
    )
    adds, weights, printed = (numbers(trace["x"]) for trace in figure(notebook, "bars")["data"])
    assert printed == [1.8, 1.8, 3.6, 3.6, 3.8, 7.6, 11.3, 15.3, 19.6] and len(adds) == 9
    theirs = [11_689_512, 21_797_672, 25_557_032, 44_549_160, 60_192_808]  # shared/FACTS.md, section 3
    assert [1e6 * weights[i] for i in (1, 3, 4, 5, 6)] == theirs
    assert all(words["costs"].count(f"{count:,}") >= 2 for count in theirs)
    assert f"{theirs[0] - 990 * 513:,}" in words["ten"] and "269,722" in words["ten"]
    figures = [output["data"]["application/vnd.plotly.v1+json"] for output in outputs(notebook, "passage")]
    assert len(figures) == 2
    assert all("512 maps of 7×7" in json.dumps(each["layout"], ensure_ascii=False) for each in figures)
    assert "A fresh ResNet-18 knows no classes" in words["naming"]
    drawn = figure(notebook, "timing")["data"]
    assert {trace["meta"]["mode"] for trace in drawn} == {"forward", "forward + backward"}
    assert "28.54 / 10.02" in words["errors"] and "21.43 / 5.71" in words["errors"]
    rows = outputs(notebook, "timing")[1]["data"]["text/markdown"].splitlines()[2:]
    times = {tuple(line.split(" | ")[:2]): float(line.split(" | ")[2].split(" ± ")[0]) for line in rows}
    assert len(times) == 12 and {net for net, _ in times} >= {"| plain-34", "| resnet-50", "| torchvision:resnet50"}
    end = outputs(notebook, "end")[0]["data"]["text/markdown"]
    shares = [f"{100 * part / whole:.0f}%" for part, whole in ((11.5136, 19.6321), (60.192808, 143.66724))]
    assert all(share in end for share in shares) and "8 times the layers" in end and "5 of 5 nets" in end
    ratio = times["| resnet-50", "forward"] / times["| resnet-34", "forward"]
    told = float(re.search(r"takes ([\d.]+) times a ResNet-34's time for 1.12 times", end)[1])
    assert told == pytest.approx(ratio, abs=0.06)  # of rounded numbers
    assert not any(o["output_type"] == "error" for cell in notebook.cells for o in cell.get("outputs", []))
    assert len(nbformat.writes(notebook)) < 300_000

"""Every notebook top to bottom under plain papermill, without our command line, and what it wrote read back."""

import json
import re
import subprocess
import sys
from html import escape

import nbformat
import numpy as np
import pytest

from reslab import RunConfig, RunStore, cifar_net, train
from reslab.batch.sharing import as_experiment
from reslab.batch.spec import Experiment
from reslab.claims import CLAIMS, evaluate
from tests.claims_fixtures import find, make_net

from .executed import NOTEBOOKS, figure, numbers, outputs, papermill


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

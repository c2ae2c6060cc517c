"""Notebook 07 under plain papermill, and what it wrote read back."""

import json
import re

import nbformat
import pytest

from reslab import RunConfig, RunStore, train
from reslab.detection.matching import trade
from reslab.detection.metrics import mean_average_precision
from reslab.lessons.detecting import look

from .executed import figure, numbers, outputs, papermill


def figures(notebook, cell: str) -> list[dict]:
    kind = "application/vnd.plotly.v1+json"
    return [output["data"][kind] for output in outputs(notebook, cell) if kind in output.get("data", {})]


def rows(notebook, cell: str) -> list[list[str]]:
    table = outputs(notebook, cell)[-1]["data"]["text/markdown"]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def test_detection(tmp_path):
    notebook = papermill("07_detection.ipynb", tmp_path, "-p", "pictures", "12")
    store = RunStore(tmp_path / "runs")
    runs = {("plain" if r.config.shortcut == "none" else "ResNet") + f"-{r.config.depth}": r for r in store}
    assert set(runs) == {"plain-18", "ResNet-18"} and all(r.state == "done" for r in store)

    assert "91 convolutions" in outputs(notebook, "split")[0]["data"]["text/html"]
    for depth, (shared, own) in {"50": (40, 9), "101": (91, 9), "152": (142, 9)}.items():
        (row,) = [row for row in rows(notebook, "split") if row[0] == f"ResNet-{depth}"]
        assert row[1:] == [str(shared), str(own), "14×14×1,024", "2,048"]
    once, often = (numbers(trace["x"]) for trace in figure(notebook, "cost")["data"])
    assert all(b / a > 2 for a, b in zip(once, often, strict=True))

    for what in ("map50", "map", "train_loss", "test_loss"):
        drawn = {t["meta"]["net"]: t for t in figure(notebook, "curves")["data"] if t["meta"]["what"] == what}
        for name, run in runs.items():
            assert numbers(drawn[name]["y"]) == pytest.approx(run.column(what))
            assert numbers(drawn[name]["x"]) == run.column("iteration")

    seen = look(list(runs.values()), 12)
    low, high, trades = figures(notebook, "found")
    assert len(low["layout"]["images"]) == len(high["layout"]["images"]) == 8
    for shown, score in ((low, 0.2), (high, 0.8)):
        for name, run in runs.items():
            right, wrong, missed = trade(seen.found[run.config][:4], seen.targets[:4]).at(score)
            assert f"<b>{name}</b>: {right} right, {wrong} wrong, {missed} missed" in str(shown["layout"])
    assert "at a score of 0.50" in trades["layout"]["title"]["text"]
    objects = len(seen.targets[seen.fullest]["labels"])
    assert json.dumps(figure(notebook, "proposals")["layout"]).count(f"of {objects} covered") == 6
    maps = figure(notebook, "roi")
    assert "14×14" in maps["layout"]["title"]["text"] and len(maps["layout"]["images"]) == 1 + min(3, objects) + 1
    told = figure(notebook, "classes")["layout"]["title"]["text"]
    for name, run in runs.items():
        measured = mean_average_precision([each._asdict() for each in seen.found[run.config]], seen.targets)
        assert float(re.search(rf"{name} ([\d.]+)", told)[1]) == pytest.approx(measured["map50"], abs=0.051)

    printed, ours = rows(notebook, "table")[:4], rows(notebook, "table")[4:]
    assert [row[4] for row in printed] == ["73.2 → 76.4", "70.4 → 73.8", "41.5 → 48.4", "21.2 → 27.2"]
    finals = [f"{runs[name].final['map50']:.1f}" for name in ("plain-18", "ResNet-18")]
    assert ours[0][0] == "plain-18 (n = 1) → ResNet-18 (n = 1)" and ours[0][4] == " → ".join(finals)
    end = outputs(notebook, "end")[0]["data"]["text/markdown"]
    assert f"plain-18, seed 0: mAP@.5 {finals[0]} %" in end and f"costs {often[3] / once[3]:.1f} times the 91" in end
    assert "widgets" not in notebook.metadata and len(nbformat.writes(notebook)) < 300_000


def test_detection_of_the_runs_that_it_is_given(tmp_path):
    configs = [RunConfig(task="detection", profile="smoke", seed=seed) for seed in (0, 1)]
    runs = [train(config, tmp_path / "runs", device="cpu") for config in configs]
    given = ("-y", json.dumps(dict(runs=[runs[0].id, runs[1].id[:-4]], pictures=3)))
    notebook = papermill("07_detection.ipynb", tmp_path, *given)
    assert len(list(RunStore(tmp_path / "runs"))) == 2  # nothing else was trained
    assert rows(notebook, "table")[4][0] == "ResNet-18 (n = 2)" and " ± " in rows(notebook, "table")[4][4]
    assert len(figures(notebook, "found")[0]["layout"]["images"]) == 3  # one net, of the first seed

"""train_task.ipynb, the unit that batch runs of detection and denoising execute."""

import nbformat
import pytest

from reslab import RunConfig, RunStore

from .executed import figure, numbers, outputs, papermill


@pytest.mark.parametrize(
    ("task", "settings", "measure"),
    [("denoising", dict(target="clean", sigma=[15, 15]), "psnr"), ("detection", dict(shortcut="none"), "map50")],
)
def test_train_task(tmp_path, task, settings, measure):
    notebook = papermill("train_task.ipynb", tmp_path, "-p", "task", task, "-y", f"{{settings: {settings}}}")
    (run,) = RunStore(tmp_path / "runs")
    assert run.config == RunConfig(task=task, profile="smoke", **settings) and run.state == "done"
    drawn = [numbers(trace.get("y")) for trace in figure(notebook, "curves")["data"]]
    assert run.column(measure) in drawn
    shown = figure(notebook, "images")
    pictures = shown["layout"].get("images", []) + [trace for trace in shown["data"] if trace["type"] == "image"]
    boxes = [trace for trace in shown["data"] if trace.get("meta", {}).get("kind") == "object"]
    assert pictures and bool(boxes) == (task == "detection")
    parts = "".join(output["text"] for output in outputs(notebook, "net"))
    assert f"{sum(p.numel() for p in run.net().parameters()):,}" in parts
    assert f"{run.final[measure]:.2f}" in outputs(notebook, "final")[0]["data"]["text/html"]
    assert len(nbformat.writes(notebook)) < 400_000

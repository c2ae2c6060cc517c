"""Notebook 08 under plain papermill, and what it wrote read back."""

import json
import re

import nbformat
import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from reslab import RunStore
from reslab.denoising.looking import classical_scores
from reslab.denoising.task import HELD_OUT, held_out
from reslab.training.sources import opened

from .executed import figure, numbers, outputs, papermill

NAMES = ("direct", "residual", "residual with shortcuts")


def test_denoising(tmp_path):
    small = dict(sigma=25, seeds=2, pictures=20, levels=[5, 25])
    notebook = papermill("08_denoising.ipynb", tmp_path, "-y", json.dumps(small))
    runs: dict[tuple, list] = {}
    for run in sorted(RunStore(tmp_path / "runs"), key=lambda run: run.config.seed):
        assert run.state == "done" and run.config.task == "denoising"
        runs.setdefault((run.config.target, run.config.shortcut, run.config.sigma), []).append(run)
    single = {
        NAMES[i]: runs.pop((*net, (25, 25)))
        for i, net in enumerate((("clean", "none"), ("noise", "none"), ("noise", "A")))
    }
    ranged = {
        name: runs.pop((target, "none", (0, 55))) for name, target in (("direct", "clean"), ("residual", "noise"))
    }
    assert not runs and all(
        [run.config.seed for run in group] == [0, 1] for group in [*single.values(), *ranged.values()]
    )

    def traces(cell: str, **meta: str) -> dict[str, dict]:
        drawn = figure(notebook, cell)["data"]
        return {trace["meta"]["net"]: trace for trace in drawn if meta.items() <= trace["meta"].items()}

    for measure in ("psnr", "ssim"):
        lines = traces("curves", kind="mean", what=measure)
        for name, group in single.items():
            values = np.array([run.column(measure) for run in group])
            np.testing.assert_allclose(numbers(lines[name]["y"]), values.mean(0))
            np.testing.assert_allclose(numbers(lines[name]["customdata"]), values.std(0, ddof=1))
    config = single["direct"][0].config
    told = classical_scores(config, [25], HELD_OUT)[25]
    assert set(numbers(traces("curves", kind="beside", what="psnr")["non-local means"]["y"])) == {told.psnr}
    assert "n = 2 seeds" in figure(notebook, "curves")["layout"]["title"]["text"]

    rows = outputs(notebook, "nets")[0]["data"]["text/markdown"].splitlines()[2:]
    cells = [row.strip("| ").split(" | ") for row in rows]
    assert [row[0] for row in cells] == list(NAMES) and all(row[4] == row[5] for row in cells)  # both losses are one
    assert len({row[1] for row in cells}) == 1 and len({row[4] for row in cells}) > 1

    ends = {name: np.array([run.final["psnr"] for run in group]) for name, group in single.items()}
    lead = ends["residual"] - ends["direct"]
    gaps = outputs(notebook, "gap")[0]["data"]["text/markdown"].splitlines()[2:]
    written = f"{lead.mean():+.2f} ± {lead.std(ddof=1):.2f} dB".replace("-", "−")
    assert gaps[0].startswith("| residual − direct |") and gaps[0].endswith(f"| {written} |")

    shown = figure(notebook, "taken")["data"]
    assert [tile["meta"]["name"] for tile in shown[:5]] == ["noisy", *NAMES, "non-local means"] and len(shown) == 15

    tried = traces("levels", kind="psnr")
    assert set(tried) == {
        *(f"{name}, σ = 25" for name in NAMES),
        *(f"{name}, σ 0–55" for name in ranged),
        "non-local means",
        "noisy picture",
    }
    with opened(config, "cpu") as source:
        clean, noisy = held_out(source, (25, 25), 20)
    with torch.inference_mode():
        found = [run.net()(noisy).clamp(0, 1) for run in ranged["residual"]]
    theirs = [
        np.mean([peak_signal_noise_ratio(a.numpy(), b.numpy(), data_range=1) for a, b in zip(clean, each, strict=True)])
        for each in found
    ]
    assert numbers(tried["residual, σ 0–55"]["y"])[1] == pytest.approx(np.mean(theirs), abs=1e-3)
    gains = traces("levels", kind="gain")
    end = outputs(notebook, "end")[0]["data"]["text/markdown"]
    for name in ranged:
        assert f"{name} {numbers(gains[f'{name}, σ 0–55']['y'])[0]:+.1f} dB" in end
    assert f"{'ahead of' if lead.mean() > 0 else 'behind'} painting the picture: {written}" in end
    assert (
        f"direct {ends['direct'].mean() - told.psnr:+.2f}, residual {ends['residual'].mean() - told.psnr:+.2f}" in end
    )

    figures = [o for o in outputs(notebook, "yours") if "application/vnd.plotly.v1+json" in o["data"]]
    titles = [o["data"]["application/vnd.plotly.v1+json"]["layout"]["title"]["text"] for o in figures]
    assert [re.search(r"σ = (\d+)", title)[1] for title in titles] == ["25", "10", "50"]
    assert "a slider for σ stands here" in outputs(notebook, "yours")[-1]["data"]["text/html"]
    assert "widgets" not in notebook.metadata and len(nbformat.writes(notebook)) < 300_000

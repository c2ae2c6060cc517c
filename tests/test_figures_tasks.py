"""What a run's task decides about its figures and tables."""

import pytest

from reslab import RunConfig, RunStore
from reslab.figures import run_curves, summary_table
from reslab.figures.nets import nets_of, overrides
from reslab.runs import COLUMNS

ROW = {name: kind(1) for name, kind in COLUMNS.items()}


def make_run(folder, own, **fields):
    """A finished run of these fields whose last log point has these numbers of its own."""
    run = RunStore(folder).create(RunConfig(profile="smoke", **fields))
    run.write_metrics([ROW | dict(iteration=run.config.iterations) | own])
    return run


def test_the_table_has_what_a_task_measures_with_its_spread(tmp_path):
    runs = [
        make_run(tmp_path, dict(psnr=psnr, ssim=0.9), task="denoising", seed=seed) for seed, psnr in enumerate((29, 31))
    ]
    (row,) = summary_table(runs)
    assert (row["net"], row["n"], row["psnr"]) == ("residual", 2, 30) and row["psnr_std"] == pytest.approx(2**0.5)
    assert "PSNR (dB)" in str(summary_table(runs)) and "30.00 ± 1.41" in str(summary_table(runs))
    assert "0.9000 ± 0.0000" in summary_table(runs).markdown() and "mAP" not in str(summary_table(runs))
    plain = make_run(tmp_path, {})
    assert "PSNR" not in str(summary_table([plain])) and set(summary_table([plain])[0]).isdisjoint({"psnr", "map"})
    both = summary_table([plain, *runs])
    assert len(both) == 2 and len({len(cells) for cells in both._cells()}) == 1  # a gap, not a shifted row


def test_curves_are_of_what_the_task_measures(tmp_path):
    detection = make_run(tmp_path, dict(map50=60.0, map=30.0), task="detection")
    denoising = make_run(tmp_path, dict(psnr=29.0, ssim=0.9), task="denoising")
    drawn = [[*trace.y] for trace in run_curves([detection]).data if trace.y is not None]
    assert [60.0] in drawn and [30.0] in drawn
    assert [29.0] in [[*trace.y] for trace in run_curves([denoising]).data if trace.y is not None]
    assert [1.0] in [[*trace.y] for trace in run_curves([make_run(tmp_path, {})]).data if trace.y is not None]
    with pytest.raises(ValueError, match="runs of denoising and detection have no common measure"):
        run_curves([detection, denoising])


def test_a_net_that_begins_at_published_weights_says_so(tmp_path):
    fields = dict(task="detection", shortcut="B", width=64, stem="imagenet")
    own = dict(map50=60.0, map=30.0)
    runs = [make_run(tmp_path, own, **fields, pretrained=weights) for weights in ("IMAGENET1K_V1", "none")]
    theirs, scratch = (overrides(run.config) for run in runs)
    assert theirs == dict(pretrained="IMAGENET1K_V1") and scratch == dict(width=64, stem="imagenet")
    assert sum("pretrained IMAGENET1K_V1" in net.label for net in nets_of(runs)) == 1

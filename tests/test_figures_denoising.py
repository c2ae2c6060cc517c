"""Figures of denoising against numbers computed here, and pictures against their pixels."""

import base64
import io

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from PIL import Image

from reslab import Run, RunConfig, RunStore
from reslab.figures import denoised_pictures, denoising_curves, net_colour, noise_levels
from reslab.lessons.denoising import Trial

DIRECT, RESIDUAL, BOTH = (
    RunConfig(task="denoising", target=target, shortcut=shortcut, sigma=[25])
    for target, shortcut in (("clean", "none"), ("noise", "none"), ("noise", "A"))
)
RANGE = RunConfig(task="denoising", target="noise", shortcut="none", sigma=(0, 55))
NAMES = ["direct", "residual", "residual with shortcuts"]


def make_run(store, config: RunConfig, seed: int = 0, share: float = 1.0, level: float = 28.0, **fields) -> Run:
    """A run folder with random measures, PSNR around `level`, at its first `share` of log points."""
    config = RunConfig.from_dict(config.to_dict() | dict(seed=seed) | fields)
    run = RunStore(store).create(config)
    random = np.random.default_rng([seed, config.target == "clean", config.sigma[0]])
    steps = list(range(config.log_every, config.iterations + 1, config.log_every))
    rows = [
        dict(
            iteration=step,
            epoch=1.0,
            lr=0.1,
            train_loss=0.1,
            train_error=5.0,
            test_loss=0.1,
            test_error=5.0,
            seconds=1.0 * step,
            images_per_second=1.0,
            psnr=level + random.normal(),
            ssim=0.8 + 0.01 * random.normal(),
        )
        for step in steps[: round(share * len(steps))]
    ]
    rows[0] |= dict(psnr=3.0, ssim=0.01)
    run.write_metrics(rows)
    return run


def traces(figure: go.Figure, **meta: str) -> list:
    return [trace for trace in figure.data if meta.items() <= trace.meta.items()]


def one(figure: go.Figure, **meta: str):
    (trace,) = traces(figure, **meta)
    return trace


# Over training


@pytest.mark.parametrize("measure", ["psnr", "ssim"])
def test_curves_are_means_over_seeds_with_a_band_of_one_std(tmp_path, measure):
    runs = [make_run(tmp_path, config, seed) for config in (BOTH, RESIDUAL, DIRECT) for seed in range(3)]
    figure = denoising_curves(runs)
    for name, its in zip(NAMES, (runs[6:], runs[3:6], runs[:3]), strict=True):
        values = np.array([run.column(measure) for run in its])
        mean, std = values.mean(0), values.std(0, ddof=1)
        line, band = (one(figure, net=name, what=measure, kind=kind) for kind in ("mean", "band"))
        np.testing.assert_allclose(line.y, mean)
        np.testing.assert_allclose(line.customdata, std)  # what the mouse shows behind ±
        assert list(line.x) == its[0].column("iteration") and line.line.color == net_colour(its[0].config)
        np.testing.assert_allclose(band.y, [*(mean + std), *(mean - std)[::-1]])
    assert [trace.name for trace in figure.data if trace.showlegend] == NAMES
    assert "n = 3 seeds, band: ± 1 std" in figure.layout.title.text


def test_one_seed_has_no_band_and_the_title_says_so(tmp_path):
    run = make_run(tmp_path, RESIDUAL)
    figure = denoising_curves([run])
    assert not traces(figure, kind="band") and "n = 1 seed ·" in figure.layout.title.text
    assert f"PSNR in dB at the end: residual: {run.final['psnr']:.2f}" in figure.layout.title.text
    assert "shapes, demo profile, σ = 25" in figure.layout.title.text


def test_a_run_on_its_way_is_a_thin_line_and_in_no_mean(tmp_path):
    done, young = make_run(tmp_path, RESIDUAL, 0), make_run(tmp_path, RESIDUAL, 1, share=0.5)
    figure = denoising_curves([done, young])
    assert list(one(figure, what="psnr", kind="mean").y) == done.column("psnr")
    assert list(one(figure, what="psnr", kind="seed").y) == young.column("psnr")
    assert "n = 1 seed · 1 of 2 runs not finished · PSNR in dB so far" in figure.layout.title.text


def test_what_is_not_trained_is_a_dashed_line_that_fits_the_axes(tmp_path):
    run = make_run(tmp_path, DIRECT, level=28.0)
    figure = denoising_curves([run], {"non-local means": dict(psnr=21.5, ssim=0.5)})
    line = one(figure, net="non-local means", what="psnr")
    assert list(line.y) == [21.5, 21.5] and list(line.x) == [0, run.config.iterations] and line.line.dash != "solid"
    low, high = figure.layout.yaxis.range
    assert 10 < low < 21.5 and max(run.column("psnr")) < high < 40  # the 3 dB of the first log point are cut


def test_nets_for_a_range_are_dashed_and_told_by_name(tmp_path):
    figure = denoising_curves([make_run(tmp_path, config) for config in (RANGE, RESIDUAL)])
    single, ranged = (trace for trace in figure.data if trace.showlegend)
    assert (single.name, ranged.name) == ("residual, σ = 25", "residual, σ 0–55")
    assert single.line.dash == "solid" and ranged.line.dash == "dash" and single.line.color == ranged.line.color
    assert "σ = 25," not in figure.layout.title.text.partition("<br>")[0]


def test_nets_that_differ_in_more_are_told_apart(tmp_path):
    figure = denoising_curves([make_run(tmp_path, RESIDUAL), make_run(tmp_path, RESIDUAL, lr=0.1)])
    drawn = [trace for trace in figure.data if trace.showlegend]
    assert len({trace.name for trace in drawn}) == 2 == len({trace.line.color for trace in drawn})
    assert any("lr 0.1" in trace.name for trace in drawn)


def test_other_tasks_have_no_place_here(tmp_path):
    figure = denoising_curves([RunStore(tmp_path).create(RunConfig(profile="smoke"))])
    assert not figure.data and "No log point yet" in figure.layout.annotations[0].text


# By the strength of the noise

NOISY = {5: 34.2, 25: 20.2, 50: 14.2}
SCORES = {
    RANGE: {5: [35.0, 36.0, 37.0], 25: [28.0, 29.0, 30.0], 50: [25.0, 25.5, 26.0]},
    DIRECT: {5: [30.0, 30.5, 31.0], 25: [28.0, 28.2, 28.4], 50: [17.0, 18.0, 19.0]},
    "non-local means": {5: [33.0], 25: [26.0], 50: [22.0]},
}


def test_levels_are_means_with_bars_and_what_they_gain_over_the_noisy_picture():
    figure = noise_levels(SCORES, NOISY)
    for name, levels in zip(("residual, σ 0–55", "direct, σ = 25"), SCORES.values(), strict=False):
        psnr, gain = (one(figure, net=name, kind=kind) for kind in ("psnr", "gain"))
        means = [np.mean(values) for values in levels.values()]
        np.testing.assert_allclose(psnr.y, means)
        np.testing.assert_allclose(gain.y, [mean - noisy for mean, noisy in zip(means, NOISY.values(), strict=True)])
        np.testing.assert_allclose(gain.error_y.array, [np.std(values, ddof=1) for values in levels.values()])
        assert list(gain.x) == [5, 25, 50] and (psnr.xaxis, gain.xaxis) == ("x", "x2")
    assert (
        "dB gained at σ = 5: direct, σ = 25: −3.7, residual, σ 0–55: +1.8, non-local means: −1.2"
        in figure.layout.title.text
    )
    assert "n = 3 seeds, bars: ± 1 std" in figure.layout.title.text


def test_a_method_without_seeds_has_no_bars_and_the_noisy_picture_gains_nothing():
    figure = noise_levels(SCORES, NOISY)
    assert one(figure, net="non-local means", kind="gain").error_y.array is None
    assert list(one(figure, net="noisy picture", kind="psnr").y) == list(NOISY.values())
    assert list(one(figure, net="noisy picture", kind="gain").y) == [0, 0, 0]
    assert {shape.x0 for shape in figure.layout.shapes} == {25}  # where a net was trained at one sigma
    alone = noise_levels({"non-local means": SCORES["non-local means"]}, NOISY)
    assert not alone.layout.shapes and len(alone.data) == 4


def test_without_scores_there_is_a_sentence():
    assert noise_levels({}, {}).layout.annotations[0].text.endswith(".")


# Pictures


@pytest.fixture
def found() -> Trial:
    clean = torch.linspace(0.2, 0.8, 3 * 4 * 6).view(3, 4, 6)  # noise keeps within 0 and 1
    noisy = clean + 25 / 255 * torch.where(torch.arange(6) % 2 > 0, 1.0, -1.0)
    return Trial(25, clean, noisy, {BOTH: clean.clone(), DIRECT: clean + 0.1, "non-local means": noisy.clone()})


def pixels(trace: go.Image) -> np.ndarray:
    """uint8 [H, W, 3]."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(trace.source.partition(",")[2]))))


def tiles(figure: go.Figure, row: int, columns: int = 4) -> list:
    return list(figure.data[row * columns : (row + 1) * columns])


def as_bytes(picture: torch.Tensor) -> np.ndarray:
    return np.round(255 * np.clip(picture.numpy(), 0, 1)).astype(np.uint8).transpose(1, 2, 0)


def test_what_comes_out_is_shown_pixel_by_pixel_with_its_psnr(found):
    shown = tiles(denoised_pictures(found), 0)
    assert [tile.meta["name"] for tile in shown] == ["noisy", "residual with shortcuts", "direct", "non-local means"]
    for tile, picture in zip(shown, (found.noisy, found.clean, found.clean + 0.1, found.noisy), strict=True):
        np.testing.assert_array_equal(pixels(tile), as_bytes(picture))
    psnr = 20 * np.log10(255 / 25)
    assert [tile.meta["told"] for tile in shown] == [f"{psnr:.2f} dB", "inf dB", "20.00 dB", f"{psnr:.2f} dB"]


def test_what_was_taken_away_is_grey_where_it_is_nothing(found):
    noise, residual, direct, nothing = tiles(denoised_pictures(found), 1)
    assert noise.meta["name"] == "the noise" and (pixels(nothing) == 128).all()
    np.testing.assert_array_equal(pixels(residual), pixels(noise))  # it took the noise, and nothing else
    expected = 0.5 + (found.noisy - found.clean) * 255 / (6 * 25)  # three standard deviations from grey to white
    np.testing.assert_allclose(pixels(noise), as_bytes(expected), atol=1)
    assert pixels(direct).mean() < pixels(noise).mean() and nothing.meta["told"] == "std 0.0"


def test_what_is_wrong_is_grey_where_it_is_right(found):
    clean, residual, direct, nothing = tiles(denoised_pictures(found), 2)
    np.testing.assert_array_equal(pixels(clean), as_bytes(found.clean))
    assert (pixels(residual) == 128).all() and (pixels(direct) == pixels(direct)[0, 0]).all()
    assert (direct.meta["told"], nothing.meta["told"]) == ("rms 25.5", "rms 25.0")


def test_rows_can_be_chosen_and_a_zoom_is_one_for_all(found):
    figure = denoised_pictures(found, ["noise"], "A ramp")
    assert len(figure.data) == 4 and figure.data[0].meta["name"] == "the noise"
    assert "A ramp with noise of σ = 25" in figure.layout.title.text and "6×4 pixels" in figure.layout.title.text
    axes = [figure.layout[f"xaxis{i or ''}"] for i in ("", 2, 3, 4)]
    assert {axis.matches for axis in axes} == {"x"}
    with pytest.raises(ValueError, match=r"rows=\['noises'\] are not possible; allowed: picture, noise, error"):
        denoised_pictures(found, ["noises"])


def test_two_colours_for_two_kinds_of_nets():
    kinds = [DIRECT, RESIDUAL, BOTH]
    assert len({net_colour(config) for config in kinds}) == 3


def test_large_pictures_are_kept_small():
    noise = torch.rand(3, 128, 192, generator=torch.Generator().manual_seed(0))
    figure = denoised_pictures(Trial(25, noise, noise, {DIRECT: noise}), ["picture"])
    assert figure.data[0].source.startswith("data:image/jpeg") and len(figure.to_json()) < 150_000

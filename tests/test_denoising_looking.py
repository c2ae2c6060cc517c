"""Denoisers looked at: one call for runs, nets and classical methods, on the same noisy pictures."""

import pytest
import torch

from reslab import RunConfig, RunStore, load_dataset, train
from reslab.data.tensors import TensorSource
from reslab.denoising.classical import NonLocalMeans
from reslab.denoising.looking import classical, classical_scores, denoised, scores, unchanged
from reslab.denoising.task import HELD_OUT, held_out

CONFIG = RunConfig(task="denoising", profile="smoke", precision="fp32")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(CONFIG, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def source():
    return TensorSource(load_dataset("shapes"), CONFIG.image_size, CONFIG.batch)


def test_a_run_and_its_net_denoise_alike(run):
    noisy = torch.rand(2, 3, 20, 14)
    found = denoised(run, noisy)
    assert torch.equal(found, denoised(run.net(), noisy))
    torch.testing.assert_close(found[1], denoised(run, noisy[1]))
    assert found.shape == noisy.shape and not found.requires_grad


def test_scores_are_those_of_the_log_point(run):
    found = scores(run, [25], pictures=HELD_OUT)[25]
    assert found.n == HELD_OUT
    assert (found.psnr, found.ssim) == (
        pytest.approx(run.final["psnr"], abs=1e-4),
        pytest.approx(run.final["ssim"], abs=1e-5),
    )


def test_a_picture_left_as_it_is_has_the_noises_psnr(run):
    found = scores(unchanged, [10, 50], run.config, pictures=50)
    assert list(found) == [10, 50]
    for sigma, score in found.items():  # cut off at 0 and 1, it comes a little nearer
        expected = -20 * torch.tensor(sigma / 255).log10().item()
        assert expected - 0.1 < score.psnr < expected + 1
    assert found[10].ssim > found[50].ssim


def test_classical_scores_are_of_settings_tuned_on_training_pictures(run, source):
    method = classical(CONFIG, 25)
    assert isinstance(method, NonLocalMeans)
    clean, noisy = held_out(source, (25, 25), 6)
    expected = -10 * (method(noisy, 25).clamp(0, 1) - clean).square().mean((1, 2, 3)).log10()
    found = classical_scores(CONFIG, [25], pictures=6)[25]
    assert found.psnr == pytest.approx(expected.mean().item(), abs=1e-4)
    assert found.psnr > scores(unchanged, [25], CONFIG, pictures=6)[25].psnr + 2


def test_what_cannot_be_scored_is_said(tmp_path, run):
    with pytest.raises(ValueError, match="scores are for runs of task='denoising'"):
        scores(unchanged, [25], RunConfig(profile="smoke"))
    other = RunStore(tmp_path).create(CONFIG)
    with pytest.raises(ValueError, match="is new: weights are there when it is done"):
        denoised(other, torch.rand(3, 12, 12))

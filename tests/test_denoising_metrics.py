"""PSNR against its formula, SSIM against scikit-image, and noise against the normal distribution."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.metrics import structural_similarity

from reslab.denoising.metrics import psnr, ssim
from reslab.denoising.noise import gaussian, gaussian_pictures, strengths


@pytest.fixture
def pictures():
    random = np.random.default_rng(0)
    clean = random.uniform(size=(3, 3, 24, 20))
    estimates = clean + np.array([0.02, 0.1, 0.4])[:, None, None, None] * random.normal(size=clean.shape)
    return estimates, clean


def tensors(arrays):
    return [torch.tensor(array, dtype=torch.float32) for array in arrays]


def test_psnr_is_its_formula_of_what_is_shown(pictures):
    estimates, clean = pictures
    shown = np.clip(estimates, 0, 1)
    expected = [-10 * math.log10(((a - b) ** 2).mean()) for a, b in zip(shown, clean, strict=True)]
    assert expected[2] > -10 * math.log10(((estimates - clean) ** 2).mean((1, 2, 3))[2]) + 1
    assert psnr(*tensors(pictures)).tolist() == pytest.approx(expected, rel=1e-5)


def test_psnr_by_hand():
    clean = torch.full((2, 3, 4, 4), 0.5)
    estimates = clean + torch.tensor([0.1, 0.01])[:, None, None, None]
    assert psnr(estimates, clean).tolist() == pytest.approx([20, 40], abs=1e-3)


def test_ssim_is_scikit_images(pictures):
    # scikit-image leaves out 5 pixels at the border; torchmetrics has them, with what lies beyond mirrored.
    room = ((0, 0), (0, 0), (5, 5), (5, 5))
    shown, clean = (np.pad(array, room, "reflect") for array in (np.clip(pictures[0], 0, 1), pictures[1]))
    options = dict(data_range=1, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    expected = [structural_similarity(one, other, **options) for one, other in zip(shown, clean, strict=True)]
    assert expected[0] > expected[1] > expected[2]
    assert ssim(*tensors(pictures)).tolist() == pytest.approx(expected, abs=1e-5)


def test_noise_is_normal_and_independent():
    values = gaussian(200_001, 3, 7).double().numpy()
    assert len(values) == 200_001
    assert stats.kstest(values, "norm").pvalue > 0.01
    assert abs(np.corrcoef(values[:100_000], values[100_001:])[0, 1]) < 4 / math.sqrt(100_000)
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 4 / math.sqrt(200_000)
    assert abs(np.corrcoef(values[:1000], gaussian(1000, 3, 8).numpy())[0, 1]) < 4 / math.sqrt(1000)


def test_noise_is_a_function_of_its_key():
    torch.manual_seed(0)
    first = gaussian_pictures((2, 3, 4, 5), 1, 2)
    torch.manual_seed(1)
    assert torch.equal(first, gaussian_pictures((2, 3, 4, 5), 1, 2))
    assert not torch.equal(first, gaussian_pictures((2, 3, 4, 5), 1, 3))
    assert first.shape == (2, 3, 4, 5) and first.is_contiguous(memory_format=torch.channels_last)


def test_strengths_fill_their_range():
    one = strengths(5, (25, 25), 1)
    assert one.shape == (5, 1, 1, 1) and one.flatten().tolist() == pytest.approx([25 / 255] * 5)
    many = strengths(20_000, (0, 55), 1).flatten().double().numpy() * 255
    assert stats.kstest(many / 55, "uniform").pvalue > 0.01

"""Non-local means: against its definition written out, and that it is tuned fairly."""

import numpy as np
import pytest
import torch

from reslab import load_dataset
from reslab.denoising.classical import PATCHES, PICTURES, STRENGTHS, NonLocalMeans, tuned
from reslab.denoising.metrics import psnr

SIGMA = 25


@pytest.fixture(scope="module")
def pictures():
    return load_dataset("shapes").train_images[:20]


def noisy(clean, seed=0):
    return clean + SIGMA / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


def by_definition(picture, patch, distance, h, std):
    """Buades et al. 2005, with a Gaussian over the patch, as scikit-image has it, in plain loops; one pixel inside."""
    height, width, channels = picture.shape
    reach = patch // 2
    spread = np.arange(-reach, reach + 1)
    window = np.exp(-(spread[:, None] ** 2 + spread**2) / (2 * ((patch - 1) / 4) ** 2))
    window /= window.sum() * channels * h * h
    padded = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), "reflect")
    row, column = height // 2, width // 2
    own = padded[row : row + patch, column : column + patch]
    total, weights = np.zeros(channels), 0.0
    for r in range(max(0, row - distance), min(height, row + distance + 1)):
        for c in range(max(0, column - distance), min(width, column + distance + 1)):
            other = padded[r : r + patch, c : c + patch]
            far = (window[:, :, None] * ((own - other) ** 2 - 2 * std**2)).sum()
            weight = np.exp(-max(far, 0.0))
            total += weight * picture[r, c]
            weights += weight
    return total / weights


def test_it_is_its_definition(pictures):
    picture = noisy(pictures[:1].float() / 255)[0]
    found = NonLocalMeans(5, 5, 0.8)(picture, SIGMA)
    std = SIGMA / 255
    expected = by_definition(picture.permute(1, 2, 0).double().numpy(), 5, 5, 0.8 * std, std)
    assert found[:, 16, 16].tolist() == pytest.approx(expected.tolist(), abs=2e-3)


def test_it_takes_one_picture_or_several(pictures):
    some = noisy(pictures[:2].float() / 255)
    together = NonLocalMeans()(some, SIGMA)
    assert together.shape == some.shape and together.dtype == torch.float32
    assert torch.equal(together[1], NonLocalMeans()(some[1], SIGMA))


def test_it_is_told_the_sigma(pictures):
    picture = noisy(pictures[:1].float() / 255)
    assert (NonLocalMeans()(picture, 5) - picture).std() < (NonLocalMeans()(picture, 25) - picture).std() / 2


def test_without_noise_there_is_nothing_to_do(pictures):
    some = pictures[:2].double() / 255
    found = NonLocalMeans()(some, 0)
    assert found.dtype == torch.float32 and torch.equal(found, some.float())


def test_tuned_settings_are_the_best_of_those_tried(pictures):
    best = tuned(pictures, SIGMA)
    assert best.patch in PATCHES and best.strength in STRENGTHS
    clean = pictures[:PICTURES].float() / 255
    levels = {
        method: psnr(method(noisy(clean, 1), SIGMA), clean).mean().item()
        for method in (best, NonLocalMeans(3, strength=0.6), NonLocalMeans(7, strength=1.4))
    }
    assert max(levels, key=levels.get) == best
    assert levels[best] > psnr(noisy(clean, 1), clean).mean().item() + 5

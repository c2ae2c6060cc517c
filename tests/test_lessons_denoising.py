"""Trials of denoising, with torchmetrics and numpy as oracles."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchmetrics.functional.image import peak_signal_noise_ratio

from reslab import RunConfig
from reslab.data.examples import cat
from reslab.lessons.denoising import Trial, fitted, mosaic, trial

NET = RunConfig(task="denoising")
CLEAN = torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(1))


class Halving(nn.Module):
    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        assert noisy.shape == (1, 3, 40, 60) and not torch.is_grad_enabled()
        return noisy / 2


def test_a_net_gets_the_noisy_picture_and_another_method_the_sigma_too():
    found = trial({NET: Halving(), "shift": lambda noisy, sigma: noisy + sigma}, CLEAN, 25)
    torch.testing.assert_close(found.estimates[NET], found.noisy / 2)
    torch.testing.assert_close(found.estimates["shift"], found.noisy + 25)


def test_the_noise_has_the_sigma_that_was_asked_for_and_one_pattern_a_seed():
    one, stronger, other = (trial({}, CLEAN, sigma, seed) for sigma, seed in ((10, 0), (50, 0), (10, 1)))
    assert 255 * (one.noisy - one.clean).std().item() == pytest.approx(10, rel=0.03)  # of 7,200 values
    torch.testing.assert_close(stronger.noisy - CLEAN, 5 * (one.noisy - CLEAN), rtol=1e-3, atol=1e-5)
    assert (other.noisy - one.noisy).abs().max() > 0.01
    assert torch.equal(trial({}, CLEAN, 0).noisy, CLEAN)


def test_psnr_is_that_of_torchmetrics():
    found = trial({NET: Halving()}, CLEAN, 25)
    for picture in (found.noisy, found.estimates[NET]):
        theirs = peak_signal_noise_ratio(picture, CLEAN, data_range=1.0).item()
        assert found.psnr(picture) == pytest.approx(theirs, abs=1e-4)
    assert math.isinf(Trial(0, CLEAN, CLEAN, {}).psnr(CLEAN))


def test_a_picture_is_made_smaller_but_never_larger():
    assert fitted(cat(), 192).shape == (3, 128, 192) and fitted(cat().rotate(90, expand=True), 192).shape == (
        3,
        192,
        128,
    )
    small = Image.fromarray(np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3))
    np.testing.assert_allclose(fitted(small), np.asarray(small).transpose(2, 0, 1) / 255)
    assert fitted(Image.new("L", (5, 5), 255), 192).eq(1).all()


def test_the_caller_keeps_his_picture():
    image = cat()
    fitted(image, 50)
    assert image.size == cat().size


def test_a_mosaic_has_its_pictures_in_reading_order_and_no_row_half_full():
    images = torch.arange(7, dtype=torch.uint8)[:, None, None, None].expand(7, 3, 2, 3)
    sheet = np.asarray(mosaic(images, columns=3))
    assert sheet.shape == (4, 9, 3)
    np.testing.assert_array_equal(sheet[::2, ::3, 0], [[0, 1, 2], [3, 4, 5]])

"""Trials of denoising, with scikit-image and numpy as oracles."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch import nn

from reslab import RunConfig
from reslab.data.examples import cat
from reslab.lessons.denoising import Gap, Trial, beginning, fitted, gap, mosaic, trial

from .test_figures_denoising import make_run

NET = RunConfig(task="denoising")
CLEAN = 0.3 + 0.4 * torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(1))  # noise keeps within 0 and 1


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
    found = trial({NET: Halving()}, CLEAN, 10)
    for picture in (found.noisy, found.estimates[NET]):
        theirs = peak_signal_noise_ratio(picture.numpy(), CLEAN.numpy(), data_range=1)
        assert found.psnr(picture) == pytest.approx(theirs, abs=1e-3)
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


@pytest.mark.parametrize("target", ["clean", "noise"])
def test_before_training_both_losses_are_one_number(target):
    config = RunConfig(task="denoising", profile="smoke", target=target)
    clean = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    found = beginning(config, clean, 25)
    assert found.picture_loss == pytest.approx(found.noise_loss, rel=1e-4)
    assert found.parameters == sum(p.numel() for p in config.make_net().parameters())
    assert found.target_std == pytest.approx(255 * clean.std().item() if target == "clean" else 25, rel=0.05)


def test_what_predicts_the_noise_begins_at_the_noisy_picture():
    clean = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    residual, direct = (beginning(RunConfig(task="denoising", target=t), clean, 25) for t in ("noise", "clean"))
    assert residual.psnr == pytest.approx(20 * math.log10(255 / 25), abs=0.7) and direct.psnr < 12  # grey
    assert residual.picture_loss == pytest.approx((25 / 255) ** 2, rel=0.3)


def test_the_gap_is_paired_by_seed_at_equal_iterations(tmp_path):
    configs = [RunConfig(task="denoising", target=target) for target in ("noise", "clean")]
    ours, theirs = ([make_run(tmp_path, config, seed) for seed in range(3)] for config in configs)
    found = gap(ours[::-1], theirs, 0.5)
    at = ours[0].column("iteration").index(found.iteration)
    assert found.iteration == 0.5 * ours[0].config.iterations
    expected = [a.column("psnr")[at] - b.column("psnr")[at] for a, b in zip(ours, theirs, strict=True)]
    assert found.differences == pytest.approx(expected) and found.mean == pytest.approx(np.mean(expected))
    assert gap(ours, theirs).iteration == ours[0].config.iterations
    with pytest.raises(ValueError, match=r"seeds \[0, 1\] cannot be compared with seeds \[0, 1, 2\]"):
        gap(ours[:2], theirs)


def test_a_gap_tells_its_spread_where_there_is_one():
    assert str(Gap(10, (0.5,))) == "+0.50 dB" and str(Gap(10, (-0.5,))) == "−0.50 dB"
    assert str(Gap(10, (1.0, 2.0, 3.0))) == "+2.00 ± 1.00 dB"

"""Denoising as a task: its batches, its loss and its measures by hand, and runs that stop and go on."""

import math
import os
import signal
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reslab import RunConfig, RunStore, load_dataset, train
from reslab.data.batches import resize
from reslab.data.tensors import TensorSource
from reslab.denoising.task import HELD_OUT, UNIT, Denoising, held_out
from reslab.runs import metrics
from reslab.training.processes import Processes
from reslab.training.schedule import learning_rate

from .processes import result, start, wait_until

CONFIG = RunConfig(task="denoising", profile="smoke", precision="fp32")
WHOLE = replace(CONFIG, patch=16)


@pytest.fixture(scope="module")
def data():
    return load_dataset("shapes")


def made(data, config=CONFIG, rank=0, count=1):
    return Denoising(config, data, "cpu", Processes(rank, count))


def test_a_batch_is_a_pure_function_of_seed_and_iteration(data):
    task = made(data)
    ninth = task.batch(9)
    torch.manual_seed(3)
    again = made(data).batch(9)
    assert all(torch.equal(a, b) for a, b in zip(ninth, again, strict=True))
    others = [task.batch(10), made(data, RunConfig.from_dict(CONFIG.to_dict() | dict(seed=1))).batch(9)]
    for other in others:
        assert not torch.equal(ninth[0] - ninth[1], other[0] - other[1])


def test_clean_pictures_are_the_data_sets_or_their_mirror_images(data):
    task = made(data, WHOLE)
    noisy, clean = task.batch(0)
    size, chosen = WHOLE.image_size, task.source.batches.indices(0)
    whole = resize(data.train_images, size)[chosen].float() / 255
    mirrored = 0
    for picture, original in zip(clean, whole, strict=True):
        mirrored += not torch.equal(picture, original)
        assert torch.equal(picture, original) or torch.equal(picture, original.flip(-1))
    assert 0 < mirrored < len(clean)
    assert clean.shape == noisy.shape == (CONFIG.batch, 3, size, size)
    assert clean.is_contiguous(memory_format=torch.channels_last)
    assert noisy.is_contiguous(memory_format=torch.channels_last)


def test_patches_are_squares_of_them_from_anywhere(data):
    task, found = made(data), set()
    assert CONFIG.patch == 8
    mirrored = 0
    for iteration in range(30):
        noisy, clean = task.batch(iteration)
        assert clean.shape == noisy.shape == (CONFIG.batch, 3, 8, 8)
        assert clean.is_contiguous(memory_format=torch.channels_last)
        whole = resize(data.train_images, 16)[task.source.batches.indices(iteration)].float() / 255
        for patch, picture in zip(clean, whole, strict=True):
            squares = picture.unfold(1, 8, 1).unfold(2, 8, 1).permute(1, 2, 0, 3, 4)
            as_is, flipped = ((squares == p).all(-1).all(-1).all(-1) for p in (patch, patch.flip(-1)))
            assert (as_is | flipped).any()
            mirrored += not as_is.any()
            found.add(tuple((as_is | flipped).nonzero()[0].tolist()))
    assert 90 < mirrored < 150  # of 240
    assert {top for top, _ in found} == {left for _, left in found} == set(range(9))


def test_a_patch_has_to_fit(data):
    with pytest.raises(ValueError, match=r"patch=17 is not possible; allowed: 8 to image_size=16, which is whole"):
        replace(CONFIG, patch=17)
    small = RunConfig(task="denoising", image_size=8)  # less than the profile's patch
    assert small.patch == 8 and made(data, replace(small, batch=4)).batch(0)[0].shape == (4, 3, 8, 8)


def test_noise_has_the_strength_asked_for(data):
    task = made(data)
    drawn = torch.cat([(noisy - clean).flatten() for noisy, clean in map(task.batch, range(20))])
    assert drawn.std().item() == pytest.approx(25 / 255, rel=0.02)
    assert abs(drawn.mean().item()) < 4 * 25 / 255 / math.sqrt(drawn.numel())


def test_of_a_range_each_picture_has_its_own_strength(data):
    config = RunConfig.from_dict(CONFIG.to_dict() | dict(sigma=(0, 55)))
    task = made(data, config)
    levels = torch.cat([(noisy - clean).flatten(1).std(1) for noisy, clean in map(task.batch, range(40))]) * 255
    assert levels.min() < 5 and 50 < levels.max() < 60
    assert levels.mean().item() == pytest.approx(27.5, abs=4 * 55 / math.sqrt(12 * len(levels)))
    steps = (task.noisy - task.clean).flatten(1).std(1) * 255
    expected = (torch.arange(HELD_OUT) + 0.5) / HELD_OUT * 55
    torch.testing.assert_close(steps, expected, rtol=0.15, atol=0)


def test_held_out_pictures_and_their_noise_are_those_of_every_run(data):
    task = made(data)
    expected = resize(data.test_images[:HELD_OUT], CONFIG.image_size).float() / 255
    assert torch.equal(task.clean, expected)
    other = made(data, RunConfig.from_dict(CONFIG.to_dict() | dict(seed=5, target="clean", batch=4)))
    assert torch.equal(task.noisy, other.noisy)
    more = held_out(task.source, CONFIG.sigma, 2 * HELD_OUT)[1]
    assert torch.equal(more[:HELD_OUT], task.noisy)  # a picture has its noise, however many there are


def test_of_a_val_split_what_was_held_out_is_looked_at(data):
    config = RunConfig.from_dict(CONFIG.to_dict() | dict(val_split=20))
    source = TensorSource(data, config.image_size, config.batch, config.seed, 20)
    assert torch.equal(made(data, config).clean, source.images.permute(0, 3, 1, 2).float() / 255)


def test_processes_share_batches_and_held_out_pictures(data):
    whole, parts = made(data), [made(data, rank=rank, count=2) for rank in range(2)]
    for index in range(2):
        assert torch.equal(torch.cat([part.batch(3)[index] for part in parts]), whole.batch(3)[index])
    seen = torch.cat([part.noisy for part in parts])
    assert len(seen) == HELD_OUT
    assert {picture.sum().item() for picture in seen} == {picture.sum().item() for picture in whole.noisy}


class Same(nn.Module):
    """Leaves pictures as they are."""

    def forward(self, noisy):
        return noisy


def test_the_loss_is_the_squared_error_in_its_unit(data):
    task = made(data)
    noisy, clean = task.batch(0)
    loss, error = task.loss(Same(), (noisy, clean))
    squared = ((noisy - clean).double() ** 2).mean().item()
    assert loss.item() == pytest.approx(squared / (UNIT / 255) ** 2, rel=1e-5)
    assert error.item() == pytest.approx(100 * math.sqrt(squared), rel=1e-5)


def test_measures_are_means_over_the_held_out_pictures(data):
    task = made(data)
    found = task.evaluate(Same())
    squared = ((task.noisy - task.clean).double() ** 2).mean((1, 2, 3))
    assert found["test_loss"] == pytest.approx(squared.mean().item() / (UNIT / 255) ** 2, rel=1e-5)
    assert found["test_error"] == pytest.approx(100 * squared.mean().sqrt().item(), rel=1e-5)
    shown = ((task.noisy.clamp(0, 1) - task.clean).double() ** 2).mean((1, 2, 3))
    assert found["psnr"] == pytest.approx((-10 * shown.log10()).mean().item(), rel=1e-5)
    assert 0 < found["ssim"] < 1
    assert set(found) == {"test_loss", "test_error", "psnr", "ssim"}


def test_both_targets_start_a_seed_with_the_same_weights(data):
    nets = [
        made(data, RunConfig.from_dict(CONFIG.to_dict() | dict(target=target))).make_net()
        for target in ("noise", "clean")
    ]
    assert all(torch.equal(a, b) for a, b in zip(*(net.parameters() for net in nets), strict=True))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(CONFIG, tmp_path_factory.mktemp("runs"))


def sgd(config, p, state, rate):
    velocity = state.setdefault("velocity", torch.zeros_like(p))
    velocity.mul_(0.9).add_(p.grad + config.weight_decay * p)
    p.sub_(rate * velocity)


def adamw(config, p, state, rate):
    """Loshchilov and Hutter 2019 (1711.05101), algorithm 2."""
    m, v = (state.setdefault(name, torch.zeros_like(p)) for name in "mv")
    state["t"] = t = state.get("t", 0) + 1
    m.mul_(0.9).add_(p.grad, alpha=0.1)
    v.mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
    p.sub_(rate * (m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8) + config.weight_decay * p))


@pytest.mark.parametrize("update", [adamw, sgd])
def test_weights_are_those_of_the_loop_written_by_hand(tmp_path, update, data):
    # AdamW's decay is times the learning rate: a hundredth of it would not be seen.
    config = replace(CONFIG, optimizer=update.__name__, weight_decay=dict(sgd=0.01, adamw=1.0)[update.__name__])
    task, run = made(data, config), train(config, tmp_path)
    net = config.make_net(torch.Generator().manual_seed(config.seed))
    states, losses = [{} for _ in net.parameters()], []
    for iteration in range(config.iterations):
        noisy, clean = (tensor.contiguous() for tensor in task.batch(iteration))
        # The residual form of the loss: how far the predicted noise is from what was put on.
        loss = F.mse_loss(net.noise(noisy), noisy - clean) * (255 / UNIT) ** 2
        losses.append(loss.item())
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p, state in zip(net.parameters(), states, strict=True):
                update(config, p, state, learning_rate(config, iteration))
    weights = run.weights()
    for name, expected in net.state_dict().items():
        torch.testing.assert_close(weights[name], expected, rtol=2e-3, atol=2e-4, msg=lambda m, n=name: f"{n}: {m}")
    rows = run.metrics
    means = [sum(losses[start : start + 3]) / 3 for start in range(0, 12, 3)]
    assert [row["train_loss"] for row in rows] == pytest.approx(means, rel=1e-3)


def test_a_run_records_psnr_and_ssim(run, data):
    rows = metrics([run])[0]
    assert [row["iteration"] for row in rows] == [3, 6, 9, 12]
    assert list(rows[0])[-2:] == ["psnr", "ssim"]
    assert run.final["psnr"] == pytest.approx(made(data).evaluate(run.net())["psnr"], abs=1e-4)


def test_direct_and_residual_nets_are_trained_alike():
    for profile in ("paper", "short", "demo", "smoke"):
        direct, residual = (
            RunConfig(task="denoising", profile=profile, target=t).to_dict() for t in ("clean", "noise")
        )
        assert direct | dict(target="noise") == residual


@pytest.mark.parametrize(
    ("number", "own"), [(signal.SIGKILL, dict(shortcut="A", sigma=(0, 55))), (signal.SIGTERM, dict(target="clean"))]
)
def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path, number, own):
    config = RunConfig(task="denoising", profile="smoke", iterations=200, log_every=20, **own)
    whole = train(config, tmp_path / "whole")
    run, process = RunStore(tmp_path / "stopped").run(config), start(config, tmp_path / "stopped")
    wait_until(lambda: len(run.metrics) >= 2)
    os.kill(process.pid, number)
    process.join()
    assert run.state == "interrupted"
    train(config, tmp_path / "stopped")
    assert result(run) == result(whole)


def test_a_log_point_does_not_change_what_is_trained(tmp_path, run):
    often = train(RunConfig.from_dict(CONFIG.to_dict() | dict(log_every=1)), tmp_path)
    weights = run.weights()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in often.weights().items())


def test_the_published_recipe_is_stated():
    config = RunConfig(task="denoising", profile="paper")
    assert (config.depth, config.width, config.target, config.shortcut, config.sigma) == (
        17,
        64,
        "noise",
        "none",
        (25, 25),
    )
    assert (config.batch, config.dataset, config.image_size, config.momentum) == (128, "cifar10", 32, 0.9)
    assert (config.optimizer, config.lr_schedule, config.patch) == ("sgd", "drops", 32)
    assert config.iterations == 50 * (50_000 // 128)
    rates = [learning_rate(config, iteration) for iteration in range(config.iterations)]
    assert rates[0] == 0.1 and rates[-1] == pytest.approx(1e-4)

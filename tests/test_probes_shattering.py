"""Gradient correlation against nets whose gradients are known: constant, noise, and a random walk."""

import pytest
import torch
from torch import nn

import reslab
from reslab.probes import brown, gradient_correlation, settled
from reslab.probes.shattering import STANDARD, measured

START, END = torch.zeros(3, 32, 32), torch.ones(3, 32, 32)


class Known(torch.autograd.Function):
    """A function of each picture whose gradient is what it is told, whatever the picture."""

    @staticmethod
    def forward(ctx, images, gradients):
        ctx.save_for_backward(gradients)
        return images.new_zeros(len(images), 1)

    @staticmethod
    def backward(ctx, above):
        (gradients,) = ctx.saved_tensors
        return gradients * above[:, :, None, None], None


class Net(nn.Module):
    """Has these gradients [points, 3, 32, 32] at the points of a line, in order."""

    def __init__(self, gradients: torch.Tensor):
        super().__init__()
        self.gradients = gradients

    def forward(self, images):
        places = (images[:, 0, 0, 0] * (len(self.gradients) - 1)).round().long()  # the line goes from 0 to 1
        return Known.apply(images, self.gradients[places])


def noise(points: int) -> torch.Tensor:
    return torch.randn(points, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_a_linear_net_has_the_same_gradient_everywhere():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 4))
    found = gradient_correlation(net, START, END, 80, logit=2)
    assert found.lags == tuple(range(21)) and found.points == 80
    assert found.values == pytest.approx([1.0] * 21, abs=1e-6)


def test_white_noise_is_correlated_with_itself_alone():
    found = gradient_correlation(Net(noise(160)), START, END, 160)
    assert found.values[0] == pytest.approx(1)
    # 120 pairs at least, of a cosine with standard deviation 1 / sqrt(3072)
    assert all(abs(value) < 5 / (120 * 3072) ** 0.5 for value in found.values[1:])


def test_brown_noise_is_a_random_walk():
    found = gradient_correlation(Net(noise(160).cumsum(0)), START, END, 160)
    assert found.values == pytest.approx(brown(160).values, abs=0.03)
    assert brown(160).values[0] == 1 and brown(160).lags == found.lags


def test_the_mean_is_over_pairs_of_points_by_hand():
    gradients = noise(12) + 0.3
    found = gradient_correlation(Net(gradients), START, END, 12)
    cosines = [torch.cosine_similarity(gradients[i].flatten(), gradients[i + 2].flatten(), 0) for i in range(10)]
    assert found.values[2] == pytest.approx(sum(cosines).item() / 10, rel=1e-5)


def test_gradients_of_a_deep_plain_net_are_shattered_and_those_of_a_residual_one_less():
    found, generator = {}, torch.Generator().manual_seed(3)
    images = torch.randn(16, 3, 8, 8, generator=generator)
    for shortcut in ("none", "A"):
        net = reslab.cifar_net(56, shortcut, width=8, generator=torch.Generator().manual_seed(0))
        before = {name: value.clone() for name, value in net.state_dict().items()}
        found[shortcut] = gradient_correlation(settled(net, images), images[0], images[1], 64).values[1]
        assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())
    assert abs(found["none"]) < 0.15 and found["A"] > 0.4


def test_settled_statistics_are_those_of_the_pictures():
    net = reslab.cifar_net(8, width=4).train()
    images = torch.randn(20, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    known = settled(net, images)
    assert net.training and not known.training and net.stem.bn.num_batches_tracked == 0
    seen = net.stem.conv(images)
    torch.testing.assert_close(known.stem.bn.running_mean, seen.mean((0, 2, 3)))
    torch.testing.assert_close(known.stem.bn.running_var, seen.var((0, 2, 3)))


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="allowed: 8 or more"):
        gradient_correlation(nn.Flatten(), START, END, 7)


def test_the_standard_result_is_kept(tmp_path):
    run = reslab.train(reslab.RunConfig(depth=8, profile="smoke"), tmp_path)
    found = measured(run)
    assert measured(run) == found and found.points == STANDARD["points"] and found.values[0] == pytest.approx(1)
    assert measured(run, at="trained") != found
    assert len(list((run.path / "probes").glob("shattering-*.json"))) == 2

"""The lesson of the identity against a training loop written out here."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reslab.lessons.identity import towards_identity
from reslab.nets import SHORTCUTS
from reslab.nets.blocks import BasicBlock, initialise


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    """Smooth, not negative, as a stage's maps are."""
    noise = torch.randn(200, 8, 12, 12, generator=torch.Generator().manual_seed(5))
    return F.relu(2 * F.avg_pool2d(noise, 3, 1))


@pytest.mark.parametrize("shortcut", ["none", "A"])
def test_it_is_sgd_on_the_mean_squared_error(features, shortcut):
    lesson = towards_identity(features, shortcut, seed=2, steps=4, lr=0.05, batch=16)
    block = BasicBlock(8, 8, 1, SHORTCUTS[shortcut])
    initialise(block, torch.Generator().manual_seed(2))
    numbers, velocity = torch.Generator().manual_seed(2), {}
    for step in range(4):
        x = features[torch.randint(200, (16,), generator=numbers)]
        fx = block.residual(x)
        y = torch.relu(fx + x if shortcut == "A" else fx)
        assert lesson.distance[step] == pytest.approx(((y - x).norm() / x.norm()).item(), rel=1e-4)
        assert lesson.residual[step] == pytest.approx((fx.norm() / x.norm()).item(), rel=1e-4)
        block.zero_grad()
        ((y - x) ** 2).mean().backward()
        with torch.no_grad():
            for name, p in block.named_parameters():
                velocity[name] = 0.9 * velocity.get(name, 0) + p.grad + 1e-4 * p
                p -= 0.05 * velocity[name]


def test_the_residual_block_gets_there_and_the_plain_one_does_not(features):
    plain, residual = (
        np.median([towards_identity(features, s, seed, steps=120, batch=16).distance[-1] for seed in (0, 1, 2)])
        for s in ("none", "A")
    )
    assert residual < 0.02 < 0.1 < plain
    lesson = towards_identity(features, "A", steps=120, batch=16)
    assert lesson.residual[-1] < 0.05 * lesson.residual[0]  # F is pushed to 0


def test_a_seed_is_a_lesson_and_both_kinds_begin_with_the_same_f(features):
    first, again, other = (towards_identity(features, "A", seed, steps=3) for seed in (0, 0, 1))
    assert np.array_equal(first.distance, again.distance) and not np.array_equal(first.distance, other.distance)
    assert towards_identity(features, "none", 0, steps=1).residual[0] == first.residual[0]


def test_negative_features_are_refused(features):
    with pytest.raises(ValueError, match="must not be negative: the block ends in a ReLU"):
        towards_identity(features - 0.1, "A")

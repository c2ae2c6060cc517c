"""The gradient by path length against all paths of a small net, one by one."""

import math
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import reslab
from reslab.nets.blocks import Block
from reslab.probes import PathShare, gradient_by_path_length
from reslab.probes.paths import STANDARD, Paths, measured
from reslab.probes.when import DoesNotApply


def a_net(shortcut: str = "A", depth: int = 14, **kind) -> nn.Module:
    net = reslab.cifar_net(depth, shortcut, width=4, generator=torch.Generator().manual_seed(0), **kind).double()
    with torch.no_grad():
        net.train()(torch.randn(8, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2)))
    return net.eval()


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 3, 8, 8, dtype=torch.float64, generator=generator), torch.tensor([1, 7, 3])


def along(net: nn.Module, images: torch.Tensor, labels: torch.Tensor, through: set[int]) -> torch.Tensor:
    """The gradient along one path: a forward pass of the test's own, in which the other way back is cut at each
    block.
    """
    images = images.clone().requires_grad_()
    x = net.stem(images)
    for number, block in enumerate(module for module in net.modules() if isinstance(module, Block)):
        fx = block.residual(x.clone())
        x = block.shortcut(x.detach(), fx) if number in through else block.shortcut(x, fx.detach())
        for step in block.last:
            x = getattr(block, step)(x)
    x = x if net.final is None else net.final(x)
    loss = F.cross_entropy(net.fc(net.pool(x).flatten(1)), labels, reduction="sum")
    return torch.autograd.grad(loss, images)[0]


KINDS = [("A", "original"), ("B", "original"), ("conv1x1", "bn-after-addition"), ("A", "full-preactivation")]


@pytest.mark.parametrize(("shortcut", "order"), KINDS)
def test_every_path_and_their_sum(shortcut, order):
    net, (images, labels) = a_net(shortcut, activation_order=order), pictures()
    paths = Paths(net, images, labels)
    assert len(paths.blocks) == 6
    total, by_length = torch.zeros_like(images), [[] for _ in range(7)]
    for length in range(7):
        for through in combinations(range(6), length):
            direction, logs = paths.gradient(through)
            found = direction * logs.exp()[:, None, None, None]
            expected = along(net, images, labels, set(through))
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-15)
            total += found
            by_length[length].append(expected.flatten(1).norm(dim=1).mean().item())
    leaf = images.clone().requires_grad_()
    (whole,) = torch.autograd.grad(F.cross_entropy(net(leaf), labels, reduction="sum"), leaf)
    torch.testing.assert_close(total, whole, rtol=1e-9, atol=1e-13)
    found = gradient_by_path_length(net, images, labels, samples=20)  # as many as there are of length 3: all
    assert found.lengths == tuple(range(7))
    assert found.gradient == pytest.approx([sum(norms) / len(norms) for norms in by_length], rel=1e-9)
    sums = [sum(norms) for norms in by_length]
    assert found.share == pytest.approx([each / sum(sums) for each in sums], rel=1e-9)


def test_a_few_paths_stand_for_all_and_the_net_stays():
    net, given = a_net(depth=14), pictures()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    some, all_of_them = (gradient_by_path_length(net, *given, samples=count) for count in (10, 20))
    assert some.gradient == pytest.approx(all_of_them.gradient, rel=0.5) and some != all_of_them
    assert some == gradient_by_path_length(net, *given, samples=10)
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_gradients_too_small_for_float32_are_told():
    net = a_net(depth=8).float()
    with torch.no_grad():
        for block in (net.stage1.block1, net.stage2.block1, net.stage3.block1):
            block.bn2.weight.fill_(1e-20)
    images, labels = pictures()
    assert 1e-64 < gradient_by_path_length(net, images.float(), labels).gradient[3] < 1e-54


def test_a_plain_net_is_one_path():
    net, (images, labels) = a_net("none"), pictures()
    found = gradient_by_path_length(net, images, labels, samples=3)
    leaf = images.clone().requires_grad_()
    (whole,) = torch.autograd.grad(F.cross_entropy(net(leaf), labels, reduction="sum"), leaf)
    assert found.gradient[:6] == (0.0,) * 6 and found.share == (0.0,) * 6 + (1.0,) and found.mean == 6
    assert found.paths == (0,) * 6 + (1,) and found.closed == 6
    assert found.gradient[6] == pytest.approx(whole.flatten(1).norm(dim=1).mean().item(), rel=1e-9)


def test_a_block_without_shortcut_is_in_every_path():
    net, (images, labels) = a_net(), pictures()
    net.stage2.block2.shortcut = a_net("none").stage2.block2.shortcut
    found = gradient_by_path_length(net, images, labels, samples=10)  # all that there are
    assert found.paths == (0, 1, 5, 10, 10, 5, 1) and found.gradient[0] == 0 == found.share[0]
    for length in range(1, 7):
        through = [{3, *others} for others in combinations((0, 1, 2, 4, 5), length - 1)]
        norms = [along(net, images, labels, each).flatten(1).norm(dim=1).mean().item() for each in through]
        assert found.gradient[length] == pytest.approx(sum(norms) / len(norms), rel=1e-9)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "no gradient arrives at the pictures through any path"), (math.nan, "are not finite numbers: .* diverged")],
)
def test_where_nothing_or_no_number_arrives_no_path_has_a_share(value, said):
    net = a_net()
    torch.nn.init.constant_(net.fc.weight, value)
    with pytest.raises(ValueError, match=said):
        gradient_by_path_length(net, *pictures())


@pytest.mark.parametrize("shortcut", ["scaled-both", "exclusive-gating", "rezero", "concat"])
def test_where_the_shortcut_is_no_addition_there_are_no_such_paths(shortcut):
    with pytest.raises(DoesNotApply, match=r"stage1\.block1 has a shortcut \(\w+\) that is not F\(x\) plus something"):
        gradient_by_path_length(a_net(shortcut), *pictures())


def test_the_central_range_cuts_the_same_off_at_either_end():
    share = tuple(math.comb(54, length) / 2**54 for length in range(55))
    assert PathShare(tuple(range(55)), share, share).central(0.95) == (20, 34)  # binomial quantiles, as in tables
    assert PathShare((0, 1, 2), (1.0, 1.0, 1.0), (0.0, 1.0, 0.0)).central() == (1, 1)
    assert PathShare((0, 1, 2), (1.0, 1.0, 1.0), (0.25, 0.25, 0.5)).mean == 1.25


def test_the_standard_result_is_kept(tmp_path):
    run = reslab.train(reslab.RunConfig(depth=8, profile="smoke"), tmp_path)
    found = measured(run)
    assert measured(run) == found and sum(found.share) == pytest.approx(1)
    assert len(list((run.path / "probes").glob("paths-*.json"))) == 1
    assert measured(run, at="initial") != found and STANDARD["samples"] >= 10

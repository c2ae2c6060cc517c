"""Directions and planes, against their definitions."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import reslab
from reslab.probes.surface import plane_through, principal_plane, project, random_plane
from reslab.probes.surface.weights import are_weights, entries, put_on, vector

from .surfaces import state_at


def test_each_filter_of_a_random_direction_has_the_norm_of_the_nets():
    net = reslab.cifar_net(8, "B", width=4)
    for bn in [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]:
        bn.weight.data.uniform_(0.5, 2)
    first, second = random_plane(net, seed=3).along
    for direction in (first, second):
        for name, tensor in state_at(net, direction).items():
            if name.endswith("num_batches_tracked"):
                continue
            if tensor.dim() < 2:  # Li et al.'s code: ignore="biasbn"
                assert not tensor.any(), name
                continue
            for mine, theirs in zip(tensor, net.state_dict()[name], strict=True):
                assert mine.norm().item() == pytest.approx(theirs.norm().item(), rel=1e-5), name
    # Gaussian before it was scaled: independent, and each with as much in one quarter of a filter as in the next.
    filters = state_at(net, first)["stage3.block1.conv2.weight"].flatten(1)
    shares = (filters.square() / filters.square().sum(1, keepdim=True)).view(16, 4, -1).sum(2).mean(0)
    assert (shares - 0.25).abs().max() < 0.05
    assert abs(F.cosine_similarity(first, second, 0)) < 0.05


def test_the_seed_is_all_that_a_direction_depends_on():
    net = reslab.cifar_net(8, width=4)
    once, again = random_plane(net, 1), random_plane(copy.deepcopy(net), 1)
    assert all(torch.equal(a, b) for a, b in zip(once.along, again.along, strict=True))
    assert torch.equal(random_plane(net, 1, dimensions=1).along[0], once.along[0])
    assert not torch.equal(random_plane(net, 2).along[0], once.along[0])


def test_a_vector_is_the_nets_state_and_moves_it():
    net = reslab.cifar_net(8, "B", width=4)
    twin = copy.deepcopy(net)
    flat = put_on(twin)
    assert torch.equal(flat, vector(net))
    assert sum(entry.weight * entry.shape.numel() for entry in entries(net)) == are_weights(net).sum().item()
    assert are_weights(net).sum().item() == sum(p.numel() for p in net.parameters())
    flat.copy_(torch.arange(len(flat)))
    for name, tensor in state_at(net, torch.arange(len(flat)).float()).items():
        assert torch.equal(twin.state_dict()[name], tensor), name


def test_a_plane_goes_through_its_three_nets():
    nets = [reslab.cifar_net(8, width=4, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    for net in nets:
        net.stem.bn.running_mean.normal_(generator=torch.Generator().manual_seed(len(net.state_dict())))
    plane = plane_through(nets[0], [nets[1], nets[2].state_dict()])
    weights = are_weights(nets[0])
    x, y = (direction[weights].double() for direction in plane.along)
    torch.testing.assert_close(
        torch.stack([x @ x, y @ y, x @ y]), torch.tensor([1.0, 1, 0]).double(), rtol=0, atol=1e-6
    )
    places = [project(plane, vector(net)) for net in nets]
    assert places[0] == (0, 0) and abs(places[1][1]) < 1e-5 and places[1][0] > 0
    distance = (vector(nets[1]) - vector(nets[0]))[weights].norm().item()
    assert places[1][0] == pytest.approx(distance, rel=1e-6)
    for net, place in zip(nets, places, strict=True):  # running statistics too
        torch.testing.assert_close(plane.at(*place), vector(net), rtol=0, atol=1e-5)


def test_the_coordinates_of_a_point_are_found_again_although_random_directions_are_not_at_right_angles():
    plane = random_plane(reslab.cifar_net(8, width=4))
    assert project(plane, plane.at(0.3, -0.7)) == pytest.approx((0.3, -0.7), abs=1e-6)
    line = random_plane(reslab.cifar_net(8, width=4), dimensions=1)
    assert project(line, line.at(0.5)) == pytest.approx((0.5, 0), abs=1e-6)


def test_nets_on_a_line_or_of_another_kind_make_no_plane():
    net, other = reslab.cifar_net(8, width=4), reslab.cifar_net(8, width=4)
    middle = {
        name: (a + b) / 2 for (name, a), b in zip(net.state_dict().items(), other.state_dict().values(), strict=True)
    }
    with pytest.raises(ValueError, match="one line"):
        plane_through(net, [other, middle])
    with pytest.raises(ValueError, match="give two more, not 1"):
        plane_through(net, [other])
    with pytest.raises(ValueError, match=r"not alike: stem\.conv\.weight differs"):
        plane_through(net, [other, reslab.cifar_net(8, width=8)])


def test_the_principal_plane_is_numpys():
    net = reslab.cifar_net(8, width=4)
    end, generator = vector(net), torch.Generator().manual_seed(0)
    steps = torch.randn(5, len(end), generator=generator) * torch.tensor([9.0, 4, 2, 1, 0.5])[:, None]
    path = {10 * i: state_at(net, end + step) for i, step in enumerate(steps)}
    plane = principal_plane(net, path)
    weights = are_weights(net)
    matrix = (torch.stack([end + step for step in steps]) - end)[:, weights].double().numpy()
    _, sizes, components = np.linalg.svd(matrix - matrix.mean(0), full_matrices=False)
    for mine, theirs in zip(plane.along, components, strict=False):
        assert abs(mine[weights].double().numpy() @ theirs) == pytest.approx(1, abs=1e-5)
    assert plane.share == pytest.approx((sizes[:2] ** 2).sum() / (sizes**2).sum(), rel=1e-6)
    assert torch.equal(plane.at(0, 0), end)
    centred = torch.tensor(matrix - matrix.mean(0))
    for along in plane.along:  # of the two directions that would do, the same one everywhere
        places = centred @ along[weights].double()
        assert places[places.abs().argmax()] > 0
    for i, step in enumerate(steps):
        expected = [step[weights].double().numpy() @ d[weights].double().numpy() for d in plane.along]
        assert project(plane, vector(net, path[10 * i])) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_quadratic_in_the_weights_is_one_on_a_plane():
    """Half of w . (c * w) has, along a direction, the slope w . (c * d) and the curvature d . (c * d)."""
    plane = random_plane(reslab.cifar_net(8, width=4), seed=3)
    scale = torch.rand(len(plane.origin), generator=torch.Generator().manual_seed(0)).double()
    w, (d, e) = plane.origin.double(), (direction.double() for direction in plane.along)
    loss = lambda at: 0.5 * (at.double() * scale * at.double()).sum().item()  # noqa: E731
    for x, y in ((0.0, 0.0), (1.0, 0.0), (-0.5, 0.25), (2.0, -3.0)):
        slopes = x * w @ (scale * d) + y * w @ (scale * e)
        curvatures = 0.5 * x * x * d @ (scale * d) + x * y * d @ (scale * e) + 0.5 * y * y * e @ (scale * e)
        assert loss(plane.at(x, y)) == pytest.approx(loss(w) + (slopes + curvatures).item(), rel=1e-5)

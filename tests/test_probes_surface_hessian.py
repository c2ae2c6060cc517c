"""Products with the Hessian against finite differences, and its eigenvalues against those of the whole matrix."""

import copy

import pytest
import torch
import torch.nn.functional as F

import reslab
from reslab.probes.surface.hessian import (
    cross_entropy,
    extremes,
    extremes_of,
    filter_norms,
    filters,
    hessian_product,
)


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def net():
    return reslab.cifar_net(8, "B", width=2, generator=torch.Generator().manual_seed(0)).double().eval()


def test_a_quadratic_form_is_its_own_hessian():
    matrix = random(6, 6)
    matrix = matrix + matrix.T
    w = random(2, 3, seed=1).requires_grad_()
    product = hessian_product(lambda: w.flatten() @ matrix @ w.flatten() / 2, [w])
    v = random(6, seed=2)
    torch.testing.assert_close(product(v), matrix @ v)
    found = extremes_of(product, None, [w], tolerance=1e-9)
    values = torch.linalg.eigvalsh(matrix)
    assert (found.smallest, found.largest) == pytest.approx((values[0].item(), values[-1].item()), rel=1e-6)
    assert found.ratio == pytest.approx(abs(values[0] / values[-1]).item(), rel=1e-6)
    scale = torch.rand(6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    scaled = torch.linalg.eigvalsh(scale[:, None] * matrix * scale)
    found = extremes_of(product, scale, [w], tolerance=1e-9)
    assert (found.smallest, found.largest) == pytest.approx((scaled[0].item(), scaled[-1].item()), rel=1e-6)


def test_products_are_finite_differences_of_the_gradient(net):
    images, labels = random(5, 3, 8, 8), torch.arange(5)
    weights, loss = filters(net), cross_entropy(net, images, labels)
    v = random(sum(w.numel() for w in weights), seed=4)
    found = hessian_product(loss, weights)(v)

    def gradient(step):
        moved = copy.deepcopy(net)
        start = 0
        for w in filters(moved):
            w.data += step * v[start : start + w.numel()].view(w.shape)
            start += w.numel()
        parts = torch.autograd.grad(F.cross_entropy(moved(images), labels), filters(moved))
        return torch.cat([part.flatten() for part in parts])

    h = 1e-6  # so short that no ReLU changes its mind
    expected = (gradient(h) - gradient(-h)) / (2 * h)
    assert (found - expected).norm() < 1e-5 * expected.norm()


def test_extremes_are_those_of_the_whole_matrix(net):
    images, labels = random(4, 3, 4, 4), torch.arange(4)
    weights = filters(net)
    product = hessian_product(cross_entropy(net, images, labels), weights)
    size = sum(w.numel() for w in weights)
    whole = torch.stack([product(row) for row in torch.eye(size, dtype=torch.float64)])
    torch.testing.assert_close(whole, whole.T, rtol=1e-8, atol=1e-12)
    norms = filter_norms(weights)
    for normalised, matrix in ((False, whole), (True, norms[:, None] * whole * norms)):
        values = torch.linalg.eigvalsh(matrix)
        found = extremes(net, images, labels, normalised, tolerance=1e-6)
        assert (found.smallest, found.largest) == pytest.approx((values[0].item(), values[-1].item()), rel=1e-4)
        assert found.products < size


def test_filter_norms_are_those_of_filters_and_rows(net):
    norms, start = filter_norms(filters(net)), 0
    for w in filters(net):
        for one in w:
            assert torch.allclose(norms[start : start + one.numel()], one.norm())
            start += one.numel()
    assert start == len(norms)


def test_normalised_extremes_do_not_depend_on_the_size_of_weights_before_a_norm(net):
    """Batch norm in the mode in which it normalises, with statistics that scale as the weights do."""
    images, labels = random(4, 3, 4, 4), torch.arange(4)
    larger = copy.deepcopy(net)
    for block in (larger.stage1.block1, larger.stage2.block1):
        block.conv1.weight.data *= 10
        block.bn1.running_mean *= 10
        block.bn1.running_var *= 100
        block.bn1.eps *= 100
    torch.testing.assert_close(larger(images), net(images))
    normalised = [extremes(each, images, labels, tolerance=1e-6).largest for each in (net, larger)]
    plain = [extremes(each, images, labels, normalised=False, tolerance=1e-6).largest for each in (net, larger)]
    assert normalised[0] == pytest.approx(normalised[1], rel=1e-4)
    assert plain[0] != pytest.approx(plain[1], rel=1e-2)


def test_the_net_stays_as_it_was(net):
    net.train()
    net.fc.weight.requires_grad_(False)
    before = copy.deepcopy(net.state_dict())
    extremes(net, random(4, 3, 4, 4), torch.arange(4), tolerance=0.1)
    assert net.training and not net.fc.weight.requires_grad and net.stem.conv.weight.requires_grad
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())

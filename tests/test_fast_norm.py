"""The fused kernel against PyTorch's own three operations, in double precision."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reslab.fast.norm import FusedNorm

# Tolerance relative to the largest value: float32 sums in chunks; bfloat16 has 8 bits.
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 8e-3}


def activation(shape, precision, seed):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x.to(precision).contiguous(memory_format=torch.channels_last)


def norm(channels, training=True):
    bn = nn.BatchNorm2d(channels, momentum=0.3, eps=1e-3).train(training)
    generator = torch.Generator().manual_seed(channels)
    for tensor in (bn.weight.data, bn.bias.data, bn.running_mean, bn.running_var):
        tensor.copy_(torch.rand(channels, generator=generator) + 0.1)
    return bn


def oracle(bn, x, residual, relu):
    """relu(bn(x) + residual) in double precision, with the buffers it leaves behind."""
    mean, var = bn.running_mean.double(), bn.running_var.double()
    y = F.batch_norm(x, mean, var, bn.weight.double(), bn.bias.double(), bn.training, bn.momentum, bn.eps)
    y = y if residual is None else y + residual
    return (F.relu(y) if relu else y), mean, var


def assert_near(given, expected, precision):
    assert (given.double() - expected).abs().max() <= TOLERANCE[precision] * expected.abs().max()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("relu", [False, True])
# Channels below, at and above the 64 of a row; sizes that leave the last chunk short, or make less than one.
@pytest.mark.parametrize("shape", [(6, 4, 4, 4), (128, 16, 12, 12), (33, 64, 5, 5), (9, 256, 3, 7), (4, 32, 2, 1)])
def test_forward_and_gradients_are_those_of_the_three_operations(shape, relu, adds, precision):
    bn = norm(shape[1])
    x = (activation(shape, precision, 0) * 2 + 3).detach().requires_grad_()  # a mean far from 0
    residual = activation(shape, precision, 1).requires_grad_() if adds else None
    grad = activation(shape, precision, 2)
    x64 = x.detach().double().requires_grad_()
    residual64 = residual.detach().double().requires_grad_() if adds else None
    weight64, bias64 = (p.detach().double().requires_grad_() for p in (bn.weight, bn.bias))
    expected, mean, var = oracle(bn, x64, residual64, relu)
    y = FusedNorm(bn, relu)(x, residual)
    y.backward(grad)
    # Where y is rounded to 0 the two may disagree on which side of the ReLU it was: the oracle is told.
    mask = (y.detach() > 0).double() if relu else torch.ones(shape, dtype=torch.double)
    linear = F.batch_norm(x64, None, None, weight64, bias64, True, 0.0, bn.eps)
    linear = linear + residual64 if adds else linear
    linear.backward(grad.double() * mask)
    assert y.dtype == precision and y.is_contiguous(memory_format=torch.channels_last)
    assert_near(y, expected, precision)
    assert_near(x.grad, x64.grad, precision)
    assert_near(bn.weight.grad, weight64.grad, precision)
    assert_near(bn.bias.grad, bias64.grad, precision)
    if adds:
        assert_near(residual.grad, residual64.grad, precision)
    assert_near(bn.running_mean, mean, torch.float32)
    assert_near(bn.running_var, var, torch.float32)
    assert bn.num_batches_tracked == 1


@pytest.mark.parametrize("adds", [False, True])
def test_two_branches_add_up_their_gradients(adds):
    shape = (16, 16, 6, 6)
    x, residual = activation(shape, torch.float32, 0), activation(shape, torch.float32, 1) if adds else None
    first, second = activation(shape, torch.float32, 2), activation(shape, torch.float32, 3)
    one, two = x.clone().requires_grad_(), x.clone().requires_grad_()
    FusedNorm(norm(16), True)(one, residual).backward(first + second)
    a, b = FusedNorm(norm(16), True, branches=2)(two, residual)
    assert torch.equal(a, b)
    torch.autograd.backward([a, b], [first, second])
    torch.testing.assert_close(two.grad, one.grad, rtol=1e-5, atol=1e-6)
    alone = x.clone().requires_grad_()  # a branch that nobody's loss reads has no gradient
    FusedNorm(norm(16), True, branches=2)(alone, residual)[1].backward(first + second)
    assert torch.equal(alone.grad, one.grad)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_evaluation_uses_the_running_statistics_and_leaves_them_alone(precision):
    bn = norm(32, training=False)
    x, residual = activation((8, 32, 4, 4), precision, 0), activation((8, 32, 4, 4), precision, 1)
    before = [b.clone() for b in bn.buffers()]
    with torch.inference_mode():
        y = FusedNorm(bn, True)(x, residual)
    assert_near(y, oracle(bn, x.double(), residual.double(), True)[0].detach(), precision)
    assert all(torch.equal(b, a) for b, a in zip(before, bn.buffers(), strict=True))


def test_a_large_mean_does_not_cost_the_variance_its_digits():
    bn = norm(16)
    bn.running_var.zero_()
    x = activation((64, 16, 8, 8), torch.float32, 0) * 1e-2 + 100
    FusedNorm(bn, False)(x)
    expected = 0.3 * x.double().var((0, 2, 3))
    torch.testing.assert_close(bn.running_var.double(), expected, rtol=1e-3, atol=0)


def test_the_result_does_not_depend_on_the_number_of_threads():
    x, residual, grad = (activation((64, 16, 9, 9), torch.bfloat16, seed) for seed in range(3))
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        bn, leaf = norm(16), x.clone().requires_grad_()
        y = FusedNorm(bn, True)(leaf, residual)
        y.backward(grad)
        results.append([y, leaf.grad, bn.weight.grad, bn.bias.grad, bn.running_mean, bn.running_var])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("relu", [False, True])
def test_not_a_number_stays_not_a_number(relu):
    x = activation((4, 16, 4, 4), torch.bfloat16, 0)
    x[1, 3] = float("nan")
    y = FusedNorm(norm(16), relu)(x)
    assert y[:, 3].isnan().all() and not y[:, :3].isnan().any()


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((5, 12, 4, 4), "12 channels do not divide 64"), ((3, 4, 3, 3), "108 values are not whole rows")],
)
def test_what_the_kernel_cannot_do_is_done_by_pytorch(shape, reason):
    x, residual = activation(shape, torch.float32, 0).requires_grad_(), activation(shape, torch.float32, 1)
    bn, twin = norm(shape[1]), norm(shape[1])
    y = FusedNorm(bn, True, branches=2)(x, residual)
    assert len(y) == 2 and torch.equal(y[0], F.relu(twin(x) + residual)), reason
    assert bn.num_batches_tracked == 1


def test_contiguous_input_and_gradient_give_the_same_numbers():
    x, grad = activation((8, 16, 4, 4), torch.float32, 0), activation((8, 16, 4, 4), torch.float32, 1)
    last, first = x.clone().requires_grad_(), x.contiguous().requires_grad_()
    FusedNorm(norm(16), True)(last).backward(grad)
    FusedNorm(norm(16), True)(first).backward(grad.contiguous())
    assert torch.equal(first.grad, last.grad)


def test_second_derivatives_are_refused():
    x = activation((8, 16, 4, 4), torch.float32, 0).requires_grad_()
    (grad,) = torch.autograd.grad(FusedNorm(norm(16), True)(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_one_value_a_channel_is_refused_as_by_pytorch():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        FusedNorm(norm(64), True)(activation((1, 64, 1, 1), torch.float32, 0))

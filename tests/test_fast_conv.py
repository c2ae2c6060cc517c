"""The convolution kernel against PyTorch's convolution, batch norm, addition and ReLU in double precision."""

import ctypes
import platform
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reslab.fast import build
from reslab.fast.conv import LEAST_CHANNELS, WINOGRAD, Affine, FoldedConv, kernels_of_conv, laid_out, reduced

IMAGES = 19  # on no CPU full groups
# Relative to the spread of the results: float32's largest error; the root mean square of the others'. bfloat16 has 8
# bits; integers have 15, of which the largest number of an image, and of a kernel's, leaves less to the others.
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 2e-2, torch.int16: 6e-3}
PRODUCTS = {"float32": lambda: torch.float32, "reduced": reduced}


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def norm(channels):
    bn = nn.BatchNorm2d(channels, eps=1e-3).eval()
    for seed, tensor in enumerate((bn.weight.data, bn.bias.data, bn.running_mean, bn.running_var)):
        tensor.copy_(torch.rand(channels, generator=torch.Generator().manual_seed(seed)) + 0.5)
    return bn


def make(conv, bn=None, **options):
    conv.weight.data.copy_(random(*conv.weight.shape, seed=1))
    return FoldedConv(conv, bn, **options)


@torch.no_grad()
def oracle(conv, bn, x, residual=None, relu=False):
    y = F.conv2d(x.double(), conv.weight.double(), None, conv.stride, conv.padding)
    if conv.bias is not None:
        y += conv.bias.double()[:, None, None]
    if bn is not None:
        statistics = (bn.running_mean.double(), bn.running_var.double(), bn.weight.double(), bn.bias.double())
        y = F.batch_norm(y, *statistics, training=False, eps=bn.eps)
    y = y if residual is None else y + residual.double()
    return F.relu(y) if relu else y


def assert_near(given, expected, dtype):
    error = given.double() - expected
    size = error.abs().max() if dtype == torch.float32 else error.square().mean().sqrt()
    assert size <= TOLERANCE[dtype] * expected.square().mean().sqrt()


def test_winograds_transform_gives_the_convolution():
    """The defining identity of F(4, 3), with B and A of the kernel written out: A^T [(G g) * (B^T d)] is d * g. What
    the kernel makes of pixels is that times another factor in each row, which G takes out again.
    """
    a, b = 0.5**0.5, 2**0.5
    points = torch.tensor([0, a, -a, b, -b], dtype=torch.float64)
    to_inputs = torch.zeros(6, 6, dtype=torch.float64)
    for j, point in enumerate(points):  # coefficients of the product of (x - p) over the other points
        polynomial = torch.ones(1, dtype=torch.float64)
        for other in points[points != point]:
            polynomial = F.pad(polynomial, (1, 0)) - F.pad(other * polynomial, (0, 1))
        to_inputs[j, :5] = polynomial
    to_inputs[5] = torch.tensor([0, 1, 0, -2.5, 0, 1])
    to_outputs = torch.stack([*(points**i for i in range(4))])
    to_outputs = torch.cat([to_outputs, torch.tensor([[0], [0], [0], [1.0]], dtype=torch.float64)], 1)
    d, g = random(6).double(), random(3, seed=1).double()
    expected = torch.stack([d[i : i + 3] @ g for i in range(4)])
    factors = torch.tensor([0.4, 0.5, 0.5, a / 2, a / 2, 0.4], dtype=torch.float64)
    torch.testing.assert_close(to_outputs @ ((WINOGRAD @ g) * factors * (to_inputs @ d)), expected)


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize("relu", [False, True])
# Sizes that fill the tiles of 4x4 or do not, one pixel, and one tile with nothing but edges; channels of the paper's
# nets, odd ones, and numbers of kernels that leave the last vector short, or without a second one; too few channels for
# Winograd's transform.
@pytest.mark.parametrize(
    ("channels", "kernels", "height", "width"),
    [(16, 16, 32, 32), (9, 5, 9, 6), (32, 64, 8, 8), (11, 20, 1, 1), (4, 1, 4, 3), (3, 16, 9, 6), (1, 40, 4, 3)],
)
def test_three_by_three(channels, kernels, height, width, relu, products):
    dtype = PRODUCTS[products]()
    conv, bn = nn.Conv2d(channels, kernels, 3, 1, 1, bias=False), norm(kernels)
    folded = make(conv, bn, relu=relu, kernels=True, dtype=dtype)
    folded.refold()
    assert folded.winograd == (channels >= LEAST_CHANNELS)
    x, residual = random(IMAGES, channels, height, width), random(IMAGES, kernels, height, width, seed=2)
    assert_near(folded(x), oracle(conv, bn, x, None, relu), dtype)
    assert_near(folded(laid_out(x), residual), oracle(conv, bn, x, residual, relu), dtype)


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize(
    ("side", "stride", "padding"), [(3, 2, 1), (1, 1, 0), (1, 2, 0), (7, 2, 3), (5, 1, 2), (3, 3, 0)]
)
def test_other_kernels_with_a_bias_of_their_own(side, stride, padding, products):
    dtype = PRODUCTS[products]()
    conv = nn.Conv2d(5, 12, side, stride, padding)
    folded = make(conv, kernels=True, dtype=dtype)
    folded.refold()
    x = random(IMAGES, 5, 11, 14)
    assert_near(folded(x), oracle(conv, None, x), dtype)


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize(("side", "stride", "padding"), [(3, 1, 0), (3, 1, 2), (3, 2, 0), (5, 1, 2)])
def test_sums_that_are_as_large_as_they_can_be(side, stride, padding, products):
    """Weights of one sign, and pixels with the signs of what they are multiplied with in Winograd's transform."""
    conv = nn.Conv2d(64, 8, side, stride, padding, bias=False)
    folded = make(conv, kernels=True, dtype=PRODUCTS[products]())
    conv.weight.data.abs_()
    folded.refold()
    signs = torch.tensor([0.0, -1, -1, 1, 1, 0]).tile(2)
    for x in (torch.ones(2, 64, 12, 12), torch.outer(signs, signs).expand(2, 64, 12, 12)):
        assert_near(folded(x), oracle(conv, None, x), folded.dtype)


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize("stride", [1, 2])
def test_sizes_that_are_far_from_one(stride, products):
    """Images and kernels each have a scale of their own; what is of no size at all is zero."""
    conv = nn.Conv2d(16, 24, 3, stride, 1)
    folded = make(conv, kernels=True, dtype=PRODUCTS[products]())
    conv.weight.data *= torch.logspace(-12, 12, 24)[:, None, None, None]
    conv.weight.data[3] = 0
    conv.bias.data.zero_()
    folded.refold()
    sizes = [0.0, 1e-12, 1.0, 1e12]
    x = random(len(sizes), 16, 8, 8)
    x *= torch.tensor(sizes)[:, None, None, None]
    given, expected = folded(x), oracle(conv, None, x)
    for image in range(len(sizes)):
        for kernel in range(24):
            assert_near(given[image, kernel], expected[image, kernel], folded.dtype)


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_a_number_stays_in_its_image_and_its_kernel(wrong, stride, products):
    conv = nn.Conv2d(16, 16, 3, stride, 1, bias=False)
    folded = make(conv, relu=True, kernels=True, dtype=PRODUCTS[products]())
    folded.refold()
    x = random(3, 16, 4, 4)
    before = folded(x)
    bad = x.clone()
    bad[1, 5, 2, 2] = wrong
    given = folded(bad)
    assert torch.equal(given[::2], before[::2]) and not given[1].isfinite().all()
    conv.weight.data[2, 3, 1, 1] = wrong
    folded.refold()
    given = folded(x)
    assert torch.equal(given[:, 3:], before[:, 3:]) and not given[:, 2].isfinite().all()


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_option_as_residual_is_subsampled_and_zero_padded(stride, kernels):
    conv, bn = nn.Conv2d(6, 10, 3, stride, 1, bias=False), norm(10)
    folded = make(conv, bn, relu=True, stride=stride, offset=2, kernels=kernels)
    folded.refold()
    x = random(IMAGES, 6, 8, 8)
    residual = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 2, 2))
    with torch.inference_mode():
        assert_near(folded(x, x), oracle(conv, bn, x, residual, True), torch.float32)


@pytest.mark.parametrize("products", PRODUCTS)
def test_an_image_depends_on_no_other_bit_for_bit(products):
    folded = make(nn.Conv2d(8, 8, 3, 1, 1), kernels=True, dtype=PRODUCTS[products]())
    folded.refold()
    x = random(IMAGES, 8, 6, 6)
    shuffled = torch.randperm(IMAGES, generator=torch.Generator().manual_seed(0))
    assert torch.equal(folded(x)[shuffled], folded(x[shuffled]))
    one = x.clone()
    one[1:] = float("nan")
    assert torch.equal(folded(one)[0], folded(x)[0]) and folded(one)[1:].isnan().all()


def test_weights_count_as_they_were_when_refolded():
    conv = nn.Conv2d(4, 4, 3, 1, 1, bias=False)
    folded = make(conv, kernels=True)
    folded.refold()
    x = random(IMAGES, 4, 5, 5)
    before = folded(x)
    conv.weight.data.mul_(2)
    assert torch.equal(folded(x), before)
    folded.refold()
    assert_near(folded(x), 2 * before.double(), torch.float32)


def test_threads_that_are_first_together_point_at_numbers_that_stay(monkeypatch):
    folded = make(nn.Conv2d(4, 4, 3, 1, 1), kernels=True)
    folded.refold()
    together, gives = threading.Barrier(2, timeout=10), folded.gives

    def both_here(shape):
        together.wait()
        return gives(shape)

    monkeypatch.setattr(folded, "gives", both_here)
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(folded.call, (4, 5, 5), 8, 0, None, 0) for _ in range(2)]
    (stays,) = folded._numbers.values()
    assert [call.result().numbers for call in calls] == [ctypes.addressof(stays)] * 2


def test_a_residual_that_is_too_small_is_never_read():
    folded = make(nn.Conv2d(4, 4, 3, 1, 1), kernels=True)
    folded.refold()
    with pytest.raises(AssertionError):
        folded(random(IMAGES, 4, 5, 5), random(IMAGES, 4, 1, 1))


def test_what_the_kernel_cannot_do_is_torchs():
    for conv in (
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        nn.Conv2d(4, 4, (3, 1), padding=(1, 0)),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
    ):
        folded = FoldedConv(conv, kernels=True)
        folded.refold()
        x = random(2, 4, 6, 6)
        assert not folded.kernels
        torch.testing.assert_close(folded(x), conv(x))


@pytest.mark.parametrize("channels", [3, 32])
def test_what_is_laid_out_is_the_same_with_zeros_after_it(channels):
    x = random(IMAGES, channels, 3, 5)
    given = laid_out(x)
    assert torch.equal(given, x) and laid_out(given) is given
    room = given.stride(3)
    assert room >= channels and room % kernels_of_conv().convolve_lanes() == 0
    everything = given.as_strided((IMAGES, room, 3, 5), given.stride())
    assert torch.equal(everything[:, :channels], x) and not everything[:, channels:].any()


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize("first", [0, 3])
def test_some_channels_of_a_tensor_are_read_and_no_others(first, products):
    conv = nn.Conv2d(5, 8, 3, 1, 1, bias=False)
    folded = make(conv, kernels=True, dtype=PRODUCTS[products]())
    folded.refold()
    whole = laid_out(random(IMAGES, 8, 5, 5))
    whole[:, :first], whole[:, first + 5 :] = 1e6, 1e6
    x = whole[:, first : first + 5]
    assert_near(folded(x), oracle(conv, None, x), folded.dtype)


def test_a_norm_alone_keeps_the_layout():
    bn, x = norm(32), laid_out(random(IMAGES, 32, 3, 5))
    affine = Affine(bn)
    affine.refold()
    torch.testing.assert_close(affine(x), bn(x))
    assert affine(x).stride() == x.stride()


def test_what_the_kernel_cannot_read_is_refused():
    folded = make(nn.Conv2d(3, 8, 3, 1, 1), kernels=True)
    folded.refold()
    for wrong in (random(2, 4, 5, 5), random(2, 3, 5, 5).double(), random(2, 3, 5, 5).bfloat16()):
        with pytest.raises(AssertionError):
            folded(wrong)


X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="these instructions are x86's")


@pytest.fixture
def built_with(monkeypatch, tmp_path):
    """Kernels compiled with these flags besides, for one test."""

    def use(*flags):
        monkeypatch.setattr(build, "FLAGS", (*build.FLAGS, *flags))
        monkeypatch.setenv("RESLAB_CACHE", str(tmp_path))
        build.kernels.cache_clear()
        return kernels_of_conv()

    yield use
    build.kernels.cache_clear()


@X86
@pytest.mark.parametrize(("without", "most"), [("-mno-avx512f", 8), ("-mno-avx2", 8), ("-mno-avx", 4)])
def test_narrower_vectors_give_the_same(built_with, without, most):
    """What other CPUs run: compiled here for fewer instructions."""
    assert built_with(without).convolve_lanes() <= most
    for products in PRODUCTS.values():
        assert_convolutions(products())


@X86
def test_wider_vectors_with_products_of_bfloat16_give_the_same(built_with):
    """What a CPU with AVX512_BF16 runs: its instructions are emulated, so the arithmetic is seen and not the speed."""
    kernels = built_with("-Wno-psabi", "-include", str(Path(__file__).with_name("avx512_bf16.h")))
    assert kernels.convolve_lanes() == 16 and reduced() == torch.bfloat16
    for products in PRODUCTS.values():
        assert_convolutions(products())


def assert_convolutions(dtype):
    """Three by three, strided, and 1x1; channels that are odd in pairs, or do not fill a vector."""
    for channels, kernels, side, stride in (
        (13, 20, 3, 1),
        (32, 16, 3, 1),
        (13, 12, 3, 2),
        (3, 40, 3, 1),
        (7, 5, 1, 2),
    ):
        conv, bn = nn.Conv2d(channels, kernels, side, stride, side // 2, bias=False), norm(kernels)
        folded = make(conv, bn, relu=True, kernels=True, dtype=dtype)
        folded.refold()
        x = random(IMAGES, channels, 9, 6)
        expected = oracle(conv, bn, x, None, True)
        residual = random(*expected.shape, seed=2)
        assert_near(folded(x), expected, dtype)
        assert_near(folded(x, residual), oracle(conv, bn, x, residual, True), dtype)

"""A folded net against the net that it was made from, in double precision."""

import copy

import pytest
import torch
from torch import nn

from reslab import cifar_net, imagenet_net
from reslab.fast import fold
from reslab.fast.build import BuildError
from reslab.fast.fold import Folded
from reslab.fast.tape import Taped
from reslab.nets import ORDERS, SHORTCUTS
from reslab.threads import torch_threads


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def settled(net):
    """As if it had been trained: batch norm's weights and statistics are no longer ones and zeros."""
    generator = torch.Generator().manual_seed(1)
    for bn in [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]:
        for tensor, least in (
            (bn.weight.data, 0.5),
            (bn.bias.data, -0.5),
            (bn.running_mean, -0.5),
            (bn.running_var, 0.5),
        ):
            tensor.copy_(torch.rand(bn.num_features, generator=generator) + least)
    return net.eval()


@torch.no_grad()
def oracle(net, images):
    return copy.deepcopy(net).double().eval()(images.double())


def logits(folded, images):
    return folded(folded.batches(images))


def assert_near(given, expected, tolerance=2e-5):
    assert (given.double() - expected).abs().max() <= tolerance * expected.std()


@pytest.mark.parametrize(("block", "depth"), [("basic", 8), ("bottleneck", 11)])
@pytest.mark.parametrize(
    ("shortcut", "order"),
    [(shortcut, "original") for shortcut in SHORTCUTS] + [("A", order) for order in list(ORDERS)[1:]],
)
def test_logits_are_the_nets(shortcut, order, block, depth):
    net = settled(cifar_net(depth, shortcut, 6, block, activation_order=order))
    images = random(21, 3, 10, 10)
    expected = oracle(net, images)
    assert_near(logits(Folded(net), images), expected)
    assert_near(logits(Folded(net, torch.bfloat16), images), expected, 0.15)


@pytest.mark.parametrize(("depth", "shortcut"), [(18, "B"), (34, "none"), (50, "B")])
def test_the_imagenet_family(depth, shortcut):
    net, images = settled(imagenet_net(depth, shortcut, num_classes=10, width=8)), random(3, 3, 48, 48)
    assert_near(logits(Folded(net), images), oracle(net, images))


@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 2e-5), (torch.bfloat16, 0.15)])
def test_wide_nets_are_torchs_with_batch_norm_folded_in(precision, tolerance):
    net, images = settled(imagenet_net(18, num_classes=10)), random(3, 3, 32, 32)
    folded = Folded(net, precision)
    assert not folded.kernels and Folded(cifar_net(11, "A", 16, "bottleneck")).kernels
    assert_near(logits(folded, images), oracle(net, images), tolerance)


@pytest.mark.parametrize("shortcut", ["none", "A", "B", "C", "conv1x1"])
def test_all_convolutions_are_in_one_call(shortcut):
    net = settled(cifar_net(14, shortcut, 4))
    folded = Folded(net)
    used = [m for m in folded._net.modules() if isinstance(m, Taped)]
    convolutions = sum(isinstance(m, nn.Conv2d) for m in net.modules())
    assert [len(taped.steps) for taped in used] == [convolutions]
    assert [node.op for node in folded._net.graph.nodes].count("call_module") == 3  # that, the mean and the classifier


@pytest.mark.parametrize("channels", [3, 9])
def test_a_net_of_convolutions_alone(channels):
    """Whose logits lie where the next batch's will, or whose images Winograd's transform wants laid out."""
    net = nn.Sequential(nn.Conv2d(channels, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 4, 3, 2, 1), nn.Flatten()).eval()
    images = random(3 * fold.KERNELS_BATCH + 1, channels, 7, 7)
    assert_near(logits(Folded(net), images), oracle(net, images))


class Adds(nn.Module):
    """To the images themselves."""

    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 3, 3, 1, 1), nn.Conv2d(3, 4, 3, 1, 1)

    def forward(self, x):
        return self.last(self.conv(x) + x).flatten(1)


def test_images_that_are_a_residual():
    net, images = Adds().eval(), random(30, 3, 5, 5)
    assert_near(logits(Folded(net), images), oracle(net, images))


@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 2e-5), (torch.bfloat16, 0.15)])
def test_convolutions_that_are_torchs_among_the_kernels_own(precision, tolerance):
    grouped = nn.Conv2d(8, 8, 3, 1, 1, groups=2)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), grouped, nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten()).eval()
    images = random(30, 3, 9, 9)
    assert_near(logits(Folded(net, precision), images), oracle(net, images), tolerance)


@pytest.mark.parametrize(("count", "pixels", "largest"), [(2000, 32, 120), (200, 32, 24), (1000, 64, 24), (7, 32, 7)])
def test_batches_are_large_first_and_small_at_last_and_all_images_are_in_them(count, pixels, largest):
    images = torch.arange(count).view(-1, 1, 1, 1).expand(-1, 3, pixels, pixels)
    batches = Folded(settled(cifar_net(8, "A", 4))).batches(images)
    assert torch.equal(torch.cat(batches)[:, 0, 0, 0], torch.arange(count))
    sizes = [len(batch) for batch in batches]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == largest and sizes[-1] <= 24


@pytest.mark.parametrize("given", ["contiguous", "double"])
def test_images_that_are_no_batches_are_refused(given):
    folded = Folded(settled(cifar_net(8, "A", 4)))
    images = random(5, 3, 8, 8)
    with pytest.raises(AssertionError):
        folded([images if given == "contiguous" else folded.batches(images)[0].double()])


def test_weights_count_as_they_were_when_refolded():
    net, images = settled(cifar_net(8, "A", 4)), random(5, 3, 8, 8)
    folded = Folded(net)
    before = logits(folded, images)
    for conv in [m for m in net.modules() if isinstance(m, nn.Conv2d)]:
        conv.weight.data.mul_(1.1)
    net.stage1.block1.bn1.running_mean.add_(0.3)
    assert torch.equal(logits(folded, images), before)
    folded.refold()
    assert_near(logits(folded, images), oracle(net, images))


def test_the_number_of_threads_changes_no_bit():
    net, images = settled(cifar_net(14, "A", 8)), random(100, 3, 16, 16)
    found = []
    for threads in (1, 3):
        with torch_threads(threads):
            folded = Folded(net)
            found += [logits(folded, images) for _ in range(3)]
    assert all(torch.equal(other, found[0]) for other in found[1:])


def test_sizes_take_turns():
    net = settled(cifar_net(8, "A", 4))
    folded = Folded(net)
    for size in (8, 12, 8):
        images = random(4, 3, size, size)
        assert_near(logits(folded, images), oracle(net, images))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_without_a_compiler_torch_runs_and_says_so(precision, monkeypatch):
    def none(_):
        raise BuildError("there is no C++ compiler")

    monkeypatch.setattr(fold, "kernels", none)
    net, images = settled(cifar_net(8, "A", 4)), random(7, 3, 8, 8)
    with pytest.warns(UserWarning, match="several times slower: there is no C"):
        folded = Folded(net, precision)
    assert not folded.kernels
    assert_near(logits(folded, images), oracle(net, images), 2e-5 if precision == torch.float32 else 0.15)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_on_a_gpu(precision):
    net, images = settled(cifar_net(20, "A")), random(40, 3, 32, 32)
    expected = oracle(net, images)
    with torch.backends.cudnn.flags(allow_tf32=False):
        given = logits(Folded(net.cuda(), precision), images.cuda()).cpu()
    assert_near(given, expected, 1e-4 if precision == torch.float32 else 0.15)

"""Every shortcut against its formula, written out by hand."""

import copy
import math

import pytest
import torch
from latex2mathml.converter import convert

from reslab import cifar_net
from reslab.nets import ORDERS, SHORTCUTS, Shortcut
from reslab.nets.blocks import BasicBlock


@pytest.fixture
def tensors():
    """x [2, 4, 8, 8], F(x) [2, 8, 4, 4], and x as option A carries it to the shape of F(x)."""
    generator = torch.Generator().manual_seed(0)
    x, fx = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 8, 4, 4, generator=generator)
    carried = torch.zeros(2, 8, 4, 4)
    carried[:, 2:6] = x[:, :, ::2, ::2]
    return x, fx, carried


def conv(x, module, stride=2):
    """A 1x1 convolution as a sum over channels."""
    y = torch.einsum("nchw,oc->nohw", x[:, :, ::stride, ::stride], module.weight[:, :, 0, 0])
    return y if module.bias is None else y + module.bias[:, None, None]


FORMULAS = {
    "none": lambda s, x, fx, carried: fx,
    "A": lambda s, x, fx, carried: fx + carried,
    "scaled": lambda s, x, fx, carried: fx + carried / 2,
    "scaled-both": lambda s, x, fx, carried: (fx + carried) / 2,
    "exclusive-gating": lambda s, x, fx, carried: carried + torch.sigmoid(conv(x, s.conv)) * (fx - carried),
    "shortcut-gating": lambda s, x, fx, carried: fx + carried / (1 + torch.exp(conv(x, s.conv))),
    "conv1x1": lambda s, x, fx, carried: fx + conv(x, s.conv),
    "rezero": lambda s, x, fx, carried: carried,  # at the start
    "concat": lambda s, x, fx, carried: conv(torch.cat([fx, x[:, :, ::2, ::2]], 1), s.conv, 1),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_merges_by_its_formula(name, tensors):
    shortcut = SHORTCUTS[name](4, 8, 2)
    torch.testing.assert_close(shortcut(*tensors[:2]), FORMULAS[name](shortcut, *tensors))


def test_every_shortcut_is_tested_by_a_formula_or_below():
    assert set(SHORTCUTS) == {*FORMULAS, "B", "C", "dropout", "stochastic-depth"}


@pytest.mark.parametrize("name", SHORTCUTS)
def test_says_what_it_does_and_where_it_comes_from(name):
    cls = SHORTCUTS[name]
    assert convert(cls.formula).startswith("<math") and cls.sentence.endswith((".", ").")) and "20" in cls.source


@pytest.mark.parametrize(("bias", "gate"), [(None, 1 / (1 + math.exp(6))), (0.0, 0.5), (-3.0, 1 / (1 + math.exp(3)))])
@pytest.mark.parametrize("name", ["exclusive-gating", "shortcut-gating"])
def test_gates_start_from_their_bias(name, bias, gate):
    net = cifar_net(8, name, 4, gate_bias=bias)
    shortcut = net.stage1.block1.shortcut
    torch.testing.assert_close(shortcut.gate(torch.zeros(1, 4, 2, 2)), torch.full((1, 4, 2, 2), gate))


def test_dropout_is_on_the_shortcut_and_only_while_training(tensors):
    x, fx, carried = tensors
    shortcut = SHORTCUTS["dropout"](4, 8, 2)
    torch.manual_seed(0)
    kept = shortcut(x, fx) - fx
    zero = kept.abs() < 1e-6
    torch.testing.assert_close(kept[~zero], 2 * carried[~zero])
    assert 0.3 < zero[:, 2:6].float().mean() < 0.7
    torch.testing.assert_close(shortcut.eval()(x, fx), fx + carried)


def test_stochastic_depth_skips_residuals_more_often_the_deeper_they_lie(tensors):
    x, fx, carried = tensors
    net = cifar_net(56, "stochastic-depth", 4)
    blocks = [block for stage in (net.stage1, net.stage2, net.stage3) for block in stage]
    assert [b.shortcut.drop.p for b in blocks] == pytest.approx([0.5 * (i + 1) / 27 for i in range(27)])
    shortcut = SHORTCUTS["stochastic-depth"](4, 8, 2, 0.8)  # drops 40 %
    torch.manual_seed(0)
    ways = [((shortcut(x, fx) - carried) / fx).round(decimals=3) for _ in range(400)]
    assert all(way.unique().numel() == 1 for way in ways)  # a whole batch stays or goes
    dropped = sum(float(way.mean()) == 0 for way in ways) / 400
    assert abs(dropped - 0.4) < 4 * math.sqrt(0.24 / 400)
    assert {round(float(way.mean()), 3) for way in ways} == {0.0, 1.667}
    torch.testing.assert_close(shortcut.eval()(x, fx), fx + carried)


def test_rezero_learns_one_number_a_block():
    net, twin = cifar_net(20, "rezero"), cifar_net(20, "A")
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in twin.parameters()) + 9
    net(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(net.get_submodule(f"stage{s}.block{b}.shortcut").alpha.grad != 0 for s in (1, 2, 3) for b in (1, 2, 3))


def test_projections_cost_what_they_say():
    """Closed forms: 1x1 convolutions of all nine blocks of a 20-layer net, 16/32/64 channels."""
    pairs = [(16, 16)] * 3 + [(16, 32)] + [(32, 32)] * 2 + [(32, 64)] + [(64, 64)] * 2
    weights = sum(a * b for a, b in pairs)
    extra = {
        "conv1x1": weights,
        "C": weights + 2 * sum(b for _, b in pairs),
        "B": 16 * 32 + 32 * 64 + 2 * (32 + 64),
        "exclusive-gating": weights + sum(b for _, b in pairs),
        "shortcut-gating": weights + sum(b for _, b in pairs),
        "concat": sum((a + b) * b for a, b in pairs),
        **dict.fromkeys(("none", "A", "scaled", "scaled-both", "dropout", "stochastic-depth"), 0),
        "rezero": 9,
    }
    assert set(extra) == set(SHORTCUTS)
    for name, more in extra.items():
        assert sum(p.numel() for p in cifar_net(20, name).parameters()) == 269_722 + more, name


def reference(order, net, images):
    """The forward pass of an 8-layer option-A net in each order, written out (He et al. 2016, figure 4)."""

    def carried(x, block):
        if block.shortcut.stride == 1:
            return x
        x = x[:, :, ::2, ::2]
        return torch.cat([torch.zeros_like(x[:, ::2]), x, torch.zeros_like(x[:, ::2])], 1)

    x = net.stem.bn(net.stem.conv(images)).relu()
    for number, stage in enumerate((net.stage1, net.stage2, net.stage3)):
        b = stage.block1
        if order == "original":
            x = (b.bn2(b.conv2(b.bn1(b.conv1(x)).relu())) + carried(x, b)).relu()
        elif order == "bn-after-addition":
            x = b.bn2(b.conv2(b.bn1(b.conv1(x)).relu()) + carried(x, b)).relu()
        elif order == "relu-before-addition":
            x = b.bn2(b.conv2(b.bn1(b.conv1(x)).relu())).relu() + carried(x, b)
        elif order == "relu-only-preactivation":
            x = b.bn2(b.conv2(b.bn1(b.conv1(x.relu())).relu())) + carried(x, b)  # relu(relu(x)) = relu(x) at the start
        else:
            first = b.conv1(b.bn1(x).relu()) if number else b.conv1(x)
            x = b.conv2(b.bn2(first).relu()) + carried(x, b)
    if order == "relu-only-preactivation":
        x = x.relu()
    if order == "full-preactivation":
        x = net.final.bn(x).relu()
    return net.fc(x.mean((2, 3)))


@pytest.mark.parametrize("order", ORDERS)
def test_each_order_is_that_of_figure_4(order):
    net = cifar_net(8, "A", 8, activation_order=order).eval()
    for module in net.modules():  # batch norms that do something
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
            torch.nn.init.normal_(module.running_mean)
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(net(images), reference(order, net, images))


def test_orders_change_no_more_parameters_than_their_norms():
    count = {order: sum(p.numel() for p in cifar_net(20, activation_order=order).parameters()) for order in ORDERS}
    # Full pre-activation: the first block lacks bn1 (16), entries normalise 16 and 32 channels instead of 32 and 64,
    # and the final norm has 64.
    full = count.pop("full-preactivation")
    assert set(count.values()) == {269_722} and full == 269_722 + 2 * (64 - 16 - 16 - 32)


def test_pre_activation_leaves_the_shortcut_clean():
    """With F = 0 in every block but the first, what leaves stage 1 is the sum, bit for bit."""
    net = cifar_net(20, activation_order="full-preactivation").eval()
    x = torch.randn(1, 16, 8, 8)
    for block in net.stage1:
        torch.nn.init.zeros_(block.conv2.weight)
    assert torch.equal(net.stage1(x), x)
    assert not torch.equal(cifar_net(20).eval().stage1(x), x)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", SHORTCUTS)
def test_rectifying_in_place_changes_no_bit(name, order):
    net = cifar_net(8, name, 4, activation_order=order)
    plain = copy.deepcopy(net)
    for module in plain.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    images, found = torch.randn(2, 3, 8, 8), []
    for one in (net, plain):
        torch.manual_seed(0)  # of dropout and stochastic depth
        logits = one(images)
        logits.square().sum().backward()
        found.append([logits, *(p.grad for p in one.parameters() if p.grad is not None), *one.buffers()])
    assert all(map(torch.equal, *found)) and len(found[0]) == len(found[1])
    assert any(module.inplace for module in net.modules() if isinstance(module, torch.nn.ReLU))


@pytest.mark.parametrize("order", ORDERS)
def test_nothing_overwrites_what_a_shortcut_reads(order):
    """x and F(x), which is also what the plain net's shortcut returns."""
    for name in ("none", "A"):
        net, kept = cifar_net(14, name, 4, activation_order=order), []
        for module in net.modules():
            if isinstance(module, Shortcut):
                module.register_forward_hook(
                    lambda _m, given, _y, kept=kept: kept.extend((t, t.clone()) for t in given)
                )
        net(torch.randn(2, 3, 8, 8))
        assert len(kept) == 2 * 6 and all(torch.equal(now, then) for now, then in kept)


def test_a_users_merge_may_return_its_input():
    class Kept(Shortcut):
        def merge(self, x, fx):
            return fx if self.changes_shape else x

    block = BasicBlock(4, 4, 1, Kept)
    x = torch.randn(1, 4, 8, 8)
    before = x.clone()
    assert torch.equal(block(x), before.relu()) and torch.equal(x, before)

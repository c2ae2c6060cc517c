"""A fused net against the net it was made from."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reslab import cifar_net
from reslab.fast.fuse import fuse
from reslab.fast.norm import FusedNorm
from reslab.nets import ORDERS, SHORTCUTS, IdentityPadded, register


def make(shortcut="A", block="basic", depth=8, order="original"):
    generator = torch.Generator().manual_seed(0)
    net = cifar_net(depth, shortcut, 8, block, generator=generator, activation_order=order)
    return net.to(memory_format=torch.channels_last)


def batch(count=16, size=8):
    generator = torch.Generator().manual_seed(3)  # of which no ReLU's input is so near 0 that rounding flips it
    images = torch.randn(count, 3, size, size, generator=generator)
    labels = torch.randint(10, (count,), generator=generator)
    return images.contiguous(memory_format=torch.channels_last), labels


def train_step(model, net):
    images, labels = batch()
    net.zero_grad()
    torch.manual_seed(2)  # what is dropped
    logits = model(images)
    F.cross_entropy(logits, labels).backward()
    return logits


@pytest.mark.parametrize(("block", "depth"), [("basic", 14), ("bottleneck", 11)])
@pytest.mark.parametrize(
    ("shortcut", "order"),
    [(shortcut, "original") for shortcut in SHORTCUTS] + [("A", order) for order in list(ORDERS)[1:]],
)
def test_logits_gradients_and_statistics_are_the_nets(shortcut, order, block, depth):
    net = make(shortcut, block, depth, order)
    twin = copy.deepcopy(net)
    logits, expected = train_step(fuse(net), net), train_step(twin, twin)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-6)
    # Float32 sums in another order: relative to the largest gradient of each tensor.
    for (name, mine), theirs in zip(net.named_parameters(), twin.parameters(), strict=True):
        assert (mine.grad - theirs.grad).abs().max() <= 1e-4 * theirs.grad.abs().max() + 1e-7, name
    for (name, mine), theirs in zip(net.named_buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(mine, theirs, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("shortcut", ["none", "A", "B", "C"])
def test_every_norm_activation_and_addition_is_in_a_fused_kernel(shortcut):
    net = make(shortcut, depth=14)
    model = fuse(net)
    used = [node for node in model.graph.nodes if node.op == "call_module"]
    kinds = [type(model.get_submodule(node.target)) for node in used]
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    assert kinds.count(FusedNorm) == norms and nn.BatchNorm2d not in kinds and nn.ReLU not in kinds
    assert not any("add" in str(node.target) for node in model.graph.nodes)


def test_weights_are_shared_and_the_net_is_left_as_it_was():
    net = make()
    names, hooks = list(net.state_dict()), []
    model = fuse(net)
    assert list(net.state_dict()) == names
    assert {id(p) for p in model.parameters()} == {id(p) for p in net.parameters()}
    net.stage1.block1.register_forward_hook(lambda *_: hooks.append(1))
    net(batch()[0])
    assert hooks == [1]


def test_eval_and_train_reach_the_norms_of_both():
    net = make()
    model = fuse(net)
    train_step(model, net)
    model.eval()
    assert not net.stem.bn.training
    tracked = net.stem.bn.num_batches_tracked.clone()
    with torch.inference_mode():
        fused = model(batch()[0])
        torch.testing.assert_close(fused, copy.deepcopy(net).eval()(batch()[0]), rtol=1e-4, atol=1e-5)
    assert net.stem.bn.num_batches_tracked == tracked
    model.train()
    assert net.stem.bn.training


def test_a_users_shortcut_may_hold_any_python(monkeypatch):
    monkeypatch.setattr("reslab.nets.registry.SHORTCUTS", dict(SHORTCUTS))

    @register("moody")
    class Moody(IdentityPadded):
        def merge(self, x, fx):  # a branch on values, which cannot be traced
            return super().merge(x, fx) if float(x.detach().mean()) > -1e9 else fx

    net = make("moody")
    twin = copy.deepcopy(net)
    model = fuse(net)
    torch.testing.assert_close(train_step(model, net), train_step(twin, twin), rtol=1e-4, atol=1e-6)
    fused = [m for m in model.modules() if isinstance(m, FusedNorm)]
    assert len(fused) == 7 and sum(m.relu for m in fused) == 4  # the stem's and each block's first


def test_a_users_shortcut_that_writes_into_its_input_is_noticed(monkeypatch):
    monkeypatch.setattr("reslab.nets.registry.SHORTCUTS", dict(SHORTCUTS))

    @register("rude")
    class Rude(IdentityPadded):
        def merge(self, x, fx):
            return super().merge(x.mul_(0.5), fx)

    net = make("rude")
    for model in (net, fuse(net)):
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            train_step(model, net)

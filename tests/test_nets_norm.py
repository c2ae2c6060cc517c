"""Nets without batch norm: built, trained, told apart and looked into like any other."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reslab import RunConfig, RunStore, cifar_net, train
from reslab.claims.arms import comparisons, nets_of
from reslab.claims.catalogue import CLAIMS
from reslab.fast.fold import Folded
from reslab.fast.tape import Taped
from reslab.figures.style import net_colour, net_label
from reslab.lessons.scale import rescaled
from reslab.nets import ORDERS, deepened
from reslab.nets.cifar import load_state, to_state
from reslab.nets.graph import block_graph
from reslab.probes import recorded_signals, without_norm
from reslab.probes.layers import weighted_layers
from reslab.probes.probing import probe
from reslab.probes.surface import surface
from reslab.widgets.design import changed

CONFIG = RunConfig(depth=8, profile="smoke", norm="none")


def seeded(number=0):
    return torch.Generator().manual_seed(number)


def pictures(count=4, size=8):
    return torch.randn(count, 3, size, size, generator=seeded(1))


@pytest.mark.parametrize("shortcut", ["none", "A", "B"])
@pytest.mark.parametrize("order", ORDERS)
def test_it_is_the_twin_with_batch_norm_without_it(shortcut, order):
    given = dict(width=4, activation_order=order)
    net = cifar_net(8, shortcut, generator=seeded(), norm="none", **given)
    twin = cifar_net(8, shortcut, generator=seeded(), **given)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    own, its = net.state_dict(), twin.state_dict()
    assert own.keys() == {name for name in its if "bn" not in name}
    assert all(torch.equal(tensor, its[name]) for name, tensor in own.items())
    assert torch.equal(net(pictures()), without_norm(twin)(pictures()))


def test_the_original_block_is_convolutions_and_relus_alone():
    net = cifar_net(8, "B", 4, generator=seeded(), norm="none")
    x = F.relu(F.conv2d(pictures(), net.stem.conv.weight, padding=1))
    for block, stride in ((net.stage1.block1, 1), (net.stage2.block1, 2)):
        fx = F.conv2d(F.relu(F.conv2d(x, block.conv1.weight, None, stride, 1)), block.conv2.weight, padding=1)
        x = F.relu(fx + (x if stride == 1 else F.conv2d(x, block.shortcut.conv.weight, None, stride)))
    torch.testing.assert_close(net.stage2(net.stage1(net.stem(pictures()))), x)


def test_pre_activation_adds_its_input_and_not_what_a_relu_has_made_of_it():
    net = cifar_net(14, "A", 4, activation_order="full-preactivation", generator=seeded(), norm="none")
    block, x = net.stage1.block2, torch.randn(2, 4, 8, 8, generator=seeded())
    fx = F.conv2d(F.relu(x), block.conv1.weight, padding=1)
    fx = F.conv2d(F.relu(fx), block.conv2.weight, padding=1)
    torch.testing.assert_close(block(x), x + fx)


@pytest.mark.parametrize("order", ORDERS)
def test_folded_for_evaluation_it_is_the_same(order):
    net = cifar_net(14, "A", 4, activation_order=order, generator=seeded(), norm="none").eval()
    folded = Folded(net)
    with torch.no_grad():
        expected = net(pictures(21))
    found = folded(folded.batches(pictures(21)))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * expected.std().item())
    if order == "original":
        assert [len(m.steps) for m in folded._net.modules() if isinstance(m, Taped)] == [13]


def test_a_run_trains_it_and_every_instrument_looks_into_it(tmp_path):
    run = train(CONFIG, tmp_path, record=("signals",))
    assert run.state == "done" and run.id.startswith("shapes-res8-no-norm-smoke-s0-")
    assert RunStore(tmp_path).run(CONFIG).config == CONFIG
    begun, final = cifar_net(8, "A", 4, generator=seeded(), norm="none").state_dict(), run.weights()
    assert begun.keys() == final.keys() and not torch.equal(begun["stem.conv.weight"], final["stem.conv.weight"])

    convolutions = [name.removesuffix(".weight") for name in begun if "conv" in name]
    assert [row["layer"] for row in recorded_signals(run) if row["iteration"] == 0] == convolutions
    assert [probed.failure for probed in probe([run], ["responses", "signals", "shattering", "paths", "lesions"])] == [
        ""
    ] * 5
    assert surface(run, points=3, images=40).done == 9


def test_a_layer_without_norm_says_so_and_none_is_drawn():
    for norm, kind in (("batch", nn.BatchNorm2d), ("none", type(None))):
        net = cifar_net(8, "A", 4, norm=norm)
        assert {type(layer.norm) for layer in weighted_layers(net)} == {kind}
        assert all((layer.response is layer.conv) == (norm == "none") for layer in weighted_layers(net))
    for order in ORDERS:
        bare, usual = (
            block_graph(cifar_net(14, "B", 4, activation_order=order, norm=n).stage2.block1) for n in ("none", "batch")
        )
        assert [op.kind for op in bare.ops] == [op.kind for op in usual.ops if op.kind != "bn"]


def test_claims_are_of_nets_with_batch_norm(tmp_path):
    runs = [train(RunConfig(8, s, "smoke", norm=n), tmp_path) for s in ("none", "A") for n in ("batch", "none")]
    compared = [comparison for claim in CLAIMS.values() for comparison in comparisons(claim, nets_of(runs))]
    seen = [net.config.norm for comparison in compared for net in comparison.nets.values()]
    assert seen and set(seen) == {"batch"}


def test_another_profile_leaves_it_without():
    assert changed(CONFIG, [], dict(profile="demo")).norm == "none"


def test_its_runs_and_labels_are_its_own():
    for depth, shortcut, name, label in ((56, "none", "plain56", "plain-56"), (20, "A", "res20", "ResNet-20")):
        usual, bare = (RunConfig(depth, shortcut, norm=norm) for norm in ("batch", "none"))
        assert (usual.net_name, bare.net_name) == (name, f"{name}-no-norm") and usual.id != bare.id
        assert (net_label(usual), net_label(bare)) == (label, f"{label} (no BN)")
        assert net_colour(usual) != net_colour(bare)
    assert RunConfig(20, norm="batch") == RunConfig(20)
    assert net_label(RunConfig(20, "B", norm="none")) == "ResNet-20 (B, no BN)"


def test_what_has_no_such_nets_says_so():
    with pytest.raises(ValueError, match="norm='layer' is unknown; allowed: batch, none"):
        cifar_net(8, norm="layer")
    with pytest.raises(ValueError, match="norm='none' is not possible; allowed: of family='imagenet': batch"):
        RunConfig(18, family="imagenet", norm="none")
    with pytest.raises(ValueError, match="norm='none' is not possible; allowed: of family='dncnn': batch"):
        RunConfig(task="denoising", norm="none")
    bare = cifar_net(8, norm="none")
    with pytest.raises(ValueError, match="build the net with these"):
        to_state(bare)
    with pytest.raises(ValueError, match="build the net with these"):
        load_state(bare, to_state(cifar_net(8)))
    with pytest.raises(ValueError, match="only nets of norm='batch' can be deepened"):
        deepened(bare, 14)
    with pytest.raises(ValueError, match="take a run with norm='batch'"):
        rescaled(bare, 4)

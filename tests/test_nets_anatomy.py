"""Layer tables against torchvision's published counts and sums done by hand."""

import pytest
import torch
import torchvision

from reslab import cifar_net
from reslab.nets import anatomy


@pytest.mark.parametrize("depth", [20, 56, 110])
@pytest.mark.parametrize("shortcut", ["none", "A", "C"])
def test_weighted_layers_are_the_depth(depth, shortcut):
    assert anatomy(cifar_net(depth, shortcut)).weighted_layers == depth


def test_multiply_adds_by_hand():
    n = 3
    stem = 3 * 16 * 9 * 32 * 32
    stage1 = 2 * n * 16 * 16 * 9 * 32 * 32
    stage2 = (16 * 32 + (2 * n - 1) * 32 * 32) * 9 * 16 * 16
    stage3 = (32 * 64 + (2 * n - 1) * 64 * 64) * 9 * 8 * 8
    assert anatomy(cifar_net(20, "A")).multiply_adds == stem + stage1 + stage2 + stage3 + 64 * 10


@pytest.mark.parametrize(
    ("name", "layers", "parameters", "multiply_adds"),
    [("resnet34", 34, 21_797_672, 3.66e9), ("resnet101", 101, 44_549_160, 7.80e9)],  # torchvision's documentation
)
def test_a_net_of_another_library(name, layers, parameters, multiply_adds):
    table = anatomy(getattr(torchvision.models, name)(), (3, 224, 224))
    assert table.weighted_layers == layers
    assert table.parameters == parameters
    assert abs(table.multiply_adds / multiply_adds - 1) < 0.01


def test_rows_name_shapes_in_running_order_and_leave_the_net_alone():
    net = cifar_net(8, "B")
    net.stage2.eval()
    before = [(m.training, len(m._forward_hooks)) for m in net.modules()]
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    rows = {layer.name: layer for layer in anatomy(net)}
    assert rows["stem.conv"].output_shape == (16, 32, 32)
    assert rows["stage3.block1.conv1"].output_shape == (64, 8, 8)
    assert rows["stage3.block1.shortcut.conv"].parameters == 32 * 64
    assert [rows[f"stage{s}.block1.conv2"].weighted_layers for s in (1, 2, 3)] == [3, 5, 7]
    assert [(m.training, len(m._forward_hooks)) for m in net.modules()] == before
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())


def test_table_shows_totals():
    table = anatomy(cifar_net(20, "none"))
    assert "269,722" in str(table).splitlines()[-1]
    assert "269,722" in table._repr_html_()

"""What the family's nets weigh and cost, against printed numbers and sums done by hand."""

from itertools import pairwise

import pytest
from torch import nn

from reslab import imagenet_net
from reslab.nets.family import PRINTED, family_costs, net_cost, stride_costs

# shared/FACTS.md, section 3.
TORCHVISION = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}


@pytest.fixture(scope="module")
def costs():
    return {cost.name: cost for cost in family_costs()}


def test_nets_come_from_shallow_to_deep_and_vgg_last(costs):
    names = "plain-18 ResNet-18 plain-34 ResNet-34 ResNet-50 ResNet-101 ResNet-152 VGG-16 VGG-19"
    assert list(costs) == names.split()
    assert [cost.layers for cost in costs.values()] == [18, 18, 34, 34, 50, 101, 152, 16, 19]


def test_parameters_are_torchvisions(costs):
    residual = [cost for cost in costs.values() if cost.kind == "residual"]
    assert {cost.layers: cost.parameters for cost in residual} == TORCHVISION
    assert all(cost.torchvision == cost.parameters for cost in residual)


def test_vgg_by_hand(costs):
    """Configuration D of Simonyan and Zisserman: 13 convolutions, three fully connected layers, biases included."""
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    sides = [224] * 2 + [112] * 2 + [56] * 3 + [28] * 3 + [14] * 3
    weights = [9 * a * b for a, b in pairwise(widths)]
    fully = [25_088 * 4096, 4096 * 4096, 4096 * 1000]
    biases = sum(widths[1:]) + 4096 + 4096 + 1000
    assert costs["VGG-16"].parameters == sum(weights) + sum(fully) + biases
    convolutions = sum(w * side**2 for w, side in zip(weights, sides, strict=True))
    assert costs["VGG-16"].multiply_adds == convolutions + sum(fully)
    assert fully[0] > costs["ResNet-152"].parameters  # as the notebook says


def test_multiply_adds_are_near_what_the_paper_prints(costs):
    for cost in costs.values():
        v1_5 = 0.231 if cost.kind == "residual" and cost.layers >= 50 else 0.0
        assert cost.printed == PRINTED[cost.name if cost.kind == "vgg" else str(cost.layers)]
        # The paper counts VGG's convolutions alone, and cuts 3.66 to 3.6.
        assert cost.multiply_adds / 1e9 == pytest.approx(cost.printed + v1_5, abs=0.18)
    assert costs["ResNet-152"].multiply_adds < costs["VGG-16"].multiply_adds < costs["VGG-19"].multiply_adds


def test_the_stride_on_the_3x3_costs_three_layers_four_times_their_pixels():
    """conv3_x, conv4_x and conv5_x begin with a 1x1 that sees four times the pixels; as much in each by hand."""
    for first, second in stride_costs():
        more = sum((4 - 1) * (28 // 2**i) ** 2 * (256 * 2**i) * (128 * 2**i) for i in range(3))
        assert second.multiply_adds - first.multiply_adds == more == 231_211_008
        assert second.parameters == first.parameters
        assert first.multiply_adds / 1e9 == pytest.approx(first.printed, abs=0.06)


def test_ten_classes_change_the_last_layer_alone():
    ten = imagenet_net(18, num_classes=10)
    assert net_cost("ten", ten).parameters == TORCHVISION[18] - 990 * (512 + 1)
    assert isinstance(ten.fc, nn.Linear) and ten.fc.out_features == 10

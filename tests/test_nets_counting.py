"""Layers counted from modules, against the paper's own sums and against the layer table of a forward pass."""

import pytest

from reslab import cifar_net
from reslab.nets import anatomy
from reslab.nets.counting import count_layers, difference
from reslab.nets.family import imagenet_family
from reslab.nets.parts import parts

NETS = imagenet_family()


@pytest.mark.parametrize(
    ("depth", "formula"),  # shared/FACTS.md, sections 3 and 5
    [
        (18, "1 + (2 + 2 + 2 + 2) × 2 + 1 = 1 + 8 × 2 + 1 = 18"),
        (34, "1 + (3 + 4 + 6 + 3) × 2 + 1 = 1 + 16 × 2 + 1 = 34"),
        (50, "1 + (3 + 4 + 6 + 3) × 3 + 1 = 1 + 16 × 3 + 1 = 50"),
        (101, "1 + (3 + 4 + 23 + 3) × 3 + 1 = 1 + 33 × 3 + 1 = 101"),
        (152, "1 + (3 + 8 + 36 + 3) × 3 + 1 = 1 + 50 × 3 + 1 = 152"),
    ],
)
def test_the_count_is_the_papers(depth, formula):
    count = count_layers(NETS[depth])
    assert count.formula == formula and count.total == depth
    assert [so_far for *_, so_far in count.aloud()][-1] == anatomy(NETS[depth], (3, 224, 224)).weighted_layers


def test_101_layers_out_loud():
    assert count_layers(NETS[101]).words == (
        "conv1 is 1 layer. conv2_x has 3 blocks of 3 layers: 9. conv3_x has 4 blocks of 3 layers: 12. conv4_x has 23 "
        "blocks of 3 layers: 69. conv5_x has 3 blocks of 3 layers: 9. fc is 1 layer. Together 101. Not counted: 104 "
        "batch norms and 4 convolutions on shortcuts, pooling and activations."
    )


@pytest.mark.parametrize(
    ("shallow", "deep", "sentence"),
    [
        (50, 101, "From 50 to 101 layers: 17 more blocks, all in conv4_x; 17 × 3 = 51 layers."),
        (34, 50, "From 34 to 50 layers: the same 16 blocks, but 3 layers a block instead of 2; 16 × 1 = 16 layers."),
        (101, 152, "From 101 to 152 layers: 17 more blocks, 4 in conv3_x and 13 in conv4_x; 17 × 3 = 51 layers."),
        (
            18,
            50,
            "From 18 to 50 layers: 8 more blocks, 1 in conv2_x, 2 in conv3_x, 4 in conv4_x and 1 in conv5_x; and "
            "3 layers a block instead of 2; 32 layers.",
        ),
    ],
)
def test_where_the_layers_are_that_a_deeper_net_has_more(shallow, deep, sentence):
    assert difference(count_layers(NETS[shallow]), count_layers(NETS[deep])) == sentence


def test_a_plain_net_and_a_cifar_net_are_counted_too():
    plain = count_layers(imagenet_family(shortcut="A")[18])
    assert plain.total == 18 and "on shortcuts" not in plain.uncounted
    assert count_layers(cifar_net(20)).formula == "1 + (3 + 3 + 3) × 2 + 1 = 1 + 9 × 2 + 1 = 20"


def test_convolutions_on_shortcuts_are_aside_whatever_their_number():
    everywhere = parts(imagenet_family(shortcut="C")[50])
    assert sum(part.aside["Conv2d"] for part in everywhere) == 16  # one a block
    assert sum(part.layers for part in everywhere) == 50
    assert [part.name for part in everywhere] == ["conv1", "conv2_x", "conv3_x", "conv4_x", "conv5_x", "fc"]

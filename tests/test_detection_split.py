"""Where a detector is split, against the numbers of He et al. 2015 and against torchvision's own layers."""

import re

import pytest
import torch
from torchvision.models import resnet50

from reslab.detection.split import split
from reslab.figures import split_bars, split_drawing, split_table
from reslab.nets.anatomy import anatomy


@pytest.mark.parametrize(("depth", "shared"), [(50, 40), (101, 91), (152, 142)])
def test_nine_layers_make_2048_features_of_a_map_of_14x14x1024(depth, shared):
    """depth = shared + 9 + the fully connected layer, which a detector has not."""
    found = split(depth)
    assert (found.shared_layers, found.head_layers, found.maps) == (shared, 9, (1024, 14, 14))
    assert found.shared_layers + found.head_layers + 1 == depth and found.features == 2048 and found.boxes == 300


def test_the_plain_twin_has_the_same_parts():
    assert split(18, "none", (96, 128)) == split(18, "A", (96, 128))


def test_costs_are_those_of_torchvisions_layers():
    found, theirs = split(50, size=(64, 96)), resnet50()
    shared = torch.nn.Sequential(*list(theirs.children())[:7])
    head = torch.nn.Sequential(theirs.layer4, theirs.avgpool)
    assert found.shared_adds == anatomy(shared, (3, 64, 96)).multiply_adds
    assert found.head_adds == anatomy(head, (1024, 14, 14)).multiply_adds
    assert found.heads_adds == found.boxes * found.head_adds


def test_table_and_bars_say_what_was_counted():
    splits = [split(depth) for depth in (18, 101)]
    rows = split_table(splits)
    assert rows[1] == {
        "net": "ResNet-101",
        "convolutions shared": "91",
        "in conv5_x": "9",
        "a box's map": "14×14×1,024",
        "features of a box": "2,048",
    }
    once, often = split_bars(splits).data
    assert list(once.x) == [each.shared_adds / 1e9 for each in splits]
    assert list(often.x) == [300 * each.head_adds / 1e9 for each in splits] and often.text[1].endswith("in 9 layers")
    with pytest.raises(ValueError, match="no detector"):
        split_bars([])


def test_the_drawing_says_how_often_each_part_runs():
    drawn = str(split_drawing(split(101)))
    words = re.findall(r"<text[^>]*>([^<]+)</text>", drawn)
    assert {"91 convolutions", "once", "9 convolutions", "300 times", "14×14×1,024 each"} <= set(words)
    assert "2,048 features of each box" in words and 'role="img"' in drawn

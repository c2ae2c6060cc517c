"""Where a detector splits a ResNet, and what the two parts cost: one runs once a picture, the other once a box."""

from collections import OrderedDict
from dataclasses import dataclass
from math import prod

from torch import nn

from ..nets.anatomy import Anatomy, anatomy
from ..nets.family import weightless
from .budget import Budget
from .net import Layers, faster_rcnn


@dataclass(frozen=True)
class Split:
    """The shared part, conv1 to conv4_x, and the head, conv5_x and pooling, counted on the modules.

    Layers are convolutions on the main path; multiply-adds of the shared part are for one picture, those of the head
    for one box, of which there are `boxes` a picture at most.
    """

    depth: int
    shared_layers: int
    head_layers: int
    maps: tuple[int, int, int]  # channels, height and width of a box's map, which the head takes
    features: int  # which it makes of it
    shared_adds: int
    head_adds: int
    boxes: int

    @property
    def heads_adds(self) -> int:
        """Multiply-adds of the head on all boxes of a picture."""
        return self.boxes * self.head_adds


def split(depth: int, shortcut: str = "B", size: tuple[int, int] = (600, 800), **options: object) -> Split:
    """Counts the two parts of the detector of `depth` layers for a picture of `size`, height and width in pixels as the
    net sees it. `options` are those of reslab.detection.net.faster_rcnn; nothing is computed but shapes.
    """
    net = weightless(lambda: faster_rcnn(depth, shortcut, image_size=min(size), **options))
    shared, head = _table(net.backbone, (3, *size)), net.roi_heads.box_head
    maps = (net.backbone.out_channels, *net.roi_heads.box_roi_pool.output_size)
    table, boxes = _table(head, maps), Budget.of(min(size)).proposals_tested
    features = prod(table[-1].output_shape)
    numbers = shared.multiply_adds, table.multiply_adds
    return Split(depth, shared.weighted_layers, table.weighted_layers, maps, features, *numbers, boxes)


def _table(part: Layers, shape: tuple[int, int, int]) -> Anatomy:
    """Its layers one after the other, as it runs them; without its autocast, which knows no meta device."""
    return anatomy(nn.Sequential(OrderedDict(part.named_children())), shape)

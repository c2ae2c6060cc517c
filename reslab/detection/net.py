"""Faster R-CNN on a net of the ImageNet family (He et al. 2015, appendix A; Ren et al. 2015, 1506.01497).

conv1 to conv4_x see the whole picture, once; the region proposal network and the RoI pooling both read their map.
conv5_x runs on each RoI's 14x14 map, in the place of VGG's fully connected layers. Everything else is torchvision's.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.roi_heads import fastrcnn_loss
from torchvision.ops import FrozenBatchNorm2d, MultiScaleRoIAlign

from ..nets.imagenet import ImageNetNet, imagenet_net
from ..nets.layouts import load_renamed
from ..nets.plugins import Plugin
from .budget import SIDE, Budget

ANCHORS = (128, 256, 512)  # pixels, in pictures with a shorter side of SIDE (Ren et al. 2015, section 3.3)
RATIOS = (0.5, 1.0, 2.0)  # height to width
LONGER = 1000  # what the longer side may have there
ROI = 14  # height and width of a RoI's map

Target = Mapping[str, torch.Tensor]


class Layers(nn.Module):
    """Layers of a classifier, one after the other. With `bf16` they run under autocast; what comes out is float32
    either way: anchors, boxes and losses take its precision.
    """

    bf16 = False

    def __init__(self, layers: Mapping[str, nn.Module]):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16, cache_enabled=False):
            for layer in self.children():
                x = layer(x)
        return x.float()


class Shared(Layers):
    """conv1 to conv4_x: pictures [N, 3, H, W] -> one map each [N, out_channels, H / stride, W / stride], of 1,024
    channels with bottlenecks and 256 with basic blocks, at width 64. The stride is 16, with `stem="cifar"` 4.
    """

    def __init__(self, net: ImageNetNet):
        names = ("conv1", "maxpool", "conv2_x", "conv3_x", "conv4_x")
        super().__init__({name: net.get_submodule(name) for name in names})
        self.out_channels = _channels(net.conv4_x)
        self.stride = 16 if net.stem == "imagenet" else 4


class Conv5Head(Layers):
    """conv5_x and global average pooling: RoIs' maps [R, C, 14, 14] -> [R, out_channels], of 2,048 channels with
    bottlenecks and 512 with basic blocks, at width 64.
    """

    def __init__(self, net: ImageNetNet):
        final = {} if net.final is None else dict(final=net.final)
        super().__init__(dict(conv5_x=net.conv5_x) | final | dict(pool=net.pool))
        self.out_channels = _channels(net.conv5_x)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return super().forward(maps).flatten(1)


class Detector(FasterRCNN):
    """torchvision's Faster R-CNN with `shared` as its backbone and `head` on each RoI. In evaluation, pictures (a list
    of float [3, H, W] in 0..1, of any sizes) -> a dict each: boxes [n, 4] in the picture's pixels (x1, y1, x2, y2),
    labels [n] from 1, scores [n]; in training mode, pictures and targets -> a dict of losses. See also `losses`.
    """

    def __init__(self, shared: Shared, head: Conv5Head, classes: int, image_size: int):
        budget = Budget.of(image_size)
        scale = image_size / SIDE
        super().__init__(
            shared,
            min_size=image_size,
            max_size=image_size * LONGER // SIDE,
            size_divisible=shared.stride,
            rpn_anchor_generator=AnchorGenerator((tuple(side * scale for side in ANCHORS),), (RATIOS,)),
            rpn_pre_nms_top_n_train=budget.candidates,
            rpn_pre_nms_top_n_test=budget.candidates,
            rpn_post_nms_top_n_train=budget.proposals,
            rpn_post_nms_top_n_test=budget.proposals_tested,
            rpn_batch_size_per_image=budget.anchors,
            # As many samples a bin as it has cells of the map: in small pictures one, where the usual four are wasted.
            box_roi_pool=MultiScaleRoIAlign(["0"], ROI, sampling_ratio=0),
            box_head=head,
            box_predictor=FastRCNNPredictor(head.out_channels, classes + 1),
            box_batch_size_per_image=budget.rois,
        )

    @property
    def bf16(self) -> bool:
        """Whether the layers of the classifier run in bfloat16; the rest is float32 always."""
        return self.backbone.bf16

    @bf16.setter
    def bf16(self, wanted: bool) -> None:
        self.backbone.bf16 = self.roi_heads.box_head.bf16 = wanted

    def losses(
        self, images: Sequence[torch.Tensor], targets: Sequence[Target]
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """(the four losses by torchvision's names, percent of the sampled RoIs that are given a wrong class).

        In training mode the losses are those of `forward`. In evaluation too there are losses, with batch norm's
        running statistics. Which anchors and RoIs are sampled is drawn from torch's global random numbers.
        """
        pictures, targets = self.transform(list(images), list(targets))
        features = OrderedDict([("0", self.backbone(pictures.tensors))])
        self.rpn.training = True  # only then does it compare and sample; its layers know no modes
        proposals, losses = self.rpn(pictures, features, targets)
        self.rpn.training = self.training
        heads = self.roi_heads
        rois, _, labels, offsets = heads.select_training_samples(proposals, targets)
        maps = heads.box_roi_pool(features, rois, pictures.image_sizes)
        logits, boxes = heads.box_predictor(heads.box_head(maps))
        classified, placed = fastrcnn_loss(logits, boxes, labels, offsets)
        wrong = 100 * (logits.detach().argmax(1) != torch.cat(labels)).float().mean()
        return losses | dict(loss_classifier=classified, loss_box_reg=placed), wrong


def faster_rcnn(
    depth: int = 101,
    shortcut: str = "B",
    classes: int = 20,
    width: int = 64,
    stem: str = "imagenet",
    stride_on: str = "3x3",
    image_size: int = 600,
    fixed_norm: bool = False,
    generator: torch.Generator | None = None,
    *,
    activation_order: str = "original",
    gate_bias: float | None = None,
    plugins: Sequence[str | Path | Plugin] = (),
) -> Detector:
    """Faster R-CNN on the net of 18, 34, 50, 101 or 152 layers, for `classes` classes, background not counted.

    Pictures are resized to a shorter side of `image_size` pixels, anchors and budgets in proportion. With `fixed_norm`,
    which is for the weights of a trained classifier (see load_classifier), batch norm does what it does in evaluation,
    and nothing in it is trained (He et al. 2015, appendix A). The net has He initialisation; the layers that a
    classifier does not have begin with a standard deviation of 0.01, that of the boxes with 0.001 (Girshick 2015,
    1504.08083, section 3.1). The rest, and what is raised, is as in reslab.imagenet_net.
    """
    net = imagenet_net(
        depth,
        shortcut,
        stem=stem,
        stride_on=stride_on,
        width=width,
        generator=generator,
        activation_order=activation_order,
        gate_bias=gate_bias,
        plugins=plugins,
    )
    if fixed_norm:
        _fix_batch_norm(net)
    detector = Detector(Shared(net), Conv5Head(net), classes, image_size)
    predictor = detector.roi_heads.box_predictor
    for layer in (*detector.rpn.head.modules(), *predictor.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            std = 0.001 if layer is predictor.bbox_pred else 0.01
            nn.init.normal_(layer.weight, std=std, generator=generator)
            nn.init.zeros_(layer.bias)
    return detector


def load_classifier(detector: Detector, weights: Mapping[str, torch.Tensor]) -> Detector:
    """Puts the weights of a trained ImageNetNet, its state dict, into `detector`, all but its classifier's, and returns
    it. Raises ValueError, saying where they differ, for weights of another net.
    """
    parts = nn.ModuleList([detector.backbone, detector.roi_heads.box_head])
    names = {name: name.partition(".")[2] for name in parts.state_dict()}
    wanted = set(names.values())

    def left_out(name: str) -> bool:
        counts = name.endswith(".num_batches_tracked") and name not in wanted  # fixed batch norm counts no batches
        return name.startswith("fc.") or counts

    load_renamed(parts, names, {name: tensor for name, tensor in weights.items() if not left_out(name)})
    return detector


def _channels(stage: nn.Sequential) -> int:
    return stage[-1].shortcut.out_channels


def _fix_batch_norm(net: nn.Module) -> None:
    """Replaces batch norm by what it does in evaluation, with nothing in it that is trained."""
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                fixed = FrozenBatchNorm2d(child.num_features, child.eps)
                fixed.load_state_dict(child.state_dict())
                setattr(module, name, fixed)

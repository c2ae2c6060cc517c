"""What a trained detector says of a picture, and what it looks at on the way there: proposals, and a RoI's map.

Pictures may be of any size: those that are larger than the net sees them are made smaller as in training (see
reslab.detection.source.fitted), and what is found is told in the pixels of the picture that was given.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.models.detection.transform import ImageList, resize_boxes

from .net import Detector
from .source import fitted


class Detections(NamedTuple):
    """Boxes float [n, 4] in the picture's pixels (x1, y1, x2, y2), labels int64 [n] from 1, scores float [n] in 0..1,
    the highest first; all on the CPU.
    """

    boxes: torch.Tensor
    labels: torch.Tensor
    scores: torch.Tensor


class Proposals(NamedTuple):
    """Boxes float [n, 4] in the picture's pixels, of whatever class, and scores float [n] in 0..1, the highest first;
    all on the CPU.
    """

    boxes: torch.Tensor
    scores: torch.Tensor


def detect(net: Detector, picture: torch.Tensor) -> Detections:
    """What `net` detects in a picture, uint8 [3, H, W]: everything with a score above 0.05, as in evaluation."""
    with _looking(net):
        image = _prepared(net, picture)
        (found,) = net([image])
    boxes = resize_boxes(found["boxes"], image.shape[1:], picture.shape[1:])
    return Detections(boxes.cpu(), found["labels"].cpu(), found["scores"].cpu())


def proposals(net: Detector, picture: torch.Tensor) -> Proposals:
    """Where the region proposal network of `net` sees an object in a picture, uint8 [3, H, W]: what becomes RoIs."""
    rpn = net.rpn
    with _looking(net):
        image, features = _seen(net, picture)
        objectness, deltas = rpn.head(list(features.values()))
        anchors = rpn.anchor_generator(image, list(features.values()))
        objectness, deltas = concat_box_prediction_layers(objectness, deltas)
        boxes = rpn.box_coder.decode(deltas, anchors).view(1, -1, 4)
        (boxes,), (scores,) = rpn.filter_proposals(boxes, objectness, image.image_sizes, [boxes.shape[1]])
        return Proposals(resize_boxes(boxes, image.image_sizes[0], picture.shape[1:]).cpu(), scores.cpu())


def roi_map(net: Detector, picture: torch.Tensor, box: torch.Tensor | Sequence[float]) -> torch.Tensor:
    """What conv5_x is given for a box (x1, y1, x2, y2, in the pixels) of a picture, uint8 [3, H, W]: float
    [C, 14, 14], on the CPU.
    """
    with _looking(net):
        image, features = _seen(net, picture)
        boxes = torch.as_tensor(box, dtype=torch.float32, device=image.tensors.device)[None]
        boxes = resize_boxes(boxes, picture.shape[1:], image.image_sizes[0])
        return net.roi_heads.box_roi_pool(features, [boxes], image.image_sizes)[0].cpu()


@contextmanager
def _looking(net: Detector) -> Iterator[None]:
    """The net in evaluation, without gradients; afterwards in the mode that it was in."""
    training = net.training
    net.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        net.train(training)


def _prepared(net: Detector, picture: torch.Tensor) -> torch.Tensor:
    image = fitted(picture, net.transform.min_size[0])
    return image.to(next(net.parameters()).device).float() / 255


def _seen(net: Detector, picture: torch.Tensor) -> tuple[ImageList, OrderedDict[str, torch.Tensor]]:
    """The picture as the net wants it, and the map of its shared layers."""
    image, _ = net.transform([_prepared(net, picture)])
    return image, OrderedDict([("0", net.backbone(image.tensors))])

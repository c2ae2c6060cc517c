"""What a detector says of a picture, against torchvision's own operations."""

import pytest
import torch
from torchvision.ops import box_iou, roi_align

from reslab.detection.looking import Detections, Proposals, detect, proposals, roi_map
from reslab.detection.net import Detector, faster_rcnn
from reslab.detection.source import fitted

HEIGHT, WIDTH = 64, 96


@pytest.fixture(scope="module")
def net() -> Detector:
    net = faster_rcnn(18, "A", 3, 8, "cifar", image_size=32, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    for _ in range(3):  # running statistics that fit
        net.losses([torch.rand(3, 32, 48)], [dict(boxes=torch.tensor([[4.0, 4, 30, 20]]), labels=torch.tensor([1]))])
    return net.eval()


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return torch.randint(0, 256, (3, HEIGHT, WIDTH), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def inside(boxes: torch.Tensor) -> bool:
    return bool((boxes >= 0).all() and (boxes[:, 0::2] <= WIDTH).all() and (boxes[:, 1::2] <= HEIGHT).all())


def test_detections_are_the_nets(net, picture):
    found = detect(net, picture)
    assert isinstance(found, Detections) and len(found.scores) > 0
    with torch.inference_mode():
        (expected,) = net([fitted(picture, 32) / 255])
    assert torch.equal(found.labels, expected["labels"]) and torch.equal(found.scores, expected["scores"])
    torch.testing.assert_close(found.boxes, expected["boxes"] * 2)  # the net sees the picture at half its size
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    assert inside(found.boxes) and set(found.labels.tolist()) <= {1, 2, 3}


def test_proposals_are_what_becomes_rois(net, picture):
    seen = []
    hook = net.rpn.register_forward_hook(lambda _module, _inputs, output: seen.append(output[0][0]))
    detect(net, picture)
    hook.remove()
    found = proposals(net, picture)
    assert isinstance(found, Proposals) and len(found.boxes) == len(found.scores) == 32
    torch.testing.assert_close(found.boxes, seen[0] * 2)
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    assert inside(found.boxes) and found.scores.min() >= 0 and found.scores.max() <= 1
    overlaps = box_iou(found.boxes, found.boxes).fill_diagonal_(0)
    assert overlaps.max() <= 0.7 + 1e-4  # non-maximum suppression


@pytest.mark.parametrize("box", [(10, 20, 50, 60), (0, 0, WIDTH, HEIGHT)])
def test_a_rois_map_is_cut_from_conv4_x(net, picture, box):
    half = fitted(picture, 32)[None] / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        whole = net.backbone((half - mean) / std)
    cells = torch.tensor([[0, *box]]) / 2 / 4  # half the size, a cell for 4 pixels
    expected = roi_align(whole, cells, 14, sampling_ratio=-1)[0]
    found = roi_map(net, picture, box)
    assert found.shape == (32, 14, 14)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(found, roi_map(net, picture, torch.tensor(box)))


@pytest.mark.parametrize("training", [True, False])
def test_looking_leaves_the_net_as_it_was(picture, training):
    net = faster_rcnn(18, "A", 3, 8, "cifar", image_size=32, generator=torch.Generator().manual_seed(0))
    net.train(training)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    detect(net, picture), proposals(net, picture), roi_map(net, picture, (0, 0, 9, 9))
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(module.training == training for module in net.modules())

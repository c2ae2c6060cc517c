"""The detector against one assembled from torchvision's own parts, and against the numbers of the articles."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.ops import FrozenBatchNorm2d, MultiScaleRoIAlign

from reslab import imagenet_net
from reslab.detection.budget import Budget
from reslab.detection.net import Detector, faster_rcnn, load_classifier
from reslab.nets.imagenet import DEPTHS, load_torchvision
from reslab.nets.registry import Shortcut

HEAD = "roi_heads.box_head."


def seeded(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def small(shortcut: str = "A", **values) -> Detector:
    return faster_rcnn(18, shortcut, 3, 8, "cifar", image_size=48, generator=seeded(), **values)


def pictures(*sizes: tuple[int, int]) -> tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]:
    """Noise of these heights and widths, with two boxes each."""
    images = [torch.rand(3, *size, generator=seeded(7)) for size in sizes]
    boxes = [torch.tensor([[0.1, 0.1, 0.4, 0.6], [0.5, 0.3, 0.95, 0.9]]) * torch.tensor([w, h, w, h]) for h, w in sizes]
    return images, [dict(boxes=box, labels=torch.tensor([1, 3])) for box in boxes]


def total(losses: dict[str, torch.Tensor]) -> torch.Tensor:
    return sum(losses.values())


def main_path(part: nn.Module) -> list[nn.Conv2d]:
    aside = {module for each in part.modules() if isinstance(each, Shortcut) for module in each.modules()}
    return [module for module in part.modules() if isinstance(module, nn.Conv2d) and module not in aside]


class Assembled(nn.Module):
    """torchvision's ResNet up to layer3, as the backbone of its FasterRCNN."""

    def __init__(self, net: models.ResNet, channels: int):
        super().__init__()
        names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3")
        self.body = nn.Sequential(OrderedDict((name, net.get_submodule(name)) for name in names))
        self.out_channels = channels

    def forward(self, images):
        return self.body(images)


@pytest.mark.parametrize(("depth", "channels", "sizes"), [(18, 256, [(90, 120), (200, 150)]), (50, 1024, [(90, 120)])])
def test_it_is_the_detector_assembled_from_torchvisions_resnet(depth, channels, sizes):
    """At a quarter of the published size: every number here is a quarter of that of the articles."""
    resnet = models.get_model(f"resnet{depth}")
    for name, tensor in resnet.state_dict().items():
        if ("bn" in name or "downsample.1" in name) and tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=seeded(len(name))) * 0.5 + 0.25)
    ours = faster_rcnn(depth, "B", 3, image_size=150, generator=seeded())
    load_classifier(ours, load_torchvision(imagenet_net(depth), resnet.state_dict()).state_dict())
    theirs = FasterRCNN(
        Assembled(resnet, channels),
        min_size=150,
        max_size=250,
        size_divisible=16,
        rpn_anchor_generator=AnchorGenerator(((32, 64, 128),), ((0.5, 1.0, 2.0),)),
        rpn_pre_nms_top_n_train=1500,
        rpn_pre_nms_top_n_test=1500,
        rpn_post_nms_top_n_train=500,
        rpn_post_nms_top_n_test=75,
        rpn_batch_size_per_image=64,
        box_roi_pool=MultiScaleRoIAlign(["0"], 14, sampling_ratio=0),
        box_head=nn.Sequential(resnet.layer4, resnet.avgpool, nn.Flatten()),
        box_predictor=FastRCNNPredictor(2 * channels, 4),
        box_batch_size_per_image=16,
    )
    for name, layer in ours.named_modules():  # the layers that no classifier has, so far from 0 that they matter
        if name.startswith(("rpn.head", "roi_heads.box_predictor")) and isinstance(layer, nn.Conv2d | nn.Linear):
            layer.weight.data *= 3
            theirs.get_submodule(name).load_state_dict(layer.state_dict())
    images, targets = pictures(*sizes)
    results = []
    for net in (ours, theirs):
        torch.manual_seed(3)
        losses = net.train()(images, targets)
        total(losses).backward()
        with torch.inference_mode():
            results.append((losses, net.eval()(images)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-3, atol=1e-4)
    assert sum(len(found["boxes"]) for found in results[0][1]) > 0
    for mine, same in (
        ("backbone.conv1.conv", "backbone.body.conv1"),
        (f"{HEAD}conv5_x.block1.conv1", f"{HEAD}0.0.conv1"),
    ):
        gradients = [net.get_submodule(name).weight.grad for net, name in ((ours, mine), (theirs, same))]
        torch.testing.assert_close(*gradients, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("depth", DEPTHS)
def test_layers_of_both_parts_are_those_of_the_paper(depth):
    with torch.device("meta"):
        net = faster_rcnn(depth, "B")
    assert 1 + len(main_path(net.backbone)) + len(main_path(net.roi_heads.box_head)) == depth
    bottleneck = DEPTHS[depth][0] == "bottleneck"
    assert net.backbone.out_channels == (1024 if bottleneck else 256)
    assert net.roi_heads.box_head.out_channels == (2048 if bottleneck else 512)
    assert net.roi_heads.box_predictor.cls_score.weight.shape == (21, 2048 if bottleneck else 512)
    if depth == 101:  # "totally 91 conv layers in ResNet-101" (He et al. 2015, appendix A), and conv5_x's nine
        assert len(main_path(net.backbone)) == 91 and len(main_path(net.roi_heads.box_head)) == 9


def test_a_rois_map_is_14x14x1024_and_becomes_2048_features():
    net, seen = faster_rcnn(50, "B", image_size=64, generator=seeded()), []
    net.roi_heads.box_head.conv5_x.register_forward_hook(lambda _m, inputs, output: seen.append((inputs[0], output)))
    net.roi_heads.box_head.register_forward_hook(lambda _m, _inputs, output: seen.append(output))
    net.losses(*pictures((64, 64)))
    (before, after), features = seen
    rois = len(features)
    assert before.shape == (rois, 1024, 14, 14)
    assert after.shape == (rois, 2048, 7, 7)
    torch.testing.assert_close(features, after.mean((2, 3)))  # global average pooling


@pytest.mark.parametrize("training", [True, False])
def test_the_shared_part_is_computed_once_a_picture(training):
    net, seen = small().train(training), []
    net.backbone.conv4_x.register_forward_hook(lambda _m, inputs, _output: seen.append(len(inputs[0])))
    images, targets = pictures((48, 48), (40, 60), (48, 48))
    net.losses(images, targets) if training else net(images)
    assert seen == [3]


def test_the_gradient_of_every_loss_reaches_conv4_x_and_only_the_heads_reach_conv5_x():
    net, reached = small(), {}
    for name in ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg"):
        net.zero_grad()
        torch.manual_seed(0)
        net.losses(*pictures((48, 48), (48, 48)))[0][name].backward()
        parts = (net.backbone.conv4_x, net.roi_heads.box_head.conv5_x)
        reached[name] = tuple(all(p.grad is not None and p.grad.any() for p in part.parameters()) for part in parts)
    proposals, heads = (True, False), (True, True)
    assert list(reached.values()) == [proposals, proposals, heads, heads]


def test_losses_are_those_of_torchvisions_forward():
    net, (images, targets) = small(), pictures((48, 48), (40, 60))
    results = []
    for call in (net, lambda *given: net.losses(*given)[0]):
        torch.manual_seed(5)
        results.append({name: loss.item() for name, loss in call(images, targets).items()})
    assert results[0] == results[1]


def test_the_error_is_the_share_of_sampled_rois_given_a_wrong_class(monkeypatch):
    net, sampled, given = small(), [], []
    select = net.roi_heads.select_training_samples

    def spy(*arguments):
        sampled.append(select(*arguments))
        return sampled[-1]

    monkeypatch.setattr(net.roi_heads, "select_training_samples", spy)
    net.roi_heads.box_predictor.register_forward_hook(lambda _m, _inputs, output: given.append(output[0].tolist()))
    _, wrong = net.losses(*pictures((48, 48), (40, 60)))
    labels = [label for picture in sampled[0][2] for label in picture.tolist()]
    assert len(labels) == 32 and set(labels) == {0, 1, 3}
    missed = sum(max(range(4), key=scores.__getitem__) != label for scores, label in zip(given[0], labels, strict=True))
    assert float(wrong) == pytest.approx(100 * missed / 32)


def test_in_evaluation_there_are_losses_too_and_batch_norm_stays_what_it_is():
    net = small().eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    torch.manual_seed(0)
    first = total(net.losses(*pictures((48, 48)))[0])
    torch.manual_seed(0)
    assert total(net.losses(*pictures((48, 48)))[0]) == first and first.isfinite()
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert not any(module.training for module in net.modules())


def test_a_picture_without_objects_is_all_background():
    images, targets = pictures((48, 48))
    empty = dict(boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    net = small()
    losses, _ = net.losses(images, [empty])
    assert total(losses).isfinite() and losses["loss_box_reg"] == losses["loss_rpn_box_reg"] == 0
    assert total(net.losses(images * 2, [*targets, empty])[0]).isfinite()


def test_the_plain_twin_has_the_same_weights():
    plain, residual = small("none"), small("A")
    ours, theirs = plain.state_dict(), residual.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_generator_determines_the_weights_and_new_layers_are_small():
    first, again, other = (faster_rcnn(18, "A", 3, 8, image_size=48, generator=seeded(n)) for n in (1, 1, 2))
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)
    wide = faster_rcnn(18, "A", 20, generator=seeded())
    predictor, rpn = wide.roi_heads.box_predictor, wide.rpn.head
    for layer, std in ((predictor.cls_score, 0.01), (predictor.bbox_pred, 0.001), (rpn.cls_logits, 0.01)):
        assert layer.weight.detach().std().item() == pytest.approx(std, rel=0.05)
        assert not layer.bias.any()


@pytest.mark.parametrize("image_size", [600, 96])
def test_anchors_are_the_papers_in_proportion(image_size):
    anchors = faster_rcnn(18, "A", 3, 8, image_size=image_size).rpn.anchor_generator.cell_anchors[0]
    sides = anchors[:, 2:] - anchors[:, :2]
    areas = sorted(sides.prod(1).sqrt().tolist())
    wanted = [side * image_size / 600 for side in (128, 256, 512) for _ in range(3)]
    assert areas == pytest.approx(wanted, rel=0.1)  # torchvision rounds corners to pixels
    ratios = sorted((sides[:, 1] / sides[:, 0]).tolist())
    assert ratios == pytest.approx([0.5] * 3 + [1.0] * 3 + [2.0] * 3, rel=0.2)


def test_at_the_published_size_budgets_are_the_published_ones():
    assert Budget.of(600) == Budget(anchors=256, candidates=6000, proposals=2000, proposals_tested=300, rois=64)
    assert Budget.of(1000) == Budget.of(600)
    assert Budget.of(300) == Budget(anchors=128, candidates=3000, proposals=1000, proposals_tested=150, rois=32)
    assert Budget.of(32).rois == 16


class TestFixedNorm:
    """Batch norm as He et al. 2015 have it in detection: "fixed", so that it is a scale and an offset."""

    def test_nothing_in_batch_norm_is_trained_or_moves(self):
        net = small(fixed_norm=True)
        norms = [module for module in net.modules() if isinstance(module, FrozenBatchNorm2d)]
        assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
        assert len(norms) == sum(isinstance(module, nn.BatchNorm2d) for module in small().modules())
        before = [{name: tensor.clone() for name, tensor in norm.state_dict().items()} for norm in norms]
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        total(net.losses(*pictures((48, 48)))[0]).backward()
        conv = net.backbone.conv2_x.block1.conv1.weight.detach().clone()
        optimizer.step()
        assert not torch.equal(conv, net.backbone.conv2_x.block1.conv1.weight)
        assert all(
            torch.equal(b[name], t)
            for b, norm in zip(before, norms, strict=True)
            for name, t in norm.state_dict().items()
        )

    def test_it_is_what_a_classifiers_batch_norm_does_in_evaluation(self):
        classifier = imagenet_net(18, "B", 7, "cifar", width=8, generator=seeded())
        for _ in range(3):
            classifier(torch.rand(4, 3, 32, 32, generator=seeded()))
        images = torch.rand(2, 3, 32, 32, generator=seeded(1))
        wanted = images
        for name in ("conv1", "conv2_x", "conv3_x", "conv4_x"):
            wanted = classifier.eval().get_submodule(name)(wanted)
        net = load_classifier(small("B", fixed_norm=True), classifier.state_dict())
        torch.testing.assert_close(net.train().backbone(images), wanted)
        torch.testing.assert_close(net.roi_heads.box_head(wanted), classifier.conv5_x(wanted).mean((2, 3)))


@pytest.mark.parametrize("fixed_norm", [True, False])
def test_a_classifiers_weights_go_in_by_their_names(fixed_norm):
    weights = imagenet_net(18, "A", 7, "cifar", width=8, generator=seeded(4)).state_dict()
    held = load_classifier(small(fixed_norm=fixed_norm), weights).state_dict()
    for name, tensor in weights.items():
        kept = not name.startswith("fc.") and not (fixed_norm and name.endswith("num_batches_tracked"))
        inside = f"{HEAD if name.startswith('conv5_x') else 'backbone.'}{name}"
        assert (inside in held) == kept
        assert not kept or torch.equal(held[inside], tensor)


def test_weights_of_another_net_are_refused():
    with pytest.raises(ValueError, match=r"not of this net: conv1\.conv\.weight is 16x3x3x3 in the weights"):
        load_classifier(small(), imagenet_net(18, "A", 7, "cifar", width=16).state_dict())
    with pytest.raises(ValueError, match=r"conv2_x\.block3"):
        load_classifier(small(), imagenet_net(34, "A", 7, "cifar", width=8).state_dict())


def test_in_bf16_what_comes_out_is_float32_and_nearly_the_same():
    net = small().eval()
    images, _ = pictures((48, 48))
    maps = []
    for bf16 in (False, True):
        net.bf16 = bf16
        maps.append((net.backbone(images[0][None]), net.roi_heads.box_head(torch.ones(2, 32, 14, 14))))
    for exact, rounded in zip(*maps, strict=True):
        assert rounded.dtype == torch.float32 and not torch.equal(exact, rounded)
        torch.testing.assert_close(exact, rounded, rtol=0.05, atol=0.05 * exact.detach().abs().max().item())


def test_every_order_of_activation_makes_a_detector():
    net = small(activation_order="full-preactivation")
    assert total(net.losses(*pictures((48, 48)))[0]).isfinite()
    assert [type(layer).__name__ for layer in net.roi_heads.box_head.final] == ["BatchNorm2d", "ReLU"]


def test_a_plain_net_of_50_layers_is_refused():
    with pytest.raises(ValueError, match="no plain twin"):
        faster_rcnn(50, "none")

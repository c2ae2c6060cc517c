"""Published CIFAR nets, written here as their authors do in plain torch, against ours with the same weights.

torchvision's ImageNet nets, through the same door, are in test_nets_imagenet.py.
"""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reslab import cifar_net
from reslab.nets.cifar import CifarNet, load_state, to_state

IMAGES = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
Weights = dict[str, torch.Tensor]


class LambdaLayer(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class PublishedBlock(nn.Module):
    def __init__(self, in_planes: int, planes: int, stride: int, option: str):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 and option == "A":
            self.shortcut = LambdaLayer(
                lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, planes // 4, planes // 4), "constant", 0)
            )
        elif stride != 1 and option == "B":
            conv = nn.Conv2d(in_planes, planes, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(planes))
        elif option == "none":
            self.shortcut = LambdaLayer(lambda x: 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class Published(nn.Module):
    """The layout that load_state() describes."""

    def __init__(self, depth: int, option: str = "A", width: int = 16, classes: int = 10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        planes = width
        for stage in (1, 2, 3):
            blocks = []
            for index in range((depth - 2) // 6):
                stride = 2 if stage > 1 and index == 0 else 1
                blocks.append(PublishedBlock(planes, width * 2 ** (stage - 1), stride, option))
                planes = width * 2 ** (stage - 1)
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(planes, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        return self.linear(F.avg_pool2d(out, out.size(3)).flatten(1))


def shake(net: nn.Module, seed: int) -> nn.Module:
    """Every tensor at random, and the net in evaluation. Batch norm's statistics are near what comes to it, or 56
    layers would leave nothing of the images, or nothing else.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in net.named_parameters():
        with torch.no_grad():
            if parameter.dim() > 1:
                nn.init.kaiming_normal_(parameter, generator=generator)
            else:
                spread = torch.randn(parameter.shape, generator=generator) * 0.2
                parameter.copy_(spread + name.endswith("weight"))
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean over batches: of one
    net.train()(IMAGES)
    for norm in norms:
        norm.running_var *= torch.rand(norm.running_var.shape, generator=generator) * 0.5 + 0.75
        norm.running_mean += torch.randn(norm.running_mean.shape, generator=generator) * 0.1
    return net.eval()


def require_same_outputs(ours: CifarNet, theirs: nn.Module) -> None:
    with torch.inference_mode():
        expected = theirs(IMAGES.double())
        assert expected.std(0).mean() > 0.1  # the images tell
        torch.testing.assert_close(ours.double()(IMAGES.double()), expected, rtol=0, atol=1e-6)


def plain_dict(state: Weights) -> Weights:
    return state


def in_a_checkpoint(state: Weights) -> dict:
    """As DataParallel saves it."""
    return dict(state_dict={f"module.{name}": tensor for name, tensor in state.items()}, epoch=200, best_prec1=91.7)


def compiled(state: Weights) -> Weights:
    return {f"_orig_mod.module.{name}": tensor for name, tensor in state.items()}


def uncounted(state: Weights) -> Weights:
    """As torch saved it before 0.4.1."""
    return {name: tensor for name, tensor in state.items() if "num_batches" not in name}


@pytest.mark.parametrize("form", [plain_dict, in_a_checkpoint, compiled, uncounted])
@pytest.mark.parametrize("depth", [20, 56])
def test_published_weights_come_in(depth, form):
    theirs = shake(Published(depth), depth)
    ours = cifar_net(depth, "A").eval()
    assert load_state(ours, form(theirs.state_dict())) is ours
    require_same_outputs(ours, theirs.double())


@pytest.mark.parametrize("option", ["none", "B"])
def test_of_other_shortcuts_too(option):
    theirs = shake(Published(20, option, width=8, classes=7), 3)
    ours = load_state(cifar_net(20, option, width=8, num_classes=7).eval(), theirs.state_dict())
    require_same_outputs(ours, theirs.double())


@pytest.mark.parametrize("shortcut", ["none", "A", "B"])
@pytest.mark.parametrize("depth", [20, 56])
def test_our_weights_go_out(depth, shortcut):
    ours, theirs = shake(cifar_net(depth, shortcut), depth), Published(depth, shortcut).eval()
    theirs.load_state_dict(to_state(ours))  # strictly
    require_same_outputs(ours, theirs.double())


def test_in_and_out_again_is_what_came_in():
    theirs = shake(Published(20, "B"), 5).state_dict()
    back = to_state(load_state(cifar_net(20, "B"), in_a_checkpoint(theirs)))
    assert list(back) == list(theirs)
    assert all(torch.equal(back[name], tensor) for name, tensor in theirs.items())


def without(name: str) -> Callable[[Weights], Weights]:
    return lambda state: {n: tensor for n, tensor in state.items() if n != name}


def put(name: str, value: object) -> Callable[[Weights], dict]:
    return lambda state: state | {name: value}


@pytest.mark.parametrize(
    ("net", "change", "sentence"),
    [
        (dict(depth=56), dict, r"are of cifar_net\(depth=20, shortcut='A' or 'none', width=16, num_classes=10\), and"),
        (dict(width=8), dict, r"width=16, num_classes=10\), and this net is cifar_net\(depth=20, .* width=8, "),
        (dict(num_classes=100), dict, r"num_classes=10\), and this net is cifar_net\(.* num_classes=100\)"),
        (dict(shortcut="B"), dict, r"shortcut='A' or 'none', .* this net is cifar_net\(depth=20, shortcut='B', "),
        (
            {},
            without("layer3.2.bn2.weight"),
            "of this net: layer3.2.bn2.weight is nothing in the weights and 64 in",
        ),
        ({}, put("layer3.3.conv1.weight", torch.zeros(2, 3)), "layer3.3.conv1.weight is 2x3 in .* and nothing in the"),
        ({}, put("linear.bias", torch.zeros(9)), "linear.bias is 9 in the weights and 10 in the net"),
        ({}, without("linear.weight"), "linear.weight is nothing in the weights and 10x64 in the net"),
        ({}, lambda state: dict(net=state, acc=91.7), "'net' is no tensor; give the state dict that the file holds"),
    ],
)
def test_weights_that_do_not_fit_are_told_and_change_nothing(net, change, sentence):
    ours = cifar_net(**dict(depth=20) | net)
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    with pytest.raises(ValueError, match=sentence):
        load_state(ours, change(Published(20).state_dict()))
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())


def test_option_b_is_told_from_option_a():
    with pytest.raises(ValueError, match=r"are of cifar_net\(depth=8, shortcut='B', .* shortcut='A' or 'none', "):
        load_state(cifar_net(8, "A"), Published(8, "B").state_dict())


@pytest.mark.parametrize(
    "net",
    [
        dict(shortcut="C"),
        dict(shortcut="rezero"),
        dict(activation_order="full-preactivation"),
        dict(activation_order="relu-before-addition"),  # whose tensors have the same names
        dict(depth=29, block="bottleneck"),
    ],
)
def test_nets_that_the_layout_does_not_know(net):
    net = cifar_net(**dict(depth=20, width=4) | net)
    for act in (to_state, lambda net: load_state(net, {})):
        with pytest.raises(ValueError, match="published layout is that of shortcut='none', 'A' or 'B', block='basic'"):
            act(net)

"""The ImageNet nets against torchvision's and against the numbers of the paper's table 1."""

import socket

import pytest
import torch
import torch.nn.functional as F
from torchvision import models

from reslab import imagenet_net
from reslab.nets import anatomy
from reslab.nets.blocks import Block
from reslab.nets.imagenet import DEPTHS, load_torchvision, to_torchvision

# torchvision's parameter counts and the paper's multiply-adds in 1e9 as printed (shared/FACTS.md, section 3).
PARAMETERS = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
PRINTED = {18: 1.8, 34: 3.6, 50: 3.8, 101: 7.6, 152: 11.3}


def torchvision_net(depth: int, classes: int = 1000) -> torch.nn.Module:
    """torchvision's net with every tensor at random, batch norm's too: nothing agrees by being 0 or 1."""
    generator = torch.Generator().manual_seed(depth)
    net = getattr(models, f"resnet{depth}")(num_classes=classes)
    for name, tensor in net.state_dict().items():
        if ("bn" in name or "downsample.1" in name) and tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.5 + 0.25)
    return net


def parameters(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("depth", DEPTHS)
class TestTorchvision:
    def test_outputs_and_gradients_are_the_same(self, depth):
        theirs = torchvision_net(depth, 10)
        ours = load_torchvision(imagenet_net(depth, "B", 10), theirs.state_dict())
        images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        for mode in (False, True):  # train last: it moves the running statistics, of both
            theirs.train(mode), ours.train(mode)
            torch.testing.assert_close(ours(images), theirs(images), rtol=1e-5, atol=1e-5)
        for net in (theirs, ours):
            F.cross_entropy(net(images), torch.tensor([3, 7])).backward()
        expected = {name: parameter.grad for name, parameter in theirs.named_parameters()}
        names = dict(zip(ours.state_dict(), to_torchvision(ours), strict=True))
        for name, parameter in ours.named_parameters():
            torch.testing.assert_close(parameter.grad, expected[names[name]], rtol=1e-4, atol=1e-5)

    def test_weights_go_back_out_in_torchvisions_names(self, depth):
        theirs = torchvision_net(depth)
        back = to_torchvision(load_torchvision(imagenet_net(depth), theirs.state_dict()))
        assert set(back) == set(theirs.state_dict())
        assert all(torch.equal(back[name], tensor) for name, tensor in theirs.state_dict().items())
        models.get_model(f"resnet{depth}").load_state_dict(back)  # strictly

    def test_parameter_counts(self, depth):
        with torch.device("meta"):
            assert parameters(imagenet_net(depth)) == PARAMETERS[depth]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("stride_on", ["1x1", "3x3"])
def test_multiply_adds_and_layers_are_the_papers(depth, stride_on):
    """The paper prints two digits, of nets that have their stride on the 1x1: within 0.1e9 of ours."""
    layers = anatomy(imagenet_net(depth, stride_on=stride_on), (3, 224, 224))
    assert layers.weighted_layers == depth
    bottleneck = DEPTHS[depth][0] == "bottleneck"
    extra = 0.0
    if bottleneck and stride_on == "3x3":  # three blocks whose first 1x1 puts out four times the pixels
        extra = 3 * (56**2 - 28**2) * 256 * 128 / 1e9  # as much in each: pixels fall as channels grow
    assert layers.multiply_adds / 1e9 == pytest.approx(PRINTED[depth] + extra, abs=0.1)


@pytest.mark.parametrize("depth", [18, 34])
def test_a_plain_net_is_its_residual_twin_without_additions(depth):
    with torch.device("meta"):
        plain, option_a = imagenet_net(depth, "none"), imagenet_net(depth, "A")
    assert plain.state_dict().keys() == option_a.state_dict().keys()
    assert parameters(plain) == parameters(option_a)
    projections = {18: 64 * 128 + 128 * 256 + 256 * 512 + 2 * (128 + 256 + 512)}
    assert PARAMETERS[depth] - parameters(plain) == projections[18]


def test_sizes_of_the_five_parts_are_those_of_table_1():
    net, sizes = imagenet_net(50), {}
    x = torch.zeros(1, 3, 224, 224)
    with torch.inference_mode():
        for name in ("conv1", "maxpool", "conv2_x", "conv3_x", "conv4_x", "conv5_x"):
            x = net.eval().get_submodule(name)(x)
            sizes[name] = tuple(x.shape[1:])
    assert sizes == dict(
        conv1=(64, 112, 112),
        maxpool=(64, 56, 56),
        conv2_x=(256, 56, 56),
        conv3_x=(512, 28, 28),
        conv4_x=(1024, 14, 14),
        conv5_x=(2048, 7, 7),
    )


def test_50_and_101_differ_by_17_blocks_in_conv4_x():
    with torch.device("meta"):
        nets = {depth: imagenet_net(depth) for depth in (50, 101)}
    blocks = {
        depth: {part: len(net.get_submodule(part)) for part in ("conv2_x", "conv3_x", "conv4_x", "conv5_x")}
        for depth, net in nets.items()
    }
    assert blocks[50] | dict(conv4_x=blocks[50]["conv4_x"] + 17) == blocks[101]
    assert 17 * 3 == 101 - 50 == 51


@pytest.mark.parametrize(("stride_on", "strides"), [("1x1", (2, 1, 1)), ("3x3", (1, 2, 1))])
def test_the_stride_is_where_it_was_asked_for(stride_on, strides):
    with torch.device("meta"):
        block = imagenet_net(50, stride_on=stride_on).conv3_x.block1
    assert tuple(conv.stride[0] for conv in (block.conv1, block.conv2, block.conv3)) == strides


def test_the_cifar_stem_leaves_small_images_their_size():
    net = imagenet_net(18, "A", 10, stem="cifar", width=8)
    assert net.conv1(torch.zeros(1, 3, 32, 32)).shape == (1, 8, 32, 32)
    layers = anatomy(net, (3, 32, 32))
    assert layers.weighted_layers == 18
    assert next(layer for layer in reversed(layers) if layer.name.startswith("conv5_x")).output_shape == (64, 4, 4)


@pytest.mark.parametrize("shortcut", ["A", "B", "C", "rezero"])
@pytest.mark.parametrize("depth", [18, 50])
def test_every_shortcut_fits_every_net(depth, shortcut):
    net = imagenet_net(depth, shortcut, 7, width=4)
    assert net(torch.randn(2, 3, 32, 32)).shape == (2, 7)
    assert sum(isinstance(module, Block) for module in net.modules()) == sum(DEPTHS[depth][1])


def test_preactivation_nets_end_with_an_activation():
    net = imagenet_net(18, "B", 7, width=4, activation_order="full-preactivation")
    assert [type(layer).__name__ for layer in net.final] == ["BatchNorm2d", "ReLU"]
    assert net(torch.randn(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (dict(depth=20), "depth=20 .* allowed: 18, 34, 50, 101, 152"),
        (dict(depth=50, shortcut="none"), "no plain twin"),
        (dict(stem="tiny"), "stem='tiny' is unknown; allowed: imagenet, cifar"),
        (dict(stride_on="5x5"), "stride_on='5x5' is unknown; allowed: 3x3, 1x1"),
        (dict(num_classes=0), "num_classes=0 must be at least 1"),
        (dict(weights="IMAGENET1K_V9"), "weights='IMAGENET1K_V9' are unknown for 50 layers; allowed: IMAGENET1K_V1"),
        (dict(weights="IMAGENET1K_V1", stride_on="1x1"), "torchvision's layers are those of"),
        (dict(weights="IMAGENET1K_V1", shortcut="A"), "torchvision's layers are those of"),
        (dict(weights="IMAGENET1K_V1", num_classes=10), "are for 1000 classes, and num_classes=10"),
    ],
)
def test_what_is_not_possible_is_said(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        imagenet_net(**values)


def test_weights_that_do_not_fit_are_named():
    theirs = models.resnet18().state_dict()
    with pytest.raises(ValueError, match=r"fc.weight is 1000x512 in the weights and 10x512 in the net"):
        load_torchvision(imagenet_net(18, num_classes=10), theirs)
    with pytest.raises(ValueError, match=r"layer1.2.conv1.weight is nothing in the weights"):
        load_torchvision(imagenet_net(34), theirs)
    for values in (dict(shortcut="A"), dict(stem="cifar"), dict(activation_order="bn-after-addition")):
        with pytest.raises(ValueError, match="torchvision's layers are those of"):
            load_torchvision(imagenet_net(18, **values), theirs)


def test_old_files_do_not_count_batches():
    theirs = torchvision_net(18)
    old = {name: tensor for name, tensor in theirs.state_dict().items() if "num_batches" not in name}
    images = torch.randn(1, 3, 32, 32)
    ours = load_torchvision(imagenet_net(18), old).eval()
    torch.testing.assert_close(ours(images), theirs.eval()(images), rtol=1e-5, atol=1e-5)


def test_without_network_the_sentence_says_where_to_put_the_file(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def no_network(*_arguments, **_settings):
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "create_connection", no_network)
    with pytest.raises(ConnectionError, match=r"resnet18-.*\.pth, from https://.*, into .*checkpoints"):
        imagenet_net(18, weights="IMAGENET1K_V1")


def test_downloaded_weights_are_taken(monkeypatch):
    """What torchvision hands over once it has downloaded a file, which cannot be done here."""
    theirs = torchvision_net(18)
    weights = models.ResNet18_Weights.IMAGENET1K_V1
    monkeypatch.setattr(type(weights), "get_state_dict", lambda *_arguments, **_settings: theirs.state_dict())
    images = torch.randn(1, 3, 32, 32)
    ours = imagenet_net(18, weights="IMAGENET1K_V1").eval()
    torch.testing.assert_close(ours(images), theirs.eval()(images), rtol=1e-5, atol=1e-5)

"""Nets that look at pictures: against torchvision's own net, transforms and categories."""

import pytest
import torch
from PIL import Image

from reslab import imagenet_net
from reslab.data.examples import cat
from reslab.nets.viewer import missing, top_classes, viewer
from reslab.probes.stages import stage_outputs, strongest

from .weights_fixtures import forget_downloads, publish


@pytest.fixture(autouse=True)
def no_weights(monkeypatch, tmp_path):
    forget_downloads(monkeypatch, tmp_path)
    yield
    viewer.cache_clear()


@pytest.fixture
def published(monkeypatch):
    return publish(monkeypatch)


def test_top_classes_are_those_of_torchvisions_net(published):
    theirs, weights = published
    guesses = viewer(18, "IMAGENET1K_V1").top_classes(cat())
    with torch.no_grad():
        shares = theirs(weights.transforms()(cat())[None])[0].softmax(0)
    best = shares.argsort(descending=True)[:5].tolist()
    assert [guess.name for guess in guesses] == [weights.meta["categories"][i] for i in best]
    assert [guess.percent for guess in guesses] == pytest.approx([100 * shares[i].item() for i in best], rel=1e-3)


def test_a_picture_is_seen_resized_and_cropped(published):
    flat = Image.new("RGB", (500, 300), (200, 100, 50))
    eye = viewer(18, "IMAGENET1K_V1")
    assert eye.prepare(flat).shape == (3, 224, 224)
    assert [value.unique().tolist() for value in eye.seen(flat)] == [[200], [100], [50]]
    assert eye.label == "ResNet-18, IMAGENET1K_V1" and not eye.net.training


def test_auto_is_fresh_until_the_weights_are_there(published, tmp_path):
    assert viewer(18).weights == "" and viewer(18).net.training
    again = viewer(18, "none").net.state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in viewer(18).net.state_dict().items())
    file = tmp_path / "hub/checkpoints/resnet18-f37072fd.pth"
    file.parent.mkdir(parents=True)
    file.touch()
    viewer.cache_clear()
    assert viewer(18).weights == "IMAGENET1K_V1"


def test_a_fresh_net_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"A fresh ResNet-34 knows no classes.*weights='IMAGENET1K_V1'.*83 MB") as told:
        viewer(34, "auto").top_classes(cat())
    assert str(told.value) == missing(34)
    assert "resnet34-b627a593.pth" in missing(34) and str(tmp_path / "hub/checkpoints") in missing(34)


def test_top_classes_of_any_net_by_hand():
    class Fixed(torch.nn.Module):
        def forward(self, images):
            return torch.tensor([[0.0, 2.0, 1.0]]).repeat(len(images), 1)

    net = Fixed().train()
    image, total = torch.zeros(3, 8, 8), 1 + 2.718281828**2 + 2.718281828
    guesses = top_classes(net, image, ["a", "b", "c"], k=2)
    assert [guess.name for guess in guesses] == ["b", "c"] and net.training
    assert guesses[0].percent == pytest.approx(100 * 2.718281828**2 / total)
    assert len(top_classes(net, image, ["a", "b", "c"])) == 3
    with pytest.raises(ValueError, match="2 names for 3 classes"):
        top_classes(net, image, ["a", "b"])


@pytest.mark.parametrize("training", [True, False])
def test_stage_outputs_are_those_of_the_parts_and_leave_the_net_alone(training):
    net = imagenet_net(50, num_classes=7, width=8, generator=torch.Generator().manual_seed(1)).train(training)
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    image = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(2))
    seen = stage_outputs(net, image)
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())
    assert net.training == training and not any(child._forward_hooks for child in net.children())
    shapes = {name: tuple(maps.shape) for name, maps in seen.items()}
    assert shapes == dict(
        conv1=(8, 32, 32),
        maxpool=(8, 16, 16),
        conv2_x=(32, 16, 16),
        conv3_x=(64, 8, 8),
        conv4_x=(128, 4, 4),
        conv5_x=(256, 2, 2),
        pool=(256, 1, 1),
        fc=(7,),
    )
    with torch.no_grad():
        x = image[None]
        for name in ("conv1", "maxpool", "conv2_x", "conv3_x"):
            x = net.get_submodule(name)(x)
    torch.testing.assert_close(seen["conv3_x"], x[0])


def test_the_strongest_channels_have_the_highest_mean():
    maps = torch.stack([torch.full((2, 2), float(value)) for value in (3, 9, 1, 5)])
    assert strongest(maps, 3) == [1, 3, 0] and strongest(maps, 9) == [1, 3, 0, 2]

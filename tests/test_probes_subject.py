"""What probes look at, and where what they found is kept."""

import json

import pytest
import torch

import reslab
from reslab.nets import ORDERS
from reslab.probes import kept, net_at, result, results, subject, weighted_layers

SMOKE = dict(depth=8, profile="smoke")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return reslab.train(reslab.RunConfig(**SMOKE), tmp_path_factory.mktemp("runs"))


# Layers


@pytest.mark.parametrize("order", ORDERS)
def test_the_layers_of_the_main_path_are_those_that_the_depth_counts(order):
    layers = weighted_layers(reslab.cifar_net(8, "C", width=4, activation_order=order))
    assert len(layers) == 8 - 1  # the classifier is no convolution
    names = [layer.name for layer in layers]
    assert names[:3] == ["stem.conv", "stage1.block1.conv1", "stage1.block1.conv2"]
    assert [layer.block for layer in layers[:2]] == [None, "stage1.block1"]


def test_a_response_is_the_batch_norm_unless_the_addition_comes_before_it():
    for order, normed in (("original", True), ("bn-after-addition", False), ("full-preactivation", False)):
        layer = weighted_layers(reslab.cifar_net(8, "A", width=4, activation_order=order))[2]
        assert (layer.response is layer.norm) == normed
        assert (layer.response is layer.conv) != normed


def test_the_imagenet_family_has_its_layers_too():
    layers = weighted_layers(reslab.imagenet_net(50, width=4))
    assert len(layers) == 49
    assert [layer.name for layer in layers[:2]] == ["conv1.conv", "conv2_x.block1.conv1"]


# The subject


def test_the_trained_net_has_the_runs_error_on_all_held_out_images(run):
    shown = subject(run, images=10**6)
    assert len(shown.images) == len(shown.labels) == run.config.facts.test
    assert not shown.net.training and shown.split == "test"
    with torch.no_grad():
        error = 100 * (shown.net(shown.images).argmax(1) != shown.labels).float().mean().item()
    assert error == pytest.approx(run.final["test_error"], abs=0.5)  # the run's own was in bf16


def test_the_initial_net_is_the_one_that_training_began_with(run):
    config = run.config
    begun = config.make_net(torch.Generator().manual_seed(config.seed)).state_dict()
    for given in (run, config):
        assert all(torch.equal(begun[name], value) for name, value in net_at(given, "initial").state_dict().items())


def test_training_images_come_without_augmentation(run):
    data, shown = reslab.load_dataset("shapes"), subject(run, "initial", images=5, split="train")
    small = torch.nn.functional.avg_pool2d(data.train_images.float(), 4).round()  # 32 pixels to smoke's 8
    expected = (small[:5] - small.mean(0)) / 255
    torch.testing.assert_close(shown.images, expected, rtol=0, atol=1e-5)
    assert torch.equal(shown.labels, data.train_labels[:5])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [(dict(at="best"), "allowed: trained, initial"), (dict(split="all"), "test, train"), (dict(images=0), "1 or more")],
)
def test_what_cannot_be_shown_is_refused(run, wrong, says):
    with pytest.raises(ValueError, match=says):
        subject(run, **wrong)


def test_a_config_has_no_trained_net():
    with pytest.raises(ValueError, match=r"give the run that reslab\.train returns"):
        net_at(reslab.RunConfig(**SMOKE))


# Results


def test_a_result_is_measured_once_for_each_setting(run):
    asked = []

    def measure(value):
        asked.append(value)
        return dict(value=value)

    assert kept(run, "test", dict(images=1), lambda: measure(1)) == dict(value=1)
    assert kept(run, "test", dict(images=1), lambda: measure(2)) == dict(value=1)
    assert kept(run, "test", dict(images=2), lambda: measure(3)) == dict(value=3)
    assert asked == [1, 3]
    assert result(run, "test", dict(images=2)) == dict(value=3)
    assert result(run, "test", dict(images=3)) is None
    assert sorted(each["settings"]["images"] for each in results(run, "test")) == [1, 2]
    file = next((run.path / "probes").glob("test-*.json"))
    assert json.loads(file.read_text())["measured"]["torch"] == torch.__version__


def test_no_result_is_kept_of_a_run_that_is_not_done(tmp_path):
    fresh = reslab.RunStore(tmp_path).create(reslab.RunConfig(**SMOKE))
    with pytest.raises(ValueError, match="is new"):
        kept(fresh, "test", {}, dict)

"""Detection in the loop: what a run records, what evaluation is, that stops change nothing."""

import os
import signal

import pytest
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from reslab import RunConfig, RunStore, train
from reslab.detection.metrics import mean_average_precision
from reslab.detection.profiles import PROFILES
from reslab.detection.standin import RandomBoxes
from reslab.detection.task import Detection
from reslab.precision import computed_in
from reslab.runs import COLUMNS
from reslab.training.sources import opened

from .processes import result, start, wait_until
from .weights_fixtures import publish

CONFIG = RunConfig(task="detection", profile="smoke", iterations=40, log_every=10, val_split=16)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return train(CONFIG, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def task() -> Detection:
    return Detection(CONFIG, RandomBoxes(CONFIG, 12, CPU), CPU)


def test_a_run_records_the_tasks_columns_beside_those_of_all(undisturbed):
    rows = undisturbed.metrics
    assert [row["iteration"] for row in rows] == [10, 20, 30, 40]
    for row in rows:
        assert list(row) == [*COLUMNS, "map50", "map"]
        assert 0 <= row["map"] <= row["map50"] <= 100 and row["test_error"] == 100 - row["map50"]
        assert 0 <= row["train_error"] <= 100
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]  # the held-out loss of so short a run goes up and down


def test_a_runs_net_evaluates_to_what_its_last_row_says(undisturbed):
    with opened(CONFIG, CPU) as source:
        task = Detection(CONFIG, source, CPU)
        net = undisturbed.net().to(memory_format=torch.channels_last)
        net.bf16 = computed_in(CONFIG.precision, CPU) == "bf16"
        found = task.evaluate(net)
    assert found == {name: undisturbed.final[name] for name in found}


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_stopped_and_resumed_it_ends_bit_for_bit_as_if_it_had_not_been(tmp_path, undisturbed, number, exit_code):
    run = RunStore(tmp_path).run(CONFIG)
    process = start(CONFIG, tmp_path)
    wait_until(lambda: len(run.metrics) >= 1)
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == exit_code and run.status["iteration"] < CONFIG.iterations
    train(CONFIG, tmp_path)
    assert result(run) == result(undisturbed)


def test_evaluation_is_that_of_the_nets_detections_and_the_mean_of_its_losses(task):
    net = task.make_net()
    net.losses(*task.batch(0))
    found = task.evaluate(net)
    net.eval()
    detections, targets, losses = [], [], []
    with torch.inference_mode():
        torch.manual_seed(0)
        for images, wanted in task.source.held_out():
            detections, targets = detections + net(images), targets + wanted
            losses += [float(sum(net.losses(images, wanted)[0].values()))] * len(images)
    assert {name: found[name] for name in ("map50", "map")} == mean_average_precision(detections, targets)
    assert found["test_loss"] == pytest.approx(sum(losses) / 12) and found["test_error"] == 100 - found["map50"]


@pytest.mark.parametrize("share", [1, 2])
def test_what_a_detector_finds_is_counted(task, monkeypatch, share):
    """It finds every box of all pictures, or of every second one. All are of one class, so that precision is 1 up to a
    recall of a half then, which are 51 of the 101 recalls, and 0 beyond.
    """
    batches = [
        (images, [target | dict(labels=torch.ones_like(target["labels"])) for target in targets])
        for images, targets in task.source.held_out()
    ]
    monkeypatch.setattr(task.source, "held_out", lambda: iter(batches))
    told = [
        [
            {name: target[name][: None if number % share == 0 else 0] for name in ("boxes", "labels")}
            for number, target in enumerate(targets)
        ]
        for _, targets in batches
    ]
    answers = iter([found | dict(scores=torch.full((len(found["labels"]),), 0.9)) for found in of] for of in told)
    net = task.make_net()
    net.forward = lambda images: next(answers)
    expected = 100 if share == 1 else 100 * 51 / 101
    found = task.evaluate(net)
    assert (found["map50"], found["map"]) == pytest.approx((expected, expected))
    assert found["test_error"] == pytest.approx(100 - expected)


def test_difficult_objects_are_no_part_of_the_loss(task):
    net, held_out = task.make_net(), task.source.held_out
    expected = task.evaluate(net)["test_loss"]

    def with_difficult():
        for images, targets in held_out():
            more = torch.tensor([[1.0, 1.0, 40.0, 40.0]])
            yield (
                images,
                [
                    dict(
                        boxes=torch.cat([target["boxes"], more]),
                        labels=torch.cat([target["labels"], torch.tensor([2])]),
                        difficult=torch.cat([target["difficult"], torch.tensor([True])]),
                    )
                    for target in targets
                ],
            )

    task.source.held_out = with_difficult
    assert task.evaluate(net)["test_loss"] == expected


def test_evaluation_leaves_training_as_it_was(task):
    net = task.make_net()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    torch.manual_seed(5)
    random = torch.get_rng_state()
    first = task.evaluate(net)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(module.training for module in net.modules())
    torch.manual_seed(6)
    assert task.evaluate(net) == first


def test_a_seed_determines_the_net(task):
    first, again = task.make_net().state_dict(), task.make_net().state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert task.make_net().bf16 == (computed_in("bf16", CPU) == "bf16")
    assert task.make_net().backbone.conv2_x.block1.conv1.weight.is_contiguous(memory_format=torch.channels_last)


class TestPretrained:
    """A run that begins at torchvision's weights."""

    config = RunConfig(
        task="detection", profile="smoke", shortcut="B", width=64, stem="imagenet", pretrained="IMAGENET1K_V1"
    )

    @pytest.fixture
    def theirs(self, monkeypatch):
        return publish(monkeypatch)[0].state_dict()

    def test_it_begins_at_them_with_batch_norm_fixed(self, theirs):
        task = Detection(self.config, RandomBoxes(self.config, 2, CPU), CPU)
        net = task.make_net()
        assert torch.equal(net.backbone.conv1.conv.weight, theirs["conv1.weight"])
        assert torch.equal(net.roi_heads.box_head.conv5_x.block1.conv1.weight, theirs["layer4.0.conv1.weight"])
        assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
        norm = net.backbone.conv1.bn
        assert isinstance(norm, FrozenBatchNorm2d) and torch.equal(norm.running_var, theirs["bn1.running_var"])
        loss, error = task.loss(net, task.batch(0))
        loss.backward()
        assert loss.isfinite() and 0 <= float(error) <= 100
        assert net.backbone.conv1.conv.weight.grad.any() and norm.weight.grad is None

    def test_its_net_is_made_without_them(self, monkeypatch):
        """As reading a run does: its weights are its own by then, and the network may be out of reach."""
        monkeypatch.setattr("reslab.nets.imagenet._published", lambda *_: pytest.fail("this asks for a download"))
        assert isinstance(self.config.make_net().backbone.conv1.bn, FrozenBatchNorm2d)


def test_the_paper_profile_states_the_published_schedule():
    """Ren et al. 2015, section 3.3, which He et al. 2015, appendix A, take over for VOC."""
    config = RunConfig(task="detection", profile="paper")
    assert (config.depth, config.shortcut, config.image_size, config.dataset) == (101, "B", 600, "voc07+12")
    assert (config.iterations, config.lr, config.lr_drops) == (80_000, 0.001, (60_000,))
    assert (config.momentum, config.weight_decay) == (0.9, 0.0005)
    assert config.pretrained == "IMAGENET1K_V1"


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "paper"])
def test_plain_twins_have_the_very_same_settings(profile):
    pair = [RunConfig(task="detection", profile=profile, shortcut=shortcut).to_dict() for shortcut in ("A", "none")]
    assert {name for name in pair[0] if pair[0][name] != pair[1][name]} == {"shortcut"}

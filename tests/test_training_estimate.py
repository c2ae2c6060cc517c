"""Estimates against the clock of real runs, and against counts made by hand."""

import time
from dataclasses import replace

import pytest
import torch
from torchvision.ops import FrozenBatchNorm2d

from reslab import RunConfig, train
from reslab.detection.standin import RandomBoxes
from reslab.detection.task import Detection
from reslab.training.estimate import Speed, estimate, measure, measure_all, together, work


def test_seconds_count_steps_and_log_points():
    config = RunConfig(profile="smoke", iterations=10, log_every=4)  # log points at 4, 8 and 10
    speed = Speed(step=1.0, evaluation=100.0)
    assert speed.seconds(config) == 310
    assert speed.seconds(config, done=4) == 206
    assert speed.seconds(config, done=9) == 101


def test_an_estimate_is_near_what_a_run_takes(tmp_path):
    config = RunConfig(8, profile="smoke", width=8, image_size=16, batch=64, iterations=60, log_every=30)
    threads = torch.get_num_threads()
    guess = estimate(config, "cpu", threads=1)
    assert torch.get_num_threads() == threads
    torch.set_num_threads(1)
    try:
        took = train(config, tmp_path, device="cpu").final["seconds"]
    finally:
        torch.set_num_threads(threads)
    assert took / 4 < guess < took * 4  # other work on the machine comes and goes


def test_many_configs_cost_no_more_than_the_budget(monkeypatch):
    configs = [RunConfig(depth, profile="smoke", seed=seed) for depth in (8, 14, 20) for seed in (0, 1)]
    measured = []

    def slowly(config, device, threads, budget):
        measured.append(config.depth)
        time.sleep(0.3)
        return Speed(config.depth, 2 * config.depth)

    monkeypatch.setattr("reslab.training.estimate.measure", slowly)
    speeds = measure_all(configs, budget=0.1)
    assert measured == [20] and set(speeds) == set(configs)
    for config in configs:  # in proportion to depth, which is all that differs
        assert speeds[config].step == pytest.approx(config.depth)
        assert speeds[config].evaluation == pytest.approx(2 * config.depth)
    measured.clear()
    measure_all(configs, budget=10)
    assert measured == [20, 14, 8]  # seeds are not measured twice


def test_cost_of_an_evaluation_is_in_proportion_to_the_held_out_images(monkeypatch):
    config = RunConfig(8, profile="smoke")
    ticks = iter(range(10_000))
    monkeypatch.setattr("reslab.training.estimate._Clock.now", lambda self: next(ticks))  # every look costs a second
    whole, part = measure(config), measure(replace(config, val_split=500))
    assert whole.evaluation == 4 * part.evaluation > 0  # 2,000 test images against 500


def test_detection_that_must_hold_pictures_out_is_measured():
    config = RunConfig(task="detection", profile="smoke", dataset="voc07++12", val_split=100)
    assert measure(config, "cpu", 1, budget=0).step > 0


def test_a_pretrained_detector_is_measured_without_its_weights_and_finds_boxes_all_the_same(monkeypatch):
    monkeypatch.setattr("reslab.nets.imagenet._published", lambda *_: pytest.fail("this asks for a download"))
    seen, evaluate = [], Detection.evaluate

    def watched(task, net):
        seen.append((net, evaluate(task, net)))
        return seen[-1][1]

    monkeypatch.setattr(Detection, "evaluate", watched)
    net = dict(shortcut="B", width=64, stem="imagenet", pretrained="IMAGENET1K_V1")
    config = RunConfig(task="detection", profile="smoke", **net)
    assert measure(config, "cpu", 1, budget=0).step > 0
    trained, scores = seen[-1]
    assert isinstance(trained.backbone.conv1.bn, FrozenBatchNorm2d) and 0 < scores["test_loss"] < 10
    images, _ = next(RandomBoxes(config, 2, torch.device("cpu")).held_out())
    with torch.no_grad():
        pictures, _ = trained.eval().transform(images)
        proposals, _ = trained.rpn(pictures, {"0": trained.backbone(pictures.tensors)})
    assert min(map(len, proposals)) > 10  # there is something to be timed


def test_work_is_in_proportion_to_the_weights():
    config = RunConfig(8, profile="smoke")
    assert work(replace(config, width=8)) == 4 * work(config)


def test_side_by_side():
    assert together([4, 3, 2, 1], 1) == 10
    assert together([4, 3, 2, 1], 2) == 5
    assert together([4, 3], 8) == 4
    assert together([], 2) == 0

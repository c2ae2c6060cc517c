"""The drawn scenes: known bytes, tight boxes, and shapes that mostly leave each other alone."""

import hashlib
import time

import pytest
import torch
from torchvision.ops import box_iou, masks_to_boxes

from reslab.data import DataError, Facts, drawing, remembered
from reslab.detection import scenes
from reslab.detection.datasets import BOX_DATASETS
from reslab.detection.scenes import Scenes


@pytest.fixture(scope="module")
def drawn() -> tuple[Scenes, Scenes, float]:
    start = time.process_time()
    train, test = scenes.draw()
    return train, test, time.process_time() - start


@pytest.fixture(scope="module", params=(0, 1), ids=("train", "test"))
def split(request, drawn) -> Scenes:
    return drawn[request.param]


def test_drawn_in_seconds(drawn):
    assert drawn[2] < 20


def test_counts_types_and_facts(drawn):
    for these, count in zip(drawn[:2], (2000, 300), strict=True):
        assert these.images.shape == (count, 3, 96, 96) and these.images.dtype == torch.uint8
        assert these.boxes.shape == (count, 4, 4) and these.boxes.dtype == torch.int64
        assert these.labels.shape == (count, 4) and these.labels.dtype == torch.int64
    assert BOX_DATASETS["scenes"] == Facts(2000, 300, None, 5)
    assert scenes.CLASSES == ("disk", "square", "triangle", "cross", "star")


def test_bytes_are_the_known_ones(drawn):
    for these, known in zip(drawn[:2], (scenes.TRAIN_SHA256, scenes.TEST_SHA256), strict=True):
        numbers = bytes(these.boxes.flatten().tolist()) + bytes(these.labels.flatten().tolist())
        assert hashlib.sha256(these.images.numpy().tobytes() + numbers).hexdigest() == known == these.fingerprint


def test_no_picture_is_drawn_twice(drawn):
    pictures = [image.numpy().tobytes() for these in drawn[:2] for image in these.images]
    assert len(set(pictures)) == len(pictures)


def test_threads_do_not_change_the_bytes():
    threads, made = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            made.append(scenes._scenes(20, 0, 5))
    finally:
        torch.set_num_threads(threads)
    assert all(map(torch.equal, *made))


def test_one_to_four_shapes_of_every_class_alike(split):
    shapes = (split.labels > 0).sum(1)
    share = shapes.bincount(minlength=5) / len(shapes)
    assert share[0] == 0 and share[1:].min() > 0.1
    share = split.labels[split.labels > 0].bincount(minlength=6)[1:] / shapes.sum()
    assert len(share) == 5 and (share - 0.2).abs().max() < 0.03  # the standard error with 700 shapes is 0.015


def test_boxes_lie_in_the_picture_and_there_is_one_to_each_label(split):
    there = split.labels > 0
    boxes = split.boxes[there]
    assert boxes.min() >= 0 and boxes.max() <= 96 and not split.boxes[~there].any()
    sizes = boxes[:, 2:] - boxes[:, :2]
    assert sizes.min() >= 12 and sizes.max() <= 50


def test_shapes_overlap_a_little_at_most(split):
    most = 0.0
    for boxes, labels in zip(split.boxes.float(), split.labels, strict=True):
        apart = box_iou(boxes[labels > 0], boxes[labels > 0])
        most = max(most, apart.fill_diagonal_(0).max().item())
    assert 0.02 < most < 0.25, "some overlap, none much"


def test_boxes_are_tight(monkeypatch):
    """Against torchvision, on what was painted: each shape as a plane of its own, which mix() was given."""
    painted = []

    def mix(below, above, share):
        painted.append(share)
        return drawing.mix(below, above, share)

    monkeypatch.setattr(scenes, "mix", mix)
    _, boxes, labels = scenes._scenes(50, 0, 7)
    shapes = painted[-2 * scenes.MOST :][1::2]  # each after its paint
    for which, shares in enumerate(shapes):
        there = labels[:, which] > 0
        assert not (shares[~there] > 128).any() and there.any()
        found = masks_to_boxes(shares[there] > 128)  # pixels, so that the last ones are inside
        assert torch.equal(found + torch.tensor([0, 0, 1, 1]), boxes[there, which].float())


def test_pictures_change_where_the_boxes_are():
    """Without shapes the same picture differs in the boxes and around, where rims are long at a tip; nowhere else."""
    with pytest.MonkeyPatch.context() as patch:
        with_shapes, boxes, labels = scenes._scenes(20, 1, 2)
        patch.setattr(scenes, "_depth", lambda labels, u, v, r: torch.full_like(u, -96 * 16))
        without, *_ = scenes._scenes(20, 1, 2)
    differs = (with_shapes != without).any(1)
    inside = torch.zeros_like(differs)
    for picture, (these, names) in enumerate(zip(boxes, labels, strict=True)):
        for x1, y1, x2, y2 in these[names > 0].tolist():
            inside[picture, max(0, y1 - 8) : y2 + 8, max(0, x1 - 8) : x2 + 8] = True
            assert differs[picture, y1:y2, x1:x2].float().mean() > 0.3
    assert not differs[~inside].any()


def test_cached_and_read_back(drawn, monkeypatch, tmp_path):
    monkeypatch.setenv("RESLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(scenes, "draw", lambda: drawn[:2])
    first = scenes.load()
    monkeypatch.setattr(scenes, "draw", None)  # not drawn again
    for these, again, known in zip(first, scenes.load(), drawn[:2], strict=True):
        assert these.fingerprint == again.fingerprint == known.fingerprint
    assert remembered.cache_folder() == tmp_path and len(list(tmp_path.rglob("scenes-*"))) == 1


def test_a_machine_that_draws_other_scenes_is_told(drawn, monkeypatch, tmp_path):
    monkeypatch.setenv("RESLAB_CACHE", str(tmp_path))
    train, test = drawn[:2]
    monkeypatch.setattr(scenes, "draw", lambda: (Scenes(train.images ^ 1, train.boxes, train.labels), test))
    with pytest.raises(DataError, match="draws other scenes than the known ones"):
        scenes.load()
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".lock"]

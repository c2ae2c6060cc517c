"""Batches of pictures with boxes: against hand computation and torchvision; the same bits however they are made."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torchvision import tv_tensors
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.transforms import v2

from reslab.data import DataError, Facts
from reslab.data.batches import AUGMENT, ORDER, split
from reslab.data.decoding import decode
from reslab.data.draws import draws, permutation
from reslab.detection import scenes
from reslab.detection.source import BoxSource, find_boxes, fitted, found_boxes, opened_boxes
from reslab.detection.voc import open_voc

from .voc_fixtures import CAT, DOG, LISTS, TEST, bccd, voc, write_lists, write_picture, zip_voc  # noqa: F401


@dataclass
class Config:
    """The fields of a RunConfig that are read."""

    dataset: str
    batch: int = 2
    seed: int = 0
    val_split: int = 0
    image_size: int = 100
    found: Facts | None = None


def make_source(root: Path, **options) -> BoxSource:
    return BoxSource(open_voc(root), **dict(batch=2, image_size=100, workers=0) | options)


@pytest.fixture
def source(voc):  # noqa: F811
    made = make_source(voc)
    yield made
    made.close()


def same(a, b) -> bool:
    """Whether two batches have the same bits."""
    (images, targets), (others, their_targets) = a, b
    assert len(images) == len(others) == len(targets) == len(their_targets)
    pairs = [*zip(images, others, strict=True)]
    for target, theirs in zip(targets, their_targets, strict=True):
        assert target.keys() == theirs.keys()
        pairs += [(target[name], theirs[name]) for name in target]
    return all(torch.equal(x, y) for x, y in pairs)


def test_a_batch_by_hand(voc, source):  # noqa: F811
    """Order and mirroring from the streams that they are of; mirrored boxes by torchvision."""
    mirrored = 0
    for iteration in range(9):
        images, targets = source.batch(iteration)
        epoch, position = divmod(iteration, 3)
        order = permutation(6, 0, ORDER, epoch).tolist()[2 * position : 2 * position + 2]
        for place, which in enumerate(order):
            name = LISTS["trainval"][which]
            image = tv_tensors.Image(decode(voc / "JPEGImages" / f"{name}.jpg"))
            objects = [DOG, CAT][: 1 + which % 2]
            corners = [[x1 - 1, y1 - 1, x2, y2] for _, x1, y1, x2, y2 in objects]
            boxes = tv_tensors.BoundingBoxes(corners, format="XYXY", canvas_size=image.shape[-2:], dtype=torch.float32)
            if draws(2, 0, AUGMENT, iteration)[place] % 2:
                image, boxes = v2.RandomHorizontalFlip(1.0)(image, boxes)
                mirrored += 1
            assert images[place].dtype == torch.float32 and torch.equal(images[place], image.float() / 255)
            assert set(targets[place]) == {"boxes", "labels"}
            assert torch.equal(targets[place]["boxes"], boxes.as_subclass(torch.Tensor))
            assert targets[place]["labels"].tolist() == [2, 1][: len(objects)]  # cat, dog; 0 is the background
    assert 4 <= mirrored <= 14


def test_workers_and_stops_change_no_bit(voc, source):  # noqa: F811
    there = [source.batch(iteration) for iteration in range(5)]
    assert same(source.batch(3), there[3]) and same(source.batch(4), there[4])
    with_workers = make_source(voc, workers=2)
    try:
        assert all(same(with_workers.batch(iteration), there[iteration]) for iteration in (2, 3, 4, 0))
        for ours, theirs in zip(with_workers.held_out(), source.held_out(), strict=True):
            assert same(ours, theirs)
        assert same(with_workers.batch(1), there[1])
    finally:
        with_workers.close()


def test_seeds_differ_and_epochs_are_shuffled(voc, source):  # noqa: F811
    other = make_source(voc, seed=1)
    epochs = ((0, 1, 2), (3, 4, 5))
    orders = [torch.cat([each.indices(i) for i in epoch]).tolist() for each in (source, other) for epoch in epochs]
    assert all(sorted(order) == list(range(6)) for order in orders) and len({*map(tuple, orders)}) == 4


def test_held_out_pictures_in_order_as_they_are(voc, source, monkeypatch):  # noqa: F811
    monkeypatch.setattr("reslab.detection.source.HELD_OUT_BATCH", 2)
    write_picture(voc, "b2", (*DOG, 1), (*CAT, 0))
    batches = list(make_source(voc).held_out())
    assert [len(images) for images, _ in batches] == [2, 1]
    images, targets = ([each for batch in batches for each in batch[part]] for part in (0, 1))
    for name, image in zip(LISTS["test"], images, strict=True):
        assert torch.equal(image, decode(voc / "JPEGImages" / f"{name}.jpg") / 255)
    assert [target["difficult"].tolist() for target in targets] == [[False], [True, False], [False]]
    assert targets[1]["boxes"].tolist() == [[4, 5, 24, 30], [29, 10, 60, 47]]
    assert targets[1]["labels"].tolist() == [2, 1]


def test_difficult_objects_and_pictures_without_boxes_are_not_trained_on(voc):  # noqa: F811
    write_picture(voc, "a1")
    write_picture(voc, "a3", (*DOG, 1))
    write_picture(voc, "a5", (*DOG, 1), CAT)
    source = make_source(voc, batch=4)
    assert [Path(labelled.picture).stem for labelled in source.train] == ["a2", "a4", "a5", "a6"]
    for iteration in range(4):
        _, targets = source.batch(iteration)
        assert all(len(target["boxes"]) == len(target["labels"]) > 0 for target in targets)
        where = source.indices(iteration).tolist().index(2)
        assert targets[where]["labels"].tolist() == [1]
    assert source.fingerprint["train"] == 4


def test_held_out_pictures_without_boxes_stay(voc):  # noqa: F811
    write_picture(voc, "b1")
    ((images, targets),) = make_source(voc).held_out()
    assert len(images) == 3 and targets[0]["boxes"].shape == (0, 4) and targets[0]["difficult"].shape == (0,)


def test_a_validation_split_is_taken_from_the_training_pictures(voc):  # noqa: F811
    source = make_source(voc, val_split=2)
    kept, validation = split(6, 2)
    names = [[Path(labelled.picture).stem for labelled in these] for these in (source.train, source.test)]
    assert names == [[LISTS["trainval"][i] for i in indices] for indices in (kept, validation)]


@pytest.mark.parametrize(("height", "width"), [(480, 640), (481, 640), (375, 500), (900, 300), (120, 100), (60, 90)])
def test_fitted_pictures_are_not_made_smaller_by_the_net(height, width):
    """Against what torchvision's detectors do to a picture: the size they come to is the same, and for the larger ones
    nothing is left to do.
    """
    picture = torch.randint(256, (3, height, width), dtype=torch.uint8)
    ours = fitted(picture, 120)
    transform = GeneralizedRCNNTransform(120, 200, [0.0] * 3, [1.0] * 3, size_divisible=1)
    (theirs,), (again,) = (transform([each.float()])[0].image_sizes for each in (picture, ours))
    assert max(abs(a - b) for a, b in zip(theirs, again, strict=True)) <= 1
    assert tuple(ours.shape[1:]) == (again if min(height, width) > 120 else (height, width))


def test_boxes_follow_a_picture_that_was_made_smaller(voc):  # noqa: F811
    images, targets = next(make_source(voc, image_size=24).held_out())
    assert images[1].shape == (3, 24, 32)
    assert torch.equal(images[1], v2.functional.resize(decode(voc / "JPEGImages" / "b2.jpg"), [24, 32]) / 255)
    assert targets[1]["boxes"].tolist() == [[2, 2.5, 12, 15], [14.5, 5, 30, 23.5]]


def test_examples(voc, source):  # noqa: F811
    images, targets = source.examples(2)
    assert len(images) == 2 and all(image.dtype == torch.uint8 for image in images)
    assert torch.equal(images[1], decode(voc / "JPEGImages" / "a2.jpg"))
    assert targets[1]["boxes"].tolist() == [[4, 5, 24, 30], [29, 10, 60, 47]] and not targets[1]["difficult"].any()
    targets[1]["boxes"] += 1
    targets[1]["labels"] += 1
    assert source.examples(2)[1][1]["labels"].tolist() == [2, 1], "nobody's changes reach the source"


def test_too_few_pictures(voc):  # noqa: F811
    with pytest.raises(DataError, match="6 training pictures with boxes, too few for a batch of 7; make batch"):
        make_source(voc, batch=7)


# By name


@pytest.fixture(scope="module")
def drawn() -> scenes.Scenes:
    return scenes.load()


def test_scenes_by_name(drawn):
    train, test = drawn
    with opened_boxes(Config("scenes", batch=8, image_size=96), "cpu") as source:
        assert source.classes == scenes.CLASSES and source.fingerprint["train"] == 2000
        images, targets = source.batch(0)
        for image, target, which in zip(images, targets, source.indices(0), strict=True):
            plain = train.images[which] / 255
            assert torch.equal(image, plain) or torch.equal(image, plain.flip(-1))
            assert target["labels"].tolist() == [label for label in train.labels[which].tolist() if label]
        held_out = list(source.held_out())
    assert torch.equal(torch.stack([image for images, _ in held_out for image in images]), test.images / 255)
    targets = [target for _, targets in held_out for target in targets]
    assert torch.equal(torch.cat([target["boxes"] for target in targets]), test.boxes[test.labels > 0].float())


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_or_zip_by_name(voc, tmp_path, zipped):  # noqa: F811
    path = zip_voc(voc, tmp_path / "set.zip") if zipped else voc
    config = Config(f"folder:{path}", found=found_boxes(f"folder:{path}"))
    with opened_boxes(config, "cpu", workers=1) as source:
        assert source.fingerprint == dict(digest=config.found.digest, train=6, test=3)
        assert len(source.batch(0)[0]) == 2
    write_picture(voc, "b1", CAT)
    zip_voc(voc, tmp_path / "set.zip")
    changed = pytest.raises(DataError, match="is not what it was when this run's config was made")
    with changed, opened_boxes(config, "cpu", workers=0):
        pass


def test_voc_by_name(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("reslab.detection.source.find_voc", lambda *given: asked.append(given))
    find_boxes("voc07+12", tmp_path)
    assert asked == [("voc07+12", tmp_path)]


def test_without_held_out_pictures(voc, monkeypatch):  # noqa: F811
    """As voc07++12 is."""
    found = open_voc(voc)
    bare = type(found)(found.root, found.classes, found.train, type(found.train)(()), found.digest, found.stamp)
    with pytest.raises(DataError, match="there are no held-out pictures; set val_split"):
        BoxSource(bare, batch=2, image_size=24, workers=0)
    assert len(BoxSource(bare, batch=2, image_size=24, workers=0, val_split=2).test) == 2


def test_held_out_pictures_without_boxes_measure_nothing(voc):  # noqa: F811
    for name in TEST:
        write_picture(voc, name, *[(*DOG, 1)] * (name == "b1"))  # a difficult one does not count
    with pytest.raises(DataError, match=r"none of the 3 held-out pictures has a box that can be found, .* val_split"):
        make_source(voc)
    write_picture(voc, "b2", DOG)
    make_source(voc).close()


def test_damaged_pictures_are_found_before_training(voc):  # noqa: F811
    file = voc / "JPEGImages" / "b2.jpg"
    file.write_bytes(file.read_bytes()[:700])
    with pytest.raises(DataError) as caught, opened_boxes(Config(f"folder:{voc}"), "cpu", workers=0):
        pass
    assert "1 of the 9 pictures in " in str(caught.value) and "JPEGImages/b2.jpg (image file is tru" in str(
        caught.value
    )


def test_a_picture_damaged_later_is_named(voc):  # noqa: F811
    with opened_boxes(Config(f"folder:{voc}"), "cpu", workers=1) as source:
        (voc / "JPEGImages" / "b2.jpg").unlink()
        with pytest.raises(DataError, match=r"JPEGImages/b2.jpg cannot be read as a picture \(No such file"):
            list(source.held_out())


def test_slips_are_told(voc):  # noqa: F811
    write_picture(voc, "a1", DOG, DOG)
    with pytest.warns(UserWarning) as told, opened_boxes(Config(f"folder:{voc}"), "cpu", workers=0) as source:
        assert source.fingerprint["passed_over"] == 1
    message = f"of the boxes in {voc} 1 is passed over, a slip of the hand: dog labelled twice in Annotations/a1.xml"
    assert [str(warning.message) for warning in told] == [message]


def test_bccd(bccd):  # noqa: F811
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with opened_boxes(Config(f"folder:{bccd}", batch=4, image_size=120), "cpu", workers=1) as source:
            images, targets = source.batch(0)
            assert {tuple(image.shape) for image in images} == {(3, 120, 160)} and all(map(len, targets))
            for images, targets in source.held_out():
                for image, target in zip(images, targets, strict=True):
                    x1, y1, x2, y2 = target["boxes"].unbind(1)
                    assert (x1 >= 0).all() and (x1 < x2).all() and (x2 <= image.shape[2]).all()
                    assert (y1 >= 0).all() and (y1 < y2).all() and (y2 <= image.shape[1]).all()

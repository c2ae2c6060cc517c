"""The drawn data set: known bytes, ten outlines with the areas that geometry gives, and no clue but the outline."""

import hashlib
import math
import time

import pytest
import torch
from torch.nn import functional as F

from reslab.data import Dataset, shapes


@pytest.fixture(scope="module")
def drawn() -> tuple[Dataset, float]:
    start = time.perf_counter()
    return shapes.draw(), time.perf_counter() - start


@pytest.fixture(scope="module")
def dataset(drawn) -> Dataset:
    return drawn[0]


def test_drawn_in_seconds(drawn):
    assert drawn[1] < 20


def test_counts_and_types(dataset):
    assert dataset.name == "shapes"
    assert dataset.classes == (
        "disk", "ring", "square", "triangle", "cross", "star", "heart", "crescent", "arrow", "hourglass",
    )  # fmt: skip
    for images, labels, each in (
        (dataset.train_images, dataset.train_labels, 1000),
        (dataset.test_images, dataset.test_labels, 200),
    ):
        assert images.dtype == torch.uint8 and images.shape == (10 * each, 3, 32, 32) and images.is_contiguous()
        assert labels.dtype == torch.int64 and labels.bincount().tolist() == [each] * 10


def test_bytes_are_the_known_ones(dataset):
    known = {"train": shapes.TRAIN_SHA256, "test": shapes.TEST_SHA256}
    assert dataset.fingerprint == known
    for name, digest in known.items():
        images, labels = getattr(dataset, f"{name}_images"), getattr(dataset, f"{name}_labels")
        digests = [
            hashlib.sha256(bytes([label]) + bytes(image.flatten().tolist())).digest()
            for image, label in zip(images, labels.tolist(), strict=True)
        ]
        assert len(set(digests)) == len(digests), "no image is drawn twice"
        assert hashlib.sha256(b"".join(sorted(digests))).hexdigest() == digest


def test_train_and_test_share_no_image(dataset):
    train = {bytes(image.numpy().tobytes()) for image in dataset.train_images}
    assert not any(image.numpy().tobytes() in train for image in dataset.test_images)


def test_drawn_twice_is_the_same(dataset):
    again = shapes.draw()
    assert torch.equal(again.train_images, dataset.train_images) and torch.equal(again.test_images, dataset.test_images)
    assert torch.equal(again.train_labels, dataset.train_labels) and torch.equal(again.test_labels, dataset.test_labels)


def test_threads_do_not_change_the_bytes():
    threads = torch.get_num_threads()
    try:
        images = []
        for count in (1, 2):
            torch.set_num_threads(count)
            images.append(shapes._images(shapes.star, 50, 0, 5))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*images)


def lens(distance: float, r: float, s: float) -> float:
    """The area that two disks of radii r and s share, their centres `distance` apart."""
    p, q = (distance**2 + r * r - s * s) / (2 * distance * r), (distance**2 + s * s - r * r) / (2 * distance * s)
    kite = math.sqrt((r + s - distance) * (distance + r - s) * (distance - r + s) * (distance + r + s)) / 2
    return r * r * math.acos(p) + s * s * math.acos(q) - kite


TAN36, TAN72 = math.tan(math.radians(36)), math.tan(math.radians(72))
AREAS = {  # in squares of the nominal radius
    "disk": math.pi * (7 / 8) ** 2,
    "ring": math.tau * (7 / 8) * 2 * (3 / 16),
    "square": 1.5**2,
    "triangle": 3 * math.sqrt(3) * (5 / 8) ** 2,
    "cross": 2 * 2 * (5 / 8) - (5 / 8) ** 2,
    "star": 5 * (3 / 8) ** 2 * (TAN36 + TAN36**2 * TAN72),  # inner pentagon and five tips
    "heart": (4 + math.pi) * (9 / 16) ** 2,
    "crescent": math.pi - lens(5 / 8, 1, 13 / 16),
    "arrow": 15 / 13 + 5 / 8,
    "hourglass": 4 / 15 * (13 * (7 / 8) ** 2 / 2 + 2.5 * 7 / 8),
}


@pytest.mark.parametrize("outline", shapes.OUTLINES, ids=lambda outline: outline.__name__)
def test_outlines_have_the_areas_of_their_figures(outline):
    radius, step = 2000, 8
    axis = torch.arange(-3000, 3000, step, dtype=torch.int32)
    inside = outline(axis[None, :], axis[:, None], torch.tensor(radius, dtype=torch.int32)) > 0
    # Angles are whole 64ths of a turn, so thirds and fifths of a turn are off by a degree.
    assert inside.sum().item() * step**2 / radius**2 == pytest.approx(AREAS[outline.__name__], rel=0.02)
    assert not inside[0].any() and not inside[:, 0].any(), "the figure lies within 1.5 radii"


def accuracy_of_nearest_mean(dataset: Dataset, feature) -> float:
    """Share of test images whose class has the nearest mean of a standardised `feature` in the training set."""
    train, test = feature(dataset.train_images / 255), feature(dataset.test_images / 255)
    center, spread = train.mean(0), train.std(0)
    means = torch.stack([train[dataset.train_labels == label].mean(0) for label in range(10)])
    nearest = torch.cdist((test - center) / spread, (means - center) / spread).argmin(1)
    return (nearest == dataset.test_labels).double().mean().item()


def test_only_the_outline_tells_the_class(dataset):
    def contrast(images):
        """How far each pixel of the image at 16x16 is from its mean colour."""
        return (F.avg_pool2d(images, 2) - images.mean((2, 3), keepdim=True)).abs().sum(1).flatten(1)

    # Chance is 10 %; its standard error with 2,000 images is 0.7 %.
    assert accuracy_of_nearest_mean(dataset, lambda images: images.mean((2, 3))) < 0.13
    assert accuracy_of_nearest_mean(dataset, lambda images: images.std((2, 3))) < 0.15
    assert accuracy_of_nearest_mean(dataset, lambda images: F.avg_pool2d(images, 2).flatten(1)) > 0.14
    assert accuracy_of_nearest_mean(dataset, contrast) > 0.3

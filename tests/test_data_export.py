"""Folders of pictures written from a data set, read back by another library."""

import numpy as np
import pytest
import torch
from torchvision.datasets import ImageFolder

from reslab.data import DataError, Dataset
from reslab.data.export import write_folder


@pytest.fixture
def dataset():
    generator = torch.Generator().manual_seed(0)

    def split(count):
        return torch.randint(256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8), torch.arange(count) % 3

    return Dataset("tiny", ("ant", "bee", "cat"), *split(12), *split(6), fingerprint={})


def test_every_picture_comes_back_with_its_class(dataset, tmp_path):
    folder = write_folder(dataset, tmp_path / "tiny")
    for split, images, labels in (
        ("train", dataset.train_images, dataset.train_labels),
        ("test", dataset.test_images, dataset.test_labels),
    ):
        read = ImageFolder(folder / split)
        assert read.classes == list(dataset.classes) and len(read) == len(labels)
        for (picture, label), (file, _) in zip(read, read.samples, strict=True):
            index = int(file.rpartition("/")[2].removesuffix(".png"))
            assert label == labels[index]
            assert np.array_equal(np.asarray(picture), images[index].permute(1, 2, 0))


def test_a_subset_has_as_many_of_each_class_at_the_size_asked_for(dataset, tmp_path):
    read = ImageFolder(write_folder(dataset, tmp_path / "tiny", size=64, train=6, test=3) / "train")
    assert [label for _, label in read] == [0, 0, 1, 1, 2, 2]
    assert {picture.size for picture, _ in read} == {(64, 64)}
    assert {file.rpartition("/")[2] for file, _ in read.samples} == {f"{index:05}.png" for index in range(6)}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (dict(train=7), "train=7 images are not as many of each class; give a multiple of 3"),
        (dict(test=9), "test=9 images are more than there are; allowed: up to 6"),
    ],
)
def test_subsets_that_cannot_be_leave_no_folder(dataset, tmp_path, values, sentence):
    with pytest.raises(DataError, match=sentence):
        write_folder(dataset, tmp_path / "tiny", **values)
    assert not (tmp_path / "tiny").exists()


def test_a_folder_with_something_in_it_is_left_alone(dataset, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty; name a new folder"):
        write_folder(dataset, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

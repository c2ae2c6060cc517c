"""A data set in memory as a source of batches."""

import pytest
import torch

from reslab.data import Dataset
from reslab.data.tensors import EVALUATION_BATCH, TensorSource


@pytest.fixture
def dataset():
    generator = torch.Generator().manual_seed(0)

    def part(count):
        images = torch.randint(256, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)
        return images, torch.arange(count).flip(0) % 3

    return Dataset("tiny", ("ant", "bee", "cat"), *part(60), *part(EVALUATION_BATCH + 7), fingerprint=dict(train="x"))


def test_held_out_images_come_in_order_less_the_training_mean(dataset):
    source = TensorSource(dataset, 8, batch=4)
    batches = list(source.held_out())
    assert [len(labels) for _, labels in batches] == [EVALUATION_BATCH, 7]
    assert torch.equal(torch.cat([labels for _, labels in batches]), dataset.test_labels)
    expected = (dataset.test_images.double() - dataset.train_images.double().mean(0)) / 255
    torch.testing.assert_close(torch.cat([images for images, _ in batches]).double(), expected, atol=1e-6, rtol=0)


def test_a_validation_split_takes_the_test_sets_place(dataset):
    source = TensorSource(dataset, 8, batch=4, val_split=20)
    held_out = torch.cat([labels for _, labels in source.held_out()])
    assert len(held_out) == 20 and len(source.batches.images) == 40
    kept = source.batches.images.permute(0, 3, 1, 2)
    assert len(torch.cat([kept, source.images.permute(0, 3, 1, 2)]).unique(dim=0)) == 60


def test_examples_are_the_first_image_of_each_class(dataset):
    images, labels = TensorSource(dataset, 8, batch=4).examples()
    assert labels.tolist() == [0, 1, 2]
    for image, label in zip(images, labels, strict=True):
        first = dataset.train_labels.tolist().index(int(label))
        assert torch.equal(image, dataset.train_images[first])
    assert len(TensorSource(dataset, 8, batch=4).examples(2)[0]) == 2

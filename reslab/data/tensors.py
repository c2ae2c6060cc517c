"""A data set in memory as a source of batches: what training and evaluation see of it."""

from collections.abc import Iterator
from itertools import islice

import torch

from . import Dataset
from .batches import Batches, resize, split

EVALUATION_BATCH = 250  # images: larger ones leave the caches, and cost a quarter more


class TensorSource:
    """Batches of `dataset`, on `device`: images average-pooled to `image_size`, `val_split` of them held out in place
    of the test set. `share` is (rank, processes): this process gets its equal part of each training batch, and every
    `processes`-th batch of the held-out images.
    """

    def __init__(
        self,
        dataset: Dataset,
        image_size: int,
        batch: int,
        seed: int = 0,
        val_split: int = 0,
        device: torch.device | str = "cpu",
        share: tuple[int, int] = (0, 1),
    ):
        self.fingerprint, self.classes, self.share = dataset.fingerprint, dataset.classes, share
        images, labels = resize(dataset.train_images, image_size), dataset.train_labels
        held_out, held_out_labels = resize(dataset.test_images, image_size), dataset.test_labels
        if val_split:
            kept, validation = split(len(images), val_split)
            held_out, held_out_labels = images[validation], labels[validation]
            images, labels = images[kept], labels[kept]
        self.batches = Batches(images, labels, batch, seed, device, share)
        self.images = held_out.permute(0, 2, 3, 1).contiguous().to(device)  # as bytes: a quarter of the memory
        self.labels = held_out_labels.to(device)

    def batch(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        """This share of the augmented training batch of an iteration: see Batches."""
        return self.batches(iteration)

    def examples(self, most: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
        """The first training image of each class, of the first `most`: uint8 [n, 3, S, S], and labels [n]."""
        labels = torch.arange(min(most, len(self.classes)))
        chosen = [int((self.batches.labels == label).nonzero()[0]) for label in labels.tolist()]
        return self.batches.images[chosen].permute(0, 3, 1, 2).cpu(), labels

    def held_out(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """This share of the held-out images, as float [n, 3, S, S] less the training images' mean, and their labels
        [n], in order.
        """
        rank, processes = self.share
        batches = zip(self.images.split(EVALUATION_BATCH), self.labels.split(EVALUATION_BATCH), strict=True)
        for images, labels in islice(batches, rank, None, processes):
            yield self.batches.normalise(images).permute(0, 3, 1, 2), labels

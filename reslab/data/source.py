"""Mini-batches of pictures: which ones an iteration sees, and how they come to the device.

As with tensors (see batches.py) a batch is a function of (seed, iteration): workers, processes and stops change
nothing.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import count, islice
from typing import Any

import torch
from safetensors.torch import load, save
from tqdm import tqdm

from .batches import ORDER, split
from .draws import permutation
from .loading import Job, Workers, default_workers
from .pictures import Pictures, Split
from .remembered import remembered
from .verifying import verify
from .views import COLOUR, Views, lighting

MEAN = 6  # a stream of random numbers, apart from those in batches.py and views.py
MEAN_PICTURES = 4096  # that the mean is made of: it then lies within about 1 of the mean of all, of 255
HELD_OUT_BATCH = 250  # views an evaluation batch, as with tensors

Normalise = Callable[[torch.Tensor], torch.Tensor]  # uint8 [..., size, size, 3] -> float of the same shape


class PictureSource:
    """Training batches and held-out pictures of a folder, as float tensors on a device.

    `size` is the side of the crops and `scale` the range of the pictures' shorter side before, in pixels. `colour` is
    the standard deviation of AlexNet's colour augmentation, 0.1 there; 0 is none. With `val_split`, that many training
    pictures, the same for every seed, are held out instead of the folder's own. `share` is (rank, processes): `batch`
    gives this process's contiguous share of the global batch of `batch` pictures, whose other pictures no one here
    decodes. `workers` is the number of processes that decode, None a sensible one. To be closed.
    """

    def __init__(
        self,
        pictures: Pictures,
        *,
        batch: int,
        size: int,
        scale: tuple[int, int],
        seed: int = 0,
        colour: float = 0.0,
        val_split: int = 0,
        share: tuple[int, int] = (0, 1),
        device: torch.device | str = "cpu",
        workers: int | None = None,
        progress: bool = True,
    ):
        self.pictures, self.device, self.seed, self.colour = pictures, torch.device(device), seed, colour
        self.classes, self.progress, self.val_split = pictures.classes, progress, val_split
        self.train, self.test = pictures.train, pictures.held_out
        if val_split:
            kept, validation = split(len(self.train.names), val_split)
            self.train, self.test = self.train.chosen(kept), self.train.chosen(validation)
        self.global_batch, self.per_epoch = batch, len(self.train.names) // batch
        self.share = rank, processes = share
        self.mine = range(rank * batch // processes, (rank + 1) * batch // processes)
        self.views = Views(str(pictures.root), size, scale, seed)
        self.workers = Workers(default_workers() if workers is None else workers, self.device.type == "cuda")
        self._next, self._batches = -1, iter(())
        self._epoch, self._order = -1, torch.empty(0)

    def prepare(self) -> None:
        """Verifies every picture and makes the mean, unless both are remembered; after this nothing takes minutes.

        Raises DataError, with all pictures that are damaged.
        """
        verify(self.pictures, self.workers, self.progress)
        _ = self.mean  # made at the first look

    def indices(self, iteration: int) -> torch.Tensor:
        """Which training pictures the global batch of `iteration` holds, int64 [batch]."""
        epoch, position = divmod(iteration, self.per_epoch)
        if epoch != self._epoch:  # a memo, not state: the order is a function of (seed, epoch)
            self._epoch, self._order = epoch, permutation(len(self.train.names), self.seed, ORDER, epoch)
        return self._order[position * self.global_batch : (position + 1) * self.global_batch]

    def batch(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        """This process's share of the batch of an iteration (from 0): random views, float [b, 3, size, size] in
        channels_last layout, the mean picture subtracted, in units of 255; and labels int64 [b].

        The workers decode ahead of the iteration asked for; another than the next makes them start anew there. Raises
        DataError for a picture that cannot be read.
        """
        normalise = self.normalise  # before the workers are given anything: making the mean takes them
        if iteration != self._next:
            self._batches = self.workers.run(map(self._job, count(iteration)))
        images, labels = next(self._batches)
        self._next = iteration + 1
        floats = normalise(images.to(self.device, non_blocking=True))
        if self.colour:
            shift = lighting(self.global_batch, self.colour, self.seed, COLOUR, iteration, device=self.device)
            floats = floats + shift[self.mine.start : self.mine.stop, None, None, :]
        return floats.permute(0, 3, 1, 2), labels.to(self.device, non_blocking=True)

    def examples(self, most: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
        """The central crop of the first training picture of each class, of the first `most`: uint8 [n, 3, size, size],
        and labels [n].
        """
        labels = torch.arange(min(most, len(self.classes)))
        first = torch.stack([(self.train.labels == label).nonzero()[0, 0] for label in labels])
        chosen = self.train.chosen(first)
        return self.views.centre(chosen.names, chosen.labels)[0].permute(0, 3, 1, 2), labels

    def _job(self, iteration: int) -> Job:
        mine = self.train.chosen(self.indices(iteration)[self.mine.start : self.mine.stop])
        return partial(self.views.training, mine.names, mine.labels, iteration, self.mine.start)

    def held_out(
        self, views: int = 1, normalise: Normalise | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The held-out pictures in order, in batches: the central crop of each, float [b, 3, size, size], or its ten
        crops, [b, 10, 3, size, size], and the labels. Of several processes each gets every so many batches.
        `normalise` takes the place of the source's own.
        """
        normalise, self._next = normalise or self.normalise, -1
        make = {1: self.views.centre, 10: self.views.ten}[views]
        rank, processes = self.share
        jobs = islice(_jobs(make, self.test, HELD_OUT_BATCH // views), rank, None, processes)
        for images, labels in self.workers.run(jobs):
            floats = normalise(images.to(self.device, non_blocking=True))
            yield floats.movedim(-1, -3), labels.to(self.device, non_blocking=True)

    @cached_property
    def mean(self) -> torch.Tensor:
        """The mean picture, float32 [size, size, 3], 0 to 255: of the central crops of at most MEAN_PICTURES training
        pictures, kept in reslab's cache.
        """
        size, least = self.views.size, self.views.scale[0]
        name = f"{self.pictures.stamp}-{self.val_split}-{size}-{least}.mean"
        return load(remembered(name, self._mean))["mean"].to(self.device)

    def _mean(self) -> bytes:
        some = self.train.chosen(permutation(len(self.train.names), MEAN)[:MEAN_PICTURES])
        total = torch.zeros(self.views.size, self.views.size, 3, dtype=torch.int64)  # integers: exact in any order
        jobs = _jobs(self.views.centre, some, 64)
        with tqdm(total=len(some.names), desc="mean picture", unit="picture", disable=not self.progress) as bar:
            for images, labels in self.workers.run(jobs):
                total += images.long().sum(0)
                bar.update(len(labels))
        return save(dict(mean=(total.double() / len(some.names)).float()))

    @property
    def normalise(self) -> Normalise:
        """uint8 views [..., size, size, 3] -> float with the mean picture subtracted, in units of 255."""
        mean = self.mean
        return lambda images: (images.float() - mean) / 255

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What the files are, by names and sizes, and what their mean picture is here: that depends on the decoder."""
        mean = hashlib.sha256(self.mean.cpu().numpy()).hexdigest()[:16]
        return dict(digest=self.pictures.digest, train=len(self.train.names), test=len(self.test.names), mean=mean)

    def close(self) -> None:
        """Ends the workers."""
        self._next, self._batches = -1, iter(())
        self.workers.close()


def _jobs(make: Callable[..., Any], pictures: Split, at_once: int) -> Iterator[Job]:
    names, labels = pictures.names, pictures.labels
    for start in range(0, len(names), at_once):
        yield partial(make, names[start : start + at_once], labels[start : start + at_once])

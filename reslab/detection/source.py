"""Batches of pictures with boxes: which ones an iteration sees, and how they come to the device.

As in data/source.py a batch is a function of (seed, iteration): workers and stops change nothing.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torchvision.transforms.v2.functional as TF

from ..data import DataError, Facts
from ..data.batches import AUGMENT, ORDER, split
from ..data.decoding import decode
from ..data.draws import draws, permutation
from ..data.loading import Job, Workers, default_workers
from ..data.pictures import listed, shown
from ..data.verifying import verify
from ..names import FOLDER
from . import scenes
from .published import find_voc
from .voc import BoxPictures, Labelled, open_voc

if TYPE_CHECKING:
    from ..training.config import RunConfig

HELD_OUT_BATCH = 8  # pictures: enough for the machine, few enough that padding to the largest one costs little
LONGEST = 1000 / 600  # the longer side is at most this many times image_size, as in Ren et al. 2015, section 3.3

Target = dict[str, torch.Tensor]
Batch = tuple[list[torch.Tensor], list[Target]]


class BoxSource:
    """Training batches and held-out pictures with boxes, as torchvision's detectors take them.

    Images are float [3, H, W] in 0 to 1, on the device, each of its own size. Targets are dicts of `boxes` float32
    [n, 4], x1, y1, x2, y2 in the image's pixels, half-open, and `labels` int64 [n] from 1, in the order of `classes`,
    where 0 is left to the background. To be closed.

    Pictures that are larger than a net at `image_size` sees them are made smaller before: see `fitted`. With
    `val_split`, that many training pictures, the same for every seed, are held out in place of the others. `workers` is
    the number of processes that decode, None a sensible one.
    """

    def __init__(
        self,
        pictures: BoxPictures,
        *,
        batch: int,
        image_size: int,
        seed: int = 0,
        val_split: int = 0,
        device: torch.device | str = "cpu",
        workers: int | None = None,
    ):
        self.pictures, self.classes = pictures, pictures.classes
        self.image_size, self.size, self.seed, self.device = image_size, batch, seed, torch.device(device)
        train, self.test = pictures.train.pictures, pictures.held_out.pictures
        if val_split:
            kept, validation = (indices.tolist() for indices in split(len(train), val_split))
            train, self.test = tuple(train[i] for i in kept), tuple(train[i] for i in validation)
        # A picture without a box to learn teaches a detector little, and upsets the losses of some.
        self.train = tuple(labelled for labelled in train if not labelled.difficult.all())
        if len(self.train) < batch:
            raise DataError(
                f"there are {len(self.train):,} training pictures with boxes, too few for a batch of {batch}; make "
                f"batch or val_split smaller"
            )
        if not self.test:
            raise DataError("there are no held-out pictures; set val_split to how many training pictures to hold out")
        if all(labelled.difficult.all() for labelled in self.test):
            raise DataError(
                f"none of the {len(self.test):,} held-out pictures has a box that can be found, so there is nothing to "
                f"measure; add some, or set val_split to how many training pictures to hold out, or to more"
            )
        if not isinstance(self.train[0].picture, str):
            workers = 0  # there is nothing to decode
        self.workers = Workers(default_workers() if workers is None else workers, self.device.type == "cuda")
        self._next, self._batches = -1, iter(())
        self._epoch, self._order = -1, torch.empty(0)

    def prepare(self, progress: bool = True) -> None:
        """Decodes every picture once, unless it is remembered that all went well; with a bar on stderr.

        Raises DataError, with all pictures that are damaged.
        """
        if isinstance(self.train[0].picture, str):
            verify(self.pictures, self.workers, progress)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What the data are, and how many of them are trained on and held out here."""
        slips = dict(passed_over=len(self.pictures.slips)) if self.pictures.slips else {}
        return dict(digest=self.pictures.digest, train=len(self.train), test=len(self.test)) | slips

    def indices(self, iteration: int) -> torch.Tensor:
        """Which training pictures the batch of `iteration` holds, int64 [batch]."""
        epoch, position = divmod(iteration, len(self.train) // self.size)
        if epoch != self._epoch:  # a memo, not state: the order is a function of (seed, epoch)
            self._epoch, self._order = epoch, permutation(len(self.train), self.seed, ORDER, epoch)
        return self._order[position * self.size : (position + 1) * self.size]

    def batch(self, iteration: int) -> Batch:
        """The batch of an iteration (from 0), each picture mirrored or not; without difficult objects.

        The workers decode ahead of the iteration asked for; another than the next makes them start anew there. Raises
        DataError for a picture that cannot be read.
        """
        if iteration != self._next:
            self._batches = self.workers.run(map(self._job, count(iteration)))
        images = self._on_device(next(self._batches))
        self._next = iteration + 1
        mirrored = (draws(self.size, self.seed, AUGMENT, iteration) % 2).tolist()
        targets = []
        for position, which in enumerate(self.indices(iteration).tolist()):
            target = target_of(self.train[which], images[position])
            easy = ~target.pop("difficult")
            target = {name: value[easy] for name, value in target.items()}
            if mirrored[position]:
                width = images[position].shape[-1]
                images[position] = images[position].flip(-1)
                target["boxes"][:, [0, 2]] = width - target["boxes"][:, [2, 0]]
            targets.append({name: value.to(self.device) for name, value in target.items()})
        return images, targets

    def held_out(self) -> Iterator[Batch]:
        """The held-out pictures in order, as they are, some at a time; the targets have `difficult` bool [n], too."""
        self._next = -1
        batches = [self.test[start : start + HELD_OUT_BATCH] for start in range(0, len(self.test), HELD_OUT_BATCH)]
        for these, decoded in zip(batches, self.workers.run(map(self._loading, batches)), strict=True):
            images = self._on_device(decoded)
            targets = [target_of(labelled, image) for labelled, image in zip(these, images, strict=True)]
            yield images, [{name: value.to(self.device) for name, value in target.items()} for target in targets]

    def examples(self, most: int = 4) -> tuple[list[torch.Tensor], list[Target]]:
        """The first training pictures, at most `most`, to be looked at: uint8 [3, H, W] and their targets, with
        `difficult`, all on the CPU.
        """
        these = self.train[:most]
        images = self._loading(these)()
        return images, [target_of(labelled, image) for labelled, image in zip(these, images, strict=True)]

    def _job(self, iteration: int) -> Job:
        return self._loading([self.train[which] for which in self.indices(iteration).tolist()])

    def _loading(self, these: Sequence[Labelled]) -> Job:
        return partial(_load, str(self.pictures.root), [labelled.picture for labelled in these], self.image_size)

    def _on_device(self, images: list[torch.Tensor]) -> list[torch.Tensor]:
        return [image.to(self.device, non_blocking=True).float() / 255 for image in images]

    def close(self) -> None:
        """Ends the workers."""
        self._next, self._batches = -1, iter(())
        self.workers.close()


def find_boxes(dataset: str, root: str | Path | None = None) -> BoxPictures:
    """The pictures of "scenes", "voc07", "voc07+12", "voc07++12" or "folder:PATH", a folder or zip in VOC layout.

    Raises DataError as scenes.load, published.find_voc and voc.open_voc do.
    """
    if dataset == "scenes":
        return scenes.as_pictures()
    if dataset.startswith(FOLDER):
        return open_voc(dataset.removeprefix(FOLDER))
    return find_voc(dataset, root)


def found_boxes(dataset: str) -> Facts:
    """What is in the folder of a data set called "folder:PATH". Raises DataError as voc.open_voc does."""
    return open_voc(dataset.removeprefix(FOLDER)).facts


@contextmanager
def opened_boxes(
    config: "RunConfig", device: torch.device | str, data: str | Path | None = None, workers: int | None = None
) -> Iterator[BoxSource]:
    """The source of a run's batches; inside, its workers are there. See reslab.training.sources.opened.

    Slips of the hand in a folder's annotations, which are passed over, are told in a warning. Raises DataError if the
    data cannot be had, have faults, or have changed since `config` was made.
    """
    pictures = find_boxes(config.dataset, data)
    if config.found and config.found != pictures.facts:
        raise DataError(
            f"{config.dataset!r} is not what it was when this run's config was made ({config.found.digest}, now "
            f"{pictures.digest}); put its files back, or make a new config, which is another run"
        )
    if pictures.slips:
        warnings.warn(
            f"of the boxes in {shown(pictures.root)} {_count(len(pictures.slips))}: {listed(pictures.slips)}",
            stacklevel=3,
        )
    numbers = dict(batch=config.batch, image_size=config.image_size, seed=config.seed, val_split=config.val_split)
    with closing(BoxSource(pictures, **numbers, device=device, workers=workers)) as source:
        source.prepare()
        yield source


def _count(slips: int) -> str:
    return "1 is passed over, a slip of the hand" if slips == 1 else f"{slips:,} are passed over, slips of the hand"


def fitted(picture: torch.Tensor, image_size: int) -> torch.Tensor:
    """A picture uint8 [3, H, W] made as small as a net at `image_size` sees it, or as it is if it is not larger: the
    shorter side has then `image_size` pixels, or the longer one LONGEST times as many.

    The net would do it, too, but on the training's processor, without smoothing, and of the largest pictures after
    moving many times the bytes. What is to look like training, such as a picture of one's own, goes through here.
    """
    height, width = picture.shape[-2:]
    scale = min(image_size / min(height, width), int(image_size * LONGEST) / max(height, width))
    if scale >= 1:
        return picture
    return TF.resize(picture, [max(1, round(side * scale)) for side in (height, width)], antialias=True)


def target_of(labelled: Labelled, image: torch.Tensor) -> Target:
    """The boxes, labels and `difficult` of a picture, in the pixels of the image [3, H, W] that was made of it."""
    (height, width), (old_width, old_height) = image.shape[-2:], labelled.size
    across, down = width / old_width, height / old_height
    boxes = labelled.boxes * torch.tensor([across, down, across, down])
    return dict(boxes=boxes, labels=labelled.labels.clone(), difficult=labelled.difficult.clone())


def _load(root: str, pictures: Sequence[str | torch.Tensor], image_size: int) -> list[torch.Tensor]:
    """Pictures, decoded and fitted: what a worker does."""
    decoded = (decode(os.path.join(root, each)) if isinstance(each, str) else each for each in pictures)
    return [fitted(each, image_size) for each in decoded]

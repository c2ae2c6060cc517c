"""Where a run's batches come from: tensors in memory, or pictures in a folder."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch

from ..data import DataError, load_dataset
from ..data.tensors import TensorSource
from .config import RunConfig


class Source(Protocol):
    """A data set as a task sees it: batches as a function of the iteration, and held-out examples in order."""

    classes: tuple[str, ...]
    fingerprint: dict[str, Any]

    def batch(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Float images [n, 3, S, S] and int64 labels [n] on the device: this process's share of the batch."""

    def held_out(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The same of all held-out images, or of this process's share of them."""

    def examples(self, most: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
        """A training image of each class, of the first `most`, to be looked at: uint8 [n, 3, S, S] as the net's input
        is before augmentation, and labels [n].
        """


@contextmanager
def opened(
    config: RunConfig,
    device: torch.device | str,
    data: str | Path | None = None,
    workers: int | None = None,
    share: tuple[int, int] = (0, 1),
) -> Iterator[Source]:
    """The source of a run's batches, of detection a BoxSource (see reslab.detection.source); inside, its workers are
    there.

    `data` is where the data set is, `workers` how many processes decode pictures (None: a sensible number; 0: this one
    does), `share` (rank, processes) which part of each batch this process trains on. Pictures that were never verified
    on this machine are, with a bar on stderr.

    Raises DataError if the data cannot be had, if pictures are damaged, or if a folder of pictures has changed since
    `config` was made.
    """
    if config.task == "detection":
        from ..detection.source import opened_boxes  # here, because it brings torchvision along

        with opened_boxes(config, device, data, workers) as boxes:
            yield boxes
        return
    if config.facts.size is not None:
        # The data set has no name here: the source has what it needs, and one mapped from its cache leaves the memory.
        numbers = (config.image_size, config.batch, config.seed, config.val_split)
        yield TensorSource(load_dataset(config.dataset, root=data), *numbers, device, share)
        return
    from ..data.known_pictures import find_pictures  # here, because it brings torchvision along
    from ..data.source import PictureSource

    pictures = find_pictures(config.dataset, data)
    if config.found and config.found != pictures.facts:
        raise DataError(
            f"{config.dataset!r} is not what it was when this run's config was made ({config.found.digest}, now "
            f"{pictures.digest}); put its files back, or make a new config, which is another run"
        )
    source = PictureSource(
        pictures,
        batch=config.batch,
        size=config.image_size,
        scale=config.scale,
        seed=config.seed,
        colour=config.colour,
        val_split=config.val_split,
        share=share,
        device=device,
        workers=workers,
    )
    with closing(source):
        source.prepare()
        yield source

"""Mini-batches made on the device from a data set that lives there: a few tensor operations, no workers, no host
synchronisation.

Which images a batch holds is a function of (seed, epoch), how they are cropped and mirrored one of (seed, iteration);
there is no state.
"""

import torch
import torch.nn.functional as F

from .draws import draws, permutation

ORDER, AUGMENT, SPLIT = 1, 2, 3  # keep the streams of random numbers apart


def resize(images: torch.Tensor, size: int) -> torch.Tensor:
    """uint8 images [N, 3, H, H] average-pooled to [N, 3, size, size]."""
    factor = images.shape[-1] // size
    if factor == 1:
        return images
    chunks = images.split(1000)  # bounds the float copy
    return torch.cat([F.avg_pool2d(chunk.float(), factor).round().to(torch.uint8) for chunk in chunks])


def crop_and_mirror(
    images: torch.Tensor,
    top: torch.Tensor,
    left: torch.Tensor,
    mirror: torch.Tensor,
    pad: int = 0,
    side: int | None = None,
) -> torch.Tensor:
    """Pads images [N, H, W, C] by `pad` zeros on each side, crops back to H x W, or to a square of `side`, at (top,
    left) in [0, H + 2 * pad - side], then mirrors where asked.

    One gather for the whole batch. Augmentation of He et al. 2015, section 4.2; zero is the mean image there, so pad
    after normalising.
    """
    count, height, width = images.shape[0], side or images.shape[1], side or images.shape[2]
    device = images.device
    columns = torch.arange(width, device=device).expand(count, width)
    columns = torch.where(mirror[:, None], width - 1 - columns, columns) + left[:, None]
    rows = torch.arange(height, device=device) + top[:, None]
    which = torch.arange(count, device=device)[:, None, None]
    return F.pad(images, (0, 0, pad, pad, pad, pad))[which, rows[:, :, None], columns[:, None, :]]


class Batches:
    """Augmented training batches as a function of the iteration.

    `images` uint8 [N, 3, S, S] and `labels` int64 [N] are moved to `device`. Calling it with an iteration (from 0)
    gives float images [batch, 3, S, S] in channels_last layout, per-pixel mean subtracted, in units of 255, and int64
    labels [batch]. With `share` (rank, count) it gives the rank-th of `count` equal parts of that batch.
    """

    def __init__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        batch: int,
        seed: int,
        device: torch.device | str,
        share: tuple[int, int] = (0, 1),
    ):
        # Channels last in memory: a pixel's channels are one index, and the convolutions get the layout they like for
        # free.
        images = images.permute(0, 2, 3, 1).contiguous()
        total = sum(chunk.long().sum(0) for chunk in images.split(1000))  # integers: exact in any order
        self.mean = (total.double() / len(images)).float().to(device)
        self.images, self.labels = images.to(device), labels.to(device)
        self.batch, self.seed, self.pad = batch, seed, images.shape[1] // 8  # 4 pixels at 32x32
        self.per_epoch = len(images) // batch
        rank, count = share
        self.mine = slice(rank * batch // count, (rank + 1) * batch // count)
        self._epoch, self._order = -1, None

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 [N, S, S, 3] -> float with the training set's per-pixel mean subtracted."""
        return (images.float() - self.mean) / 255

    def indices(self, iteration: int) -> torch.Tensor:
        """Which training images iteration `iteration` sees, int64 [batch], whatever the share."""
        epoch, position = divmod(iteration, self.per_epoch)
        if epoch != self._epoch:  # a memo, not state: the order is a function of (seed, epoch)
            self._epoch = epoch
            self._order = permutation(len(self.images), self.seed, ORDER, epoch, device=self.images.device)
        return self._order[position * self.batch : (position + 1) * self.batch]

    def __call__(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = self.indices(iteration)[self.mine]
        numbers = draws(3 * self.batch, self.seed, AUGMENT, iteration, device=self.images.device)
        numbers = numbers.view(3, -1)[:, self.mine]
        top, left = numbers[:2] % (2 * self.pad + 1)
        images = crop_and_mirror(self.normalise(self.images[chosen]), top, left, numbers[2] % 2 == 1, self.pad)
        return images.permute(0, 3, 1, 2), self.labels[chosen]


def split(count: int, held_out: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices of a fixed random split of `count` images into (the rest, `held_out`): the same for every seed."""
    order = permutation(count, SPLIT)
    return order[held_out:].sort().values, order[:held_out].sort().values

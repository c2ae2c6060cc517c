"""More than one lesion: many blocks deleted, or swapped, at random (Veit et al. 2016, sections 4.2 and 4.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean, stdev

import torch

from .lesions import LesionStudy


@dataclass(frozen=True)
class Damage:
    """What as many random deletions, or swaps, did to a net: one value for each draw."""

    count: int  # blocks deleted, or pairs swapped
    errors: tuple[float, ...]  # percent
    taus: tuple[float, ...]  # Kendall's tau of the order of the blocks and the order of training: 1 is the same

    @property
    def error(self) -> float:
        """The mean over the draws."""
        return mean(self.errors)

    @property
    def spread(self) -> float:
        """The standard deviation over the draws; 0 of one."""
        return stdev(self.errors) if len(self.errors) > 1 else 0.0

    @property
    def tau(self) -> float:
        """The mean over the draws."""
        return mean(self.taus)


def random_lesions(study: LesionStudy, counts: Sequence[int], draws: int = 10, seed: int = 0) -> list[Damage]:
    """For each of `counts`, the error after deleting so many blocks, `draws` times drawn at random.

    Any block may go, those that change the shape too. Two nets of as many blocks lose the same ones for the same
    `seed`. Veit et al. 2016, section 4.2 and figure 5a. Raises ValueError for a count that the net does not have, and
    for no draws.
    """
    _check(counts, len(study.blocks), "blocks", draws)
    generator = torch.Generator().manual_seed(seed)
    damages = []
    for count in counts:
        errors = []
        for _ in range(draws if count else 1):
            chosen = torch.randperm(len(study.blocks), generator=generator)[:count].tolist()
            errors.append(study.error(study.blocks[i] for i in chosen))
        damages.append(Damage(count, tuple(errors), (1.0,) * len(errors)))
    return damages


def swappable(study: LesionStudy) -> list[tuple[int, int]]:
    """The pairs of blocks that can change places, by their positions: of one shape, which they keep."""
    keeping = [(i, name) for i, name in enumerate(study.blocks) if name not in study.reshaping]
    return [(i, j) for (i, a), (j, b) in combinations(keeping, 2) if study.shape(a) == study.shape(b)]


def reorderings(study: LesionStudy, counts: Sequence[int], draws: int = 10, seed: int = 0) -> list[Damage]:
    """For each of `counts`, the error after so many swaps of two blocks of one shape, `draws` times drawn at random.

    No pair is swapped twice; blocks that change the shape stay where they are. How much the order has suffered is
    Kendall's tau, over all blocks of the net. Veit et al. 2016, section 4.3 and figure 5b. Raises ValueError for a
    count of swaps that the net does not have, and for no draws.
    """
    from scipy.stats import kendalltau  # here: it takes a second

    pairs = swappable(study)
    _check(counts, len(pairs), "pairs of blocks of the same shape", draws)
    generator = torch.Generator().manual_seed(seed)
    damages = []
    for count in counts:
        errors, taus = [], []
        for _ in range(draws if count else 1):
            order = list(range(len(study.blocks)))
            for chosen in torch.randperm(len(pairs), generator=generator)[:count].tolist():
                i, j = pairs[chosen]
                order[i], order[j] = order[j], order[i]
            errors.append(study.error(order=[study.blocks[i] for i in order]))
            taus.append(float(kendalltau(order, range(len(order))).statistic) if count else 1.0)
        damages.append(Damage(count, tuple(errors), tuple(taus)))
    return damages


def _check(counts: Sequence[int], most: int, what: str, draws: int) -> None:
    for count in counts:
        if not 0 <= count <= most:
            raise ValueError(f"count={count} is not possible; this net has {most} {what}")
    if draws < 1:
        raise ValueError(f"draws={draws} measures nothing; allowed: 1 or more")

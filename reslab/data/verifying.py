"""Every picture decoded once before the first training: better to hear of all damaged files now than of one each
night.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from . import DataError
from .decoding import fault
from .known_pictures import find_pictures
from .loading import Workers, default_workers
from .pictures import TOLD, Pictures, shown
from .remembered import remembered

AT_ONCE = 64  # pictures a job: enough that asking costs nothing, few enough that the bar moves


def verified_pictures(
    dataset: str, root: str | Path | None = None, workers: int | None = None, progress: bool = True
) -> Pictures:
    """The pictures of "folder:PATH", "imagenet" or "imagenette", found below `root`, or downloaded, and verified.

    Raises DataError as find_pictures and verify do.
    """
    pictures = find_pictures(dataset, root)
    with Workers(default_workers() if workers is None else workers) as these:
        verify(pictures, these, progress)
    return pictures


def verify(pictures: Pictures, workers: Workers, progress: bool = True) -> None:
    """Decodes every picture of both splits, once for as long as none of the files is written again; that all went well
    is remembered in reslab's cache. `progress` shows a bar on stderr.

    Raises DataError, one sentence with all that are damaged: the first ten by name and how many more.
    """
    remembered(f"{pictures.stamp}.whole", lambda: _verify(pictures, workers, progress))


def _verify(pictures: Pictures, workers: Workers, progress: bool) -> bytes:
    names = pictures.train.names + pictures.held_out.names
    jobs = [partial(_faults, str(pictures.root), names[i : i + AT_ONCE]) for i in range(0, len(names), AT_ONCE)]
    damaged: list[tuple[str, str]] = []
    with tqdm(total=len(names), desc="checking pictures", unit="picture", disable=not progress) as bar:
        for job, found in zip(jobs, workers.run(jobs), strict=True):
            damaged += found
            bar.update(len(job.args[1]))
    if damaged:
        told = ", ".join(f"{shown(name)} ({reason})" for name, reason in damaged[:TOLD])
        more = f" and {len(damaged) - TOLD:,} more" * (len(damaged) > TOLD)
        raise DataError(
            f"{len(damaged):,} of the {len(names):,} pictures in {shown(pictures.root)} cannot be read: {told}{more}; "
            f"copy them again, or remove them"
        )
    return b"%d pictures" % len(names)


def _faults(root: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """(name, what is wrong with it) of those that cannot be decoded."""
    found = ((name, fault(os.path.join(root, name))) for name in names)
    return [(name, reason) for name, reason in found if reason]

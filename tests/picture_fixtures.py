"""Small folders of pictures, written with Pillow."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reslab.data.loading import Workers
from reslab.data.pictures import Pictures, open_pictures
from reslab.data.source import PictureSource

CLASSES = ("cat", "dog", "eel")
TRAIN, HELD_OUT = 14, 5  # of each class


def picture(number: int, width: int = 44, height: int = 37) -> Image.Image:
    """A smooth picture, as photographs are, which differs with `number`."""
    random = np.random.default_rng(number)
    rough = Image.fromarray(random.integers(0, 256, (5, 6, 3), np.uint8))
    return rough.resize((width, height), Image.Resampling.BICUBIC)


def write_pictures(
    root: Path, classes: tuple[str, ...] = CLASSES, held_out: str = "val", train: int = TRAIN, test: int = HELD_OUT
) -> Path:
    """JPEGs of several sizes, `train` and `test` a class."""
    number = 0
    for split, count in (("train", train), (held_out, test)):
        for name in classes:
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                picture(number, 40 + number % 7, 36 + number % 5).save(folder / f"{i:03d}.jpg", quality=95)
                number += 1
    return root


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound folder, which no test changes."""
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def pictures(folder: Path) -> Pictures:
    return open_pictures(folder)


@pytest.fixture
def here() -> Iterator[Workers]:
    """No processes: jobs are done in the test's own."""
    with Workers(0) as workers:
        yield workers


def make_source(pictures: Pictures, **options) -> PictureSource:
    """Small views of small pictures, decoded in this process."""
    given = dict(batch=8, size=24, scale=(28, 40), colour=0.1, workers=0, progress=False)
    return PictureSource(pictures, **given | options)

"""The embedded data set "scenes": one to four shapes on cluttered ground, with their boxes, drawn by code.

The same bytes on every machine, as in data/shapes.py, whose outlines and paints these are. A box is tight around the
pixels of which the shape covers more than half. Shapes lie wholly in the picture and overlap a little at most, the
later one above; a box is then of the whole shape, as if the other were not there.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load as unpack
from safetensors.torch import save

from ..data import DataError
from ..data.drawing import PIXEL, Pick, Plane, ball, box, centred, colour, grained, mix, texture, tones, turned
from ..data.draws import draws
from ..data.remembered import remembered
from ..data.shapes import cross, disk, square, star, triangle
from .voc import BoxPictures, BoxSplit, Labelled

SIDE = 96
OUTLINES = (disk, square, triangle, cross, star)
CLASSES = tuple(outline.__name__ for outline in OUTLINES)
TRAIN, TEST = 2000, 300
MOST = 4  # shapes a picture
TRAIN_SHA256 = "0e7950923f00e619a4aec624548182830c2777ec6dd35e57d6c51964e82dca70"
TEST_SHA256 = "5e2558bd0eadef47a5554d97af6849827056078df219a85d76b84ee86f371df0"

SEED = 1506_01497  # the arXiv number of Faster R-CNN

# How hard the task is. These values let a small detector learn it from nothing in the minutes that a lesson has.
RADIUS, RADII = 9 * PIXEL, 11 * PIXEL  # nominal radius: 9 to 20 pixels, so that boxes are some 14 to 46 wide
TRIES = 24  # places that are tried for a shape before it is left out
TURN = 3  # each way: 17 degrees
STROKES, SPOTS = 2, 4  # clutter
GRAIN = 10  # in 256ths of full noise
AT_ONCE = 100  # pictures that are drawn together: what fits into caches


@dataclass(frozen=True)
class Scenes:
    """One split: images uint8 [N, 3, SIDE, SIDE]; of up to MOST shapes each, in the order in which they were painted,
    boxes int64 [N, MOST, 4] as x1, y1, x2, y2 in pixels, half-open (x2 - x1 is the width), and labels int64 [N, MOST]
    from 1, in the order of CLASSES. Where the label is 0 there is no shape.
    """

    images: torch.Tensor = field(repr=False)
    boxes: torch.Tensor = field(repr=False)
    labels: torch.Tensor = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the images, the boxes and the labels, all as bytes."""
        digest = hashlib.sha256()
        for tensor in (self.images, self.boxes.to(torch.uint8), self.labels.to(torch.uint8)):
            digest.update(tensor.numpy())
        return digest.hexdigest()


def draw() -> tuple[Scenes, Scenes]:
    """Draws the training and the test pictures, in a few seconds. Their fingerprints are TRAIN_SHA256 and TEST_SHA256
    on every machine.
    """
    return _split(0, TRAIN), _split(1, TEST)


def load() -> tuple[Scenes, Scenes]:
    """The training and the test pictures, from reslab's cache, or drawn and put there.

    Raises DataError if this machine draws others than the known ones.
    """
    held = unpack(remembered(f"scenes-{TRAIN_SHA256[:8]}-{TEST_SHA256[:8]}.safetensors", _drawn))
    names = ("images", "boxes", "labels")
    return tuple(Scenes(*(held[f"{split}_{name}"] for name in names)) for split in ("train", "test"))


def as_pictures() -> BoxPictures:
    """The same as every data set with boxes is given, its pictures in memory. Raises DataError as load() does."""
    splits = []
    for these in load():
        labelled = []
        for image, boxes, labels in zip(these.images, these.boxes, these.labels, strict=True):
            there = labels > 0
            easy = torch.zeros(int(there.sum()), dtype=torch.bool)
            labelled.append(Labelled(image, (SIDE, SIDE), boxes[there].float(), labels[there], easy))
        splits.append(BoxSplit(tuple(labelled)))
    digest = TRAIN_SHA256[:8] + TEST_SHA256[:8]
    return BoxPictures(Path(), CLASSES, *splits, digest, digest)


def _drawn() -> bytes:
    train, test = draw()
    if (train.fingerprint, test.fingerprint) != (TRAIN_SHA256, TEST_SHA256):
        raise DataError("this machine draws other scenes than the known ones; report it, with torch's version")
    splits = dict(train=train, test=test)
    return save({f"{split}_{name}": value for split in splits for name, value in vars(splits[split]).items()})


def _split(part: int, count: int) -> Scenes:
    chunks = [_scenes(AT_ONCE, part, number) for number in range(count // AT_ONCE)]
    return Scenes(*map(torch.cat, zip(*chunks, strict=True)))


def _scenes(count: int, *key: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`count` images, boxes and labels, determined by `key`."""
    number = iter(range(1 << 16))  # every random number of a picture has its own

    def pick(below: int) -> Plane:
        return (draws(count, SEED, *key, next(number)) % below).to(torch.int32)[:, None, None]

    x, y = centred(SIDE)

    # Ground and figures differ in lightness; a coin says which are the lighter ones.
    hue, light_figures = pick(96), pick(2) == 0
    dark, light = 50 + pick(60), 190 + pick(60)
    ground, figures = torch.where(light_figures, dark, light), torch.where(light_figures, light, dark)
    image = mix(*tones(hue, 40 + pick(120), ground, pick), texture(x >> 2, y >> 2, pick))

    for stroke in [True] * STROKES + [False] * SPOTS:
        p, q = turned(x + SIDE * 8 - pick(SIDE * PIXEL), y + SIDE * 8 - pick(SIDE * PIXEL), pick(64))
        depth = box(p, q, 80 + pick(240), 8 + pick(16)) if stroke else ball(p, q, 24 + pick(48))
        image = mix(image, colour(pick(96), 40 + pick(200), 60 + pick(190)), depth.clamp(-8, 8) * 12 + 96)

    labels = _labels(pick)
    places = _places(labels, pick)
    boxes = torch.zeros(count, MOST, 4, dtype=torch.int64)
    for which, (left, top, r) in enumerate(places):
        turn, mirror = pick(2 * TURN + 1) - TURN, 1 - 2 * pick(2)
        u, v = turned(x - left, y - top, turn)
        depth = _depth(labels[:, which], u * mirror, v, r)
        image = image * (256 - (depth + 24).clamp(0, 16)[:, None] * 5) >> 8  # a dark rim sets it off
        paint = mix(*tones(hue + 24 + pick(49), 130 + pick(120), figures, pick), texture(u >> 1, v >> 1, pick))
        image = mix(image, paint, depth.clamp(-8, 8) * 16 + 128)
        boxes[:, which] = _boxes(depth > 0)
    return grained(image, GRAIN, draws(count * SIDE * SIDE, SEED, *key, next(number))), boxes, labels


def _labels(pick: Pick) -> torch.Tensor:
    """int64 [count, MOST]: a class for the first one to MOST of them, 0 for the rest."""
    shapes = 1 + pick(MOST)
    labels = [torch.where(shapes > which, 1 + pick(len(CLASSES)), 0) for which in range(MOST)]
    return torch.cat(labels, 1)[..., 0].long()


def _places(labels: torch.Tensor, pick: Pick) -> list[tuple[Plane, Plane, Plane]]:
    """Centre and nominal radius of each shape: the first of TRIES places where it covers at most an eighth of another,
    or another of it. Where there is none, the label becomes 0.
    """
    placed: list[tuple[Plane, Plane, Plane]] = []
    for which in range(MOST):
        r = RADIUS + pick(RADII)
        room = SIDE * PIXEL - r * 5 // 2  # for the centre; nothing reaches further than 5/4 of the nominal radius
        found, left, top = torch.zeros_like(r, dtype=torch.bool), torch.zeros_like(r), torch.zeros_like(r)
        for _ in range(TRIES):
            x, y = ((pick(1 << 16) * room >> 16) - room // 2 for _ in range(2))
            free = ~found
            for x2, y2, r2 in placed:
                free = free & ~_overlap(x - x2, y - y2, r, r2)
            left, top, found = torch.where(free, x, left), torch.where(free, y, top), found | free
        labels[:, which] *= found[:, 0, 0]
        # One that is not there is far away, and in nobody's way.
        there = labels[:, which, None, None] > 0
        placed.append((torch.where(there, left, -8 * SIDE * PIXEL), top, r))
    return placed


def _overlap(dx: Plane, dy: Plane, r: Plane, r2: Plane) -> Plane:
    """Whether squares around two shapes share more than an eighth of the smaller one."""
    least = torch.minimum(r, r2) * 2
    width, height = (torch.minimum(r + r2 - d.abs(), least).clamp(min=0) for d in (dx, dy))
    return width * height * 8 > least * least


def _depth(labels: torch.Tensor, u: Plane, v: Plane, r: Plane) -> Plane:
    """How deep inside its shape each pixel lies; far outside where there is none."""
    depth = torch.full_like(u, -SIDE * PIXEL)
    for label, outline in enumerate(OUTLINES, 1):
        these = labels == label
        depth[these] = outline(u[these], v[these], r[these])
    return depth


def _boxes(covered: torch.Tensor) -> torch.Tensor:
    """The tight boxes of planes bool [count, SIDE, SIDE]: int64 [count, 4]; zeros where nothing is covered."""
    ends = []
    for along in (covered.any(1), covered.any(2)):  # columns, rows
        along = along.long()
        first, last = along.argmax(1), SIDE - along.flip(1).argmax(1)
        ends.append(torch.stack([first, last], 1) * along.any(1, keepdim=True))
    return torch.stack(ends, 2).flatten(1)

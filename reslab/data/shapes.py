"""The embedded data set "shapes": ten shapes on cluttered ground, drawn by code, the same bytes on every machine.

Nothing is downloaded and no image library is asked: every pixel is integer arithmetic on numbers from `draws`, because floats, fonts and
library generators differ between versions and processors. Lengths are in sixteenths of a pixel and angles in 64ths of a turn. A shape is a
function of a pixel's position that tells how deep inside the shape the pixel lies (negative outside), so its smooth edge is one clamp.

The class is the outline alone: place, size, turn, colours, textures and clutter come from the same distributions in every class. Each outline has
a mirror axis and turns either way alike, so a mirrored image is as good an image of its class.
"""

import hashlib
from collections.abc import Callable

import torch

from reslab.data import Dataset
from reslab.data.draws import draws

SIDE = 32
TRAIN_PER_CLASS, TEST_PER_CLASS = 1000, 200
SEED = 1512_03385  # the paper's arXiv number
TRAIN_SHA256 = ""
TEST_SHA256 = ""

STROKES, SPOTS, SIZES, PLACES, TURNS, GRAIN, TEXTURE = 2, 3, 64, 64, 5, 16, 50

_PIXEL = 16  # a pixel's side in our unit of length
_ONE = 1024  # the number that stands for 1 in sines
_QUARTER = (0, 100, 200, 297, 392, 483, 569, 650, 724, 792, 851, 903, 946, 980, 1004, 1019, 1024)
_SINE = torch.tensor(
    _QUARTER + _QUARTER[-2::-1] + tuple(-s for s in _QUARTER[1:] + _QUARTER[-2:0:-1]), dtype=torch.int32
)

Plane = torch.Tensor  # int32 [count, SIDE, SIDE], or something that broadcasts to it
Outline = Callable[[Plane, Plane, Plane], Plane]


# Outlines: (u, v, r) -> depth inside. u points right and v down in the shape's own frame; r is its nominal radius. The factors give all of them
# about the same area at the same r, so that the share of coloured pixels tells nothing.


def _ball(u: Plane, v: Plane, r: Plane) -> Plane:
    """Depth in a disk of radius r around the origin: exact at the edge, where alone it matters, and free of square roots."""
    return (r * r - u * u - v * v) // (2 * r)


def _box(u: Plane, v: Plane, width: Plane, height: Plane) -> Plane:
    return torch.minimum(width - u.abs(), height - v.abs())


def _sides(u: Plane, v: Plane, r: Plane, turns: tuple[int, ...]) -> list[Plane]:
    """Depth behind each of the straight sides at distance r from the origin whose normals point to `turns` (64ths of a turn from +v)."""
    return [r - ((v * _SINE[(t + 16) % 64] + u * _SINE[t]) >> 10) for t in turns]


def disk(u: Plane, v: Plane, r: Plane) -> Plane:
    return _ball(u, v, r * 7 // 8)


def ring(u: Plane, v: Plane, r: Plane) -> Plane:
    return r * 3 // 16 - _ball(u, v, r * 7 // 8).abs()


def square(u: Plane, v: Plane, r: Plane) -> Plane:
    return _box(u, v, r * 3 // 4, r * 3 // 4)


def triangle(u: Plane, v: Plane, r: Plane) -> Plane:
    low, right, left = _sides(u, v - r // 8, r * 5 // 8, (0, 21, 43))
    return torch.minimum(low, torch.minimum(right, left))


def cross(u: Plane, v: Plane, r: Plane) -> Plane:
    return torch.maximum(_box(u, v, r, r * 5 // 16), _box(u, v, r * 5 // 16, r))


def star(u: Plane, v: Plane, r: Plane) -> Plane:
    """A pentagram is what lies behind at least four of the five sides of its inner pentagon: the second smallest depth."""
    a, b, c, d, e = _sides(u, v, r * 3 // 8, (32, 45, 58, 6, 19))
    low, next_low = torch.minimum(a, b), torch.maximum(a, b)
    for side in (c, d, e):
        next_low = torch.minimum(next_low, torch.maximum(low, side))
        low = torch.minimum(low, side)
    return next_low


def heart(u: Plane, v: Plane, r: Plane) -> Plane:
    """A square on its corner with a disk on each upper side."""
    half, v = r * 9 // 16, v - r // 8
    aside = half * 5 // 7
    corner = half - ((u.abs() + v.abs()) * 724 >> 10)
    return torch.maximum(corner, torch.maximum(_ball(u - aside, v + aside, half), _ball(u + aside, v + aside, half)))


def crescent(u: Plane, v: Plane, r: Plane) -> Plane:
    return torch.minimum(_ball(u, v, r), -_ball(u - r * 5 // 8, v, r * 13 // 16))


def arrow(u: Plane, v: Plane, r: Plane) -> Plane:
    head = torch.minimum(-v, ((v + r) * 15 - u.abs() * 13) // 20)
    return torch.maximum(head, _box(u, v - r * 7 // 16, r * 5 // 16, r * 9 // 16))


def hourglass(u: Plane, v: Plane, r: Plane) -> Plane:
    return torch.minimum(r * 7 // 8 - v.abs(), (v.abs() * 13 - u.abs() * 15) // 20 + r // 8)


OUTLINES: tuple[Outline, ...] = (disk, ring, square, triangle, cross, star, heart, crescent, arrow, hourglass)


# Paint. A colour is int32 [count, 3, 1, 1] in [0, 256); shares are in 256ths.


def _colour(hue: Plane, vividness: Plane, value: Plane) -> torch.Tensor:
    """Hue in 96ths of the colour circle, vividness and value in 256ths."""
    third = torch.tensor([0, 32, 64], dtype=torch.int32)[:, None, None]
    ramp = (((hue[:, None] + third) % 96 - 48).abs() - 16).clamp(0, 16) * 16
    return value[:, None] * (256 - (vividness[:, None] * (256 - ramp) >> 8)) >> 8


def _mix(below: torch.Tensor, above: torch.Tensor, share: Plane) -> torch.Tensor:
    """`share` 256ths of `above` over `below`, for each channel."""
    return below + ((above - below) * share[:, None] >> 8)


def _turned(x: Plane, y: Plane, angle: Plane) -> tuple[Plane, Plane]:
    sine, cosine = _SINE[angle % 64], _SINE[(angle + 16) % 64]
    return (x * cosine + y * sine) >> 10, (y * cosine - x * sine) >> 10


def _wave(x: Plane, period: Plane) -> Plane:
    """A triangle wave in [-128, 128]."""
    return ((x % period) * 2 - period).abs() * 256 // period - 128


def _texture(x: Plane, y: Plane, pick: Callable[[int, int], Plane]) -> Plane:
    """The share of the second colour at each pixel: plain shading, stripes, checks or dots, at any angle and scale."""
    p, q = _turned(x, y, pick(64, 0))
    kind, period = pick(4, 1), 56 + pick(64, 2)
    stripes, across = _wave(p, period), _wave(q, period)
    checks, dots = stripes * across >> 6, stripes + across - 64
    pattern = torch.where(kind == 1, stripes, torch.where(kind == 2, checks, dots)) * 3 + 128
    return torch.where(kind == 0, (p >> 1) + 128, pattern).clamp(0, 256)


def _scene(outline: Outline, count: int, *key: int) -> torch.Tensor:
    """`count` images of one class, uint8 [count, 3, SIDE, SIDE]."""
    field = iter(range(1 << 16))

    def pick(below: int, _: int = 0) -> Plane:
        return (draws(count, SEED, *key, next(field)) % below).to(torch.int32)[:, None, None]

    axis = torch.arange(SIDE, dtype=torch.int32) * _PIXEL + _PIXEL // 2 - SIDE * _PIXEL // 2
    x, y = axis[None, None, :], axis[None, :, None]

    # Ground and figure differ in hue and in lightness; which of them is the lighter one is a coin's choice.
    hue, lighter = pick(96), pick(2)
    light, dark = 190 + pick(60), 50 + pick(60)
    ground_value, figure_value = torch.where(lighter == 0, light, dark), torch.where(lighter == 0, dark, light)

    def pair(hue: Plane, vividness: Plane, value: Plane) -> tuple[torch.Tensor, torch.Tensor]:
        change = 1 - 2 * (value > 128).to(torch.int32)
        return _colour(hue, vividness, value), _colour(hue + pick(12), vividness, value + change * (10 + pick(TEXTURE)))

    image = _mix(*pair(hue, 40 + pick(120), ground_value), _texture(x, y, pick))

    # Clutter: strokes and spots of other colours, behind the shape.
    for _ in range(STROKES):
        p, q = _turned(x - pick(512) + 256, y - pick(512) + 256, pick(64))
        stroke = _box(p, q, 40 + pick(120), 6 + pick(14))
        image = _mix(image, _colour(pick(96), 40 + pick(200), 60 + pick(190)), stroke.clamp(-8, 8) * 12 + 96)
    for _ in range(SPOTS):
        spot = _ball(x - pick(512) + 256, y - pick(512) + 256, 16 + pick(40))
        image = _mix(image, _colour(pick(96), 40 + pick(200), 60 + pick(190)), spot.clamp(-8, 8) * 12 + 96)

    # The shape, with a dark rim that sets it off from the clutter.
    r = 112 + pick(SIZES)
    room = 2 * PLACES + 1
    u, v = _turned(x - pick(room) + PLACES, y - pick(room) + PLACES, pick(2 * TURNS + 1) - TURNS)
    depth = outline(u * (1 - 2 * pick(2)), v, r)
    image = _mix(image, torch.zeros_like(image[:, :, :1, :1]), (depth + 24).clamp(0, 16) * 5)
    figure = _mix(*pair(hue + 24 + pick(49), 130 + pick(120), figure_value), _texture(u, v, pick))
    image = _mix(image, figure, depth.clamp(-8, 8) * 16 + 128)

    # Grain: the sum of three bytes, near enough a bell.
    grain = draws(count * SIDE * SIDE, SEED, *key, next(field)).view(count, 1, SIDE, SIDE)
    grain = ((grain & 255) + (grain >> 8 & 255) + (grain >> 16 & 255) - 382).to(torch.int32)
    return (image + (grain * GRAIN >> 8)).clamp(0, 255).to(torch.uint8)


def _split(per_class: int, part: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels of a split, the classes taking turns, so that any stretch of it shows all of them."""
    images = torch.stack([_scene(outline, per_class, part, label) for label, outline in enumerate(OUTLINES)], 1)
    return images.flatten(0, 1), torch.arange(len(OUTLINES)).repeat(per_class)


def draw() -> Dataset:
    """Draw the data set: 10,000 training and 2,000 test images of 3x32x32, the same bytes on every machine, in a few seconds."""
    train, test = _split(TRAIN_PER_CLASS, 0), _split(TEST_PER_CLASS, 1)
    prints = {"train": fingerprint(*train), "test": fingerprint(*test)}
    return Dataset("shapes", tuple(o.__name__ for o in OUTLINES), *train, *test, prints)


def fingerprint(images: torch.Tensor, labels: torch.Tensor) -> str:
    rows = zip(labels.tolist(), images.flatten(1).numpy(), strict=True)
    digests = sorted(hashlib.sha256(bytes([label]) + image.tobytes()).digest() for label, image in rows)
    return hashlib.sha256(b"".join(digests)).hexdigest()

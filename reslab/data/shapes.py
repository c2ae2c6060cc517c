"""The embedded data set "shapes": ten shapes on cluttered ground, drawn by code, the same bytes on every machine.

Nothing is downloaded and no image library is asked: every pixel is integer arithmetic on numbers from `draws`, because
floats, fonts and library generators differ between versions and processors. Lengths are in sixteenths of a pixel and
angles in 64ths of a turn. A shape is a function of a pixel's place that tells how deep inside the shape the pixel lies
(negative outside), so a smooth edge is one clamp.

The class is the outline alone: place, size, turn, colours, textures and clutter have the same distributions in every
class, and these are their own mirror images, so a mirrored image is as good an example of its class.
"""

from collections.abc import Callable

import torch

from . import Dataset
from .draws import draws
from .fingerprint import canonical

SIDE = 32
TRAIN_PER_CLASS, TEST_PER_CLASS = 1000, 200
TRAIN_SHA256 = "1f44219333c6a6b554010f8cc04bc9c41ce836ce5027ba09f0cc5039d057d85d"
TEST_SHA256 = "7b428a0a728feb4fe2d6dfa2ec3cba7822d03eec783999c4416a03ab99f11185"

SEED = 1512_03385  # the paper's arXiv number

# How hard the task is. These values let ResNets come down to a few percent within the `demo` profile's few hundred
# iterations, so that what a plain net of the same depth fails to learn is visibly the optimiser's failure.
RADIUS, RADII = 112, 64  # nominal radius: 7 to 11 pixels
SHIFT = 40  # of the centre from the image's, each way
TURN = 3  # each way: 17 degrees
RELIEF = 20  # how far apart the two tones of a texture are, at most (+ 10), in 256ths
STROKES, SPOTS = 1, 2  # clutter
GRAIN = 10  # in 256ths of full noise

_PIXEL = 16
_QUARTER = (0, 100, 200, 297, 392, 483, 569, 650, 724, 792, 851, 903, 946, 980, 1004, 1019, 1024)  # 1024 sines
_HALF = _QUARTER + _QUARTER[-2:0:-1]
_SINE = torch.tensor(_HALF + tuple(-s for s in _HALF), dtype=torch.int32)

Plane = torch.Tensor  # int32 [count, SIDE, SIDE], or what broadcasts to it, such as one number an image
Outline = Callable[[Plane, Plane, Plane], Plane]
Pick = Callable[[int], Plane]  # one random integer an image, below the argument


# Outlines: (u, v, r) -> depth. u points right and v down in the shape's own frame, r is its nominal radius. The
# factors give them similar areas at the same r, so that the mean colour tells next to nothing.


def _ball(u: Plane, v: Plane, r: Plane) -> Plane:
    """Depth in a disk around the origin: right near the edge, where alone it matters, and free of square roots."""
    return (r * r - u * u - v * v) // (2 * r)


def _box(u: Plane, v: Plane, half_width: Plane, half_height: Plane) -> Plane:
    return torch.minimum(half_width - u.abs(), half_height - v.abs())


def _sides(u: Plane, v: Plane, r: Plane, turns: tuple[int, ...]) -> list[Plane]:
    """Depth behind straight sides at distance r from the origin, whose normals are `turns` away from down."""
    return [r - ((v * _SINE[(turn + 16) % 64] + u * _SINE[turn]) >> 10) for turn in turns]


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
    """A pentagram lies behind at least four of the five sides of its inner pentagon: the second smallest depth."""
    first, second, *others = _sides(u, v, r * 3 // 8, (32, 45, 58, 6, 19))
    least, next_least = torch.minimum(first, second), torch.maximum(first, second)
    for side in others:
        next_least = torch.minimum(next_least, torch.maximum(least, side))
        least = torch.minimum(least, side)
    return next_least


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


# Paint. A colour or an image is int32 [count, 3, ...] in [0, 256); shares are in 256ths.


def _colour(hue: Plane, vividness: Plane, value: Plane) -> torch.Tensor:
    """One colour an image, [count, 3, 1, 1]: hue in 96ths of the colour circle, vividness and value in 256ths."""
    thirds = torch.tensor([0, 32, 64], dtype=torch.int32)[:, None, None]
    ramp = (((hue[:, None] + thirds) % 96 - 48).abs() - 16).clamp(0, 16) * 16
    return value[:, None] * (256 - (vividness[:, None] * (256 - ramp) >> 8)) >> 8


def _tones(hue: Plane, vividness: Plane, value: Plane, pick: Pick) -> tuple[torch.Tensor, torch.Tensor]:
    """A colour and another tone of it, darker where it is light and lighter where it is dark."""
    way = 1 - 2 * (value > 128).to(torch.int32)
    return _colour(hue, vividness, value), _colour(hue + pick(12), vividness, value + way * (10 + pick(RELIEF)))


def _mix(below: torch.Tensor, above: torch.Tensor, share: Plane) -> torch.Tensor:
    return below + ((above - below) * share[:, None] >> 8)


def _turned(x: Plane, y: Plane, turn: Plane) -> tuple[Plane, Plane]:
    sine, cosine = _SINE[turn % 64], _SINE[(turn + 16) % 64]
    return (x * cosine + y * sine) >> 10, (y * cosine - x * sine) >> 10


def _wave(x: Plane, period: Plane) -> Plane:
    """A triangle wave between -128 and 128."""
    return ((x % period) * 2 - period).abs() * 256 // period - 128


def _texture(x: Plane, y: Plane, pick: Pick) -> Plane:
    """The second tone's share at each pixel: shading, stripes, checks or dots, at any angle and scale."""
    p, q = _turned(x, y, pick(64))
    kind, period = pick(4), 56 + pick(64)
    stripes, across = _wave(p, period), _wave(q, period)
    checks, dots = stripes * across >> 6, stripes + across - 64
    pattern = torch.where(kind == 1, stripes, torch.where(kind == 2, checks, dots)) * 3 + 128
    return torch.where(kind == 0, (p >> 1) + 128, pattern).clamp(0, 256)


def _images(outline: Outline, count: int, *key: int) -> torch.Tensor:
    """`count` images of one class, uint8 [count, 3, SIDE, SIDE], determined by `key`."""
    field = iter(range(1 << 16))  # every random number of an image has its own

    def pick(below: int) -> Plane:
        return (draws(count, SEED, *key, next(field)) % below).to(torch.int32)[:, None, None]

    axis = (torch.arange(SIDE, dtype=torch.int32) * 2 + 1 - SIDE) * _PIXEL // 2
    x, y = axis[None, None, :], axis[None, :, None]

    # Ground and figure differ in hue and in lightness; a coin says which is the lighter one.
    hue, light_figure = pick(96), pick(2) == 0
    dark, light = 50 + pick(60), 190 + pick(60)
    ground, figure = torch.where(light_figure, dark, light), torch.where(light_figure, light, dark)
    image = _mix(*_tones(hue, 40 + pick(120), ground, pick), _texture(x, y, pick))

    for number in range(STROKES + SPOTS):
        p, q = _turned(x + 256 - pick(512), y + 256 - pick(512), pick(64))
        depth = _box(p, q, 40 + pick(120), 6 + pick(14)) if number < STROKES else _ball(p, q, 16 + pick(40))
        image = _mix(image, _colour(pick(96), 40 + pick(200), 60 + pick(190)), depth.clamp(-8, 8) * 12 + 96)

    # A dark rim sets the shape off from the clutter.
    r, dx, dy, turn = RADIUS + pick(RADII), pick(2 * SHIFT + 1), pick(2 * SHIFT + 1), pick(2 * TURN + 1)
    u, v = _turned(x + SHIFT - dx, y + SHIFT - dy, turn - TURN)
    depth = outline(u * (1 - 2 * pick(2)), v, r)  # mirrored as often as not
    image = image * (256 - (depth + 24).clamp(0, 16)[:, None] * 5) >> 8
    paint = _mix(*_tones(hue + 24 + pick(49), 130 + pick(120), figure, pick), _texture(u, v, pick))
    image = _mix(image, paint, depth.clamp(-8, 8) * 16 + 128)

    # Grain: the sum of three bytes, near enough a bell.
    words = draws(count * SIDE * SIDE, SEED, *key, next(field)).view(count, 1, SIDE, SIDE)
    grain = ((words & 255) + (words >> 8 & 255) + (words >> 16 & 255) - 382).to(torch.int32)
    return (image + (grain * GRAIN >> 8)).clamp(0, 255).to(torch.uint8)


def draw() -> Dataset:
    """Draw the data set, in a few seconds: 10,000 training and 2,000 test images of 3x32x32, in canonical order.

    The bytes are the same on every machine: the fingerprints are `TRAIN_SHA256` and `TEST_SHA256`.
    """
    splits = []
    for part, per_class in enumerate((TRAIN_PER_CLASS, TEST_PER_CLASS)):
        images = torch.cat([_images(outline, per_class, part, label) for label, outline in enumerate(OUTLINES)])
        splits.append(canonical(images, torch.arange(len(OUTLINES)).repeat_interleave(per_class)))
    train, test = splits
    prints = {"train": train.fingerprint, "test": test.fingerprint}
    classes = tuple(outline.__name__ for outline in OUTLINES)
    return Dataset("shapes", classes, train.images, train.labels, test.images, test.labels, prints)

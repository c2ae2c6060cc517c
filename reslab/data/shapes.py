"""The embedded data set "shapes": ten shapes on cluttered ground, drawn by code, the same bytes on every machine.

Nothing is downloaded and no image library is asked: every pixel is integer arithmetic on numbers from `draws`, because
floats, fonts and library generators differ between versions and processors (see drawing.py for the means and units).

The class is the outline alone: place, size, turn, colours, textures and clutter have the same distributions in every
class, and these are their own mirror images, so a mirrored image is as good an example of its class.
"""

from collections.abc import Callable

import torch

from . import Dataset
from .drawing import SINE, Plane, ball, box, centred, colour, grained, mix, texture, tones, turned
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
STROKES, SPOTS = 1, 2  # clutter
GRAIN = 10  # in 256ths of full noise

Outline = Callable[[Plane, Plane, Plane], Plane]


# Outlines: (u, v, r) -> depth. u points right and v down in the shape's own frame, r is its nominal radius. The
# factors give them similar areas at the same r, so that the mean colour tells next to nothing.


def _sides(u: Plane, v: Plane, r: Plane, turns: tuple[int, ...]) -> list[Plane]:
    """Depth behind straight sides at distance r from the origin, whose normals are `turns` away from down."""
    return [r - ((v * SINE[(turn + 16) % 64] + u * SINE[turn]) >> 10) for turn in turns]


def disk(u: Plane, v: Plane, r: Plane) -> Plane:
    return ball(u, v, r * 7 // 8)


def ring(u: Plane, v: Plane, r: Plane) -> Plane:
    return r * 3 // 16 - ball(u, v, r * 7 // 8).abs()


def square(u: Plane, v: Plane, r: Plane) -> Plane:
    return box(u, v, r * 3 // 4, r * 3 // 4)


def triangle(u: Plane, v: Plane, r: Plane) -> Plane:
    low, right, left = _sides(u, v - r // 8, r * 5 // 8, (0, 21, 43))
    return torch.minimum(low, torch.minimum(right, left))


def cross(u: Plane, v: Plane, r: Plane) -> Plane:
    return torch.maximum(box(u, v, r, r * 5 // 16), box(u, v, r * 5 // 16, r))


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
    return torch.maximum(corner, torch.maximum(ball(u - aside, v + aside, half), ball(u + aside, v + aside, half)))


def crescent(u: Plane, v: Plane, r: Plane) -> Plane:
    return torch.minimum(ball(u, v, r), -ball(u - r * 5 // 8, v, r * 13 // 16))


def arrow(u: Plane, v: Plane, r: Plane) -> Plane:
    head = torch.minimum(-v, ((v + r) * 15 - u.abs() * 13) // 20)
    return torch.maximum(head, box(u, v - r * 7 // 16, r * 5 // 16, r * 9 // 16))


def hourglass(u: Plane, v: Plane, r: Plane) -> Plane:
    return torch.minimum(r * 7 // 8 - v.abs(), (v.abs() * 13 - u.abs() * 15) // 20 + r // 8)


OUTLINES: tuple[Outline, ...] = (disk, ring, square, triangle, cross, star, heart, crescent, arrow, hourglass)


def _images(outline: Outline, count: int, *key: int) -> torch.Tensor:
    """`count` images of one class, uint8 [count, 3, SIDE, SIDE], determined by `key`."""
    field = iter(range(1 << 16))  # every random number of an image has its own

    def pick(below: int) -> Plane:
        return (draws(count, SEED, *key, next(field)) % below).to(torch.int32)[:, None, None]

    x, y = centred(SIDE)

    # Ground and figure differ in hue and in lightness; a coin says which is the lighter one.
    hue, light_figure = pick(96), pick(2) == 0
    dark, light = 50 + pick(60), 190 + pick(60)
    ground, figure = torch.where(light_figure, dark, light), torch.where(light_figure, light, dark)
    image = mix(*tones(hue, 40 + pick(120), ground, pick), texture(x, y, pick))

    for number in range(STROKES + SPOTS):
        p, q = turned(x + 256 - pick(512), y + 256 - pick(512), pick(64))
        depth = box(p, q, 40 + pick(120), 6 + pick(14)) if number < STROKES else ball(p, q, 16 + pick(40))
        image = mix(image, colour(pick(96), 40 + pick(200), 60 + pick(190)), depth.clamp(-8, 8) * 12 + 96)

    # A dark rim sets the shape off from the clutter.
    r, dx, dy, turn = RADIUS + pick(RADII), pick(2 * SHIFT + 1), pick(2 * SHIFT + 1), pick(2 * TURN + 1)
    u, v = turned(x + SHIFT - dx, y + SHIFT - dy, turn - TURN)
    depth = outline(u * (1 - 2 * pick(2)), v, r)  # mirrored as often as not
    image = image * (256 - (depth + 24).clamp(0, 16)[:, None] * 5) >> 8
    paint = mix(*tones(hue + 24 + pick(49), 130 + pick(120), figure, pick), texture(u, v, pick))
    image = mix(image, paint, depth.clamp(-8, 8) * 16 + 128)

    return grained(image, GRAIN, draws(count * SIDE * SIDE, SEED, *key, next(field)))


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

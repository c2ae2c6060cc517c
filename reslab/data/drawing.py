"""The means that the drawn data sets are drawn with: integer arithmetic on whole tensors, the same on every machine.

Lengths are in sixteenths of a pixel, angles in 64ths of a turn, colours and shares in 256ths. A figure is a depth: how
far inside it a pixel lies, negative outside; so a smooth edge is one clamp.
"""

from collections.abc import Callable

import torch

PIXEL = 16
_QUARTER = (0, 100, 200, 297, 392, 483, 569, 650, 724, 792, 851, 903, 946, 980, 1004, 1019, 1024)  # 1024 sines
_HALF = _QUARTER + _QUARTER[-2:0:-1]
SINE = torch.tensor(_HALF + tuple(-s for s in _HALF), dtype=torch.int32)
RELIEF = 20  # how far apart the two tones of a texture are, at most (+ 10), in 256ths

Plane = torch.Tensor  # int32 [count, side, side], or what broadcasts to it, such as one number an image
Pick = Callable[[int], Plane]  # one random integer an image, below the argument


def centred(side: int) -> tuple[Plane, Plane]:
    """x [1, 1, side] and y [1, side, 1] of the pixels' centres, from the image's centre."""
    axis = (torch.arange(side, dtype=torch.int32) * 2 + 1 - side) * PIXEL // 2
    return axis[None, None, :], axis[None, :, None]


def ball(u: Plane, v: Plane, r: Plane) -> Plane:
    """Depth in a disk around the origin: right near the edge, where alone it matters, and free of square roots."""
    return (r * r - u * u - v * v) // (2 * r)


def box(u: Plane, v: Plane, half_width: Plane, half_height: Plane) -> Plane:
    """Depth in an upright rectangle around the origin."""
    return torch.minimum(half_width - u.abs(), half_height - v.abs())


def turned(x: Plane, y: Plane, turn: Plane) -> tuple[Plane, Plane]:
    """The coordinates in a frame that is turned."""
    sine, cosine = SINE[turn % 64], SINE[(turn + 16) % 64]
    return (x * cosine + y * sine) >> 10, (y * cosine - x * sine) >> 10


# Paint. A colour or an image is int32 [count, 3, ...] in [0, 256).


def colour(hue: Plane, vividness: Plane, value: Plane) -> torch.Tensor:
    """One colour an image, [count, 3, 1, 1]: hue in 96ths of the colour circle, vividness and value in 256ths."""
    thirds = torch.tensor([0, 32, 64], dtype=torch.int32)[:, None, None]
    ramp = (((hue[:, None] + thirds) % 96 - 48).abs() - 16).clamp(0, 16) * 16
    return value[:, None] * (256 - (vividness[:, None] * (256 - ramp) >> 8)) >> 8


def tones(hue: Plane, vividness: Plane, value: Plane, pick: Pick) -> tuple[torch.Tensor, torch.Tensor]:
    """A colour and another tone of it, darker where it is light and lighter where it is dark."""
    way = 1 - 2 * (value > 128).to(torch.int32)
    return colour(hue, vividness, value), colour(hue + pick(12), vividness, value + way * (10 + pick(RELIEF)))


def mix(below: torch.Tensor, above: torch.Tensor, share: Plane) -> torch.Tensor:
    """`above` laid over `below`, whose share of each pixel it takes."""
    return below + ((above - below) * share[:, None] >> 8)


def texture(x: Plane, y: Plane, pick: Pick) -> Plane:
    """The second tone's share at each pixel: shading, stripes, checks or dots, at any angle and scale."""
    p, q = turned(x, y, pick(64))
    kind, period = pick(4), 56 + pick(64)
    stripes, across = _wave(p, period), _wave(q, period)
    checks, dots = stripes * across >> 6, stripes + across - 64
    pattern = torch.where(kind == 1, stripes, torch.where(kind == 2, checks, dots)) * 3 + 128
    return torch.where(kind == 0, (p >> 1) + 128, pattern).clamp(0, 256)


def _wave(x: Plane, period: Plane) -> Plane:
    """A triangle wave between -128 and 128."""
    return ((x % period) * 2 - period).abs() * 256 // period - 128


def grained(image: torch.Tensor, amount: int, words: torch.Tensor) -> torch.Tensor:
    """The finished image, uint8, with noise: the sum of three bytes of each pixel's random word, near enough a bell.

    `amount` is in 256ths of full noise, `words` int64 [count * side * side].
    """
    words = words.view(len(image), 1, *image.shape[2:])
    grain = ((words & 255) + (words >> 8 & 255) + (words >> 16 & 255) - 382).to(torch.int32)
    return (image + (grain * amount >> 8)).clamp(0, 255).to(torch.uint8)

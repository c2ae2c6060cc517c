"""Pictures to look at a net with: one that comes along, and one drawn by code."""

from pathlib import Path

import torch
from PIL import Image

from ..shapes import OUTLINES

FOLDER = Path(__file__).parent
SIDE, PITCH, RADIUS = 256, 73, 32  # of the drawn picture, its cells and shapes, in pixels
PIXEL = 16  # the outlines are drawn in sixteenths
GROUND = (238, 236, 228)
PAINTS = ((213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (60, 60, 70))  # Okabe and Ito's, and ink


def cat() -> Image.Image:
    """Chelsea the cat, 385x256, by Stefan van der Walt, CC0: see chelsea.txt."""
    with Image.open(FOLDER / "chelsea.jpg") as image:
        return image.convert("RGB")


def drawing() -> Image.Image:
    """Nine outlines of the data set "shapes" in flat colours, 256x256: edges, and nothing else to see."""
    canvas = torch.tensor(GROUND, dtype=torch.int32).expand(SIDE, SIDE, 3)
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    for i, outline in enumerate(OUTLINES[1:]):
        row, column = divmod(i, 3)
        middle = SIDE // 2 + torch.tensor([row - 1, column - 1]) * PITCH
        v, u = ((place - at).int() * PIXEL for place, at in zip((y, x), middle, strict=True))
        depth = outline(u, v, torch.tensor(RADIUS * PIXEL, dtype=torch.int32))
        share = (depth + PIXEL // 2).clamp(0, PIXEL)[..., None]  # an edge one pixel wide
        paint = torch.tensor(PAINTS[(i + row) % len(PAINTS)], dtype=torch.int32)
        canvas = canvas + (paint - canvas) * share // PIXEL
    return Image.fromarray(canvas.to(torch.uint8).numpy())


EXAMPLES = {"the cat": cat, "the drawing": drawing}

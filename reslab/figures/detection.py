"""What a detector sees: what it found on pictures, what was proposed to it, and what a box looks like to its head."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import torch

from ..detection.matching import IOU, Boxes, Target, matched
from ..probes.stages import strongest
from .boxes import GAP, Pen, Sheet
from .inside import Key, looks
from .maps import EDGE
from .style import INK, mix

COLUMNS, SIDE, HEAD = 4, 212, 30  # pictures in a row, pixels of their sides, and of the line above a row
NAMED = 6  # boxes of a picture that are named, the surest ones: more names would hide the picture
# No net's colours: here a colour says what a box is, and so do its dash and the sign at its name.
RIGHT = Pen("right", "#00756b", rank=1)
WRONG = Pen("wrong", "#c2127a", "5px,3px", rank=2)
MISSED = Pen("missed", INK, "2px,3px", 2.5, rank=3)
SIGNS = {RIGHT: "✓", WRONG: "✗"}


def detected_boxes(
    pictures: Sequence[torch.Tensor],
    found: Mapping[Key, Sequence[Boxes]],
    targets: Sequence[Target],
    classes: Sequence[str],
    threshold: float = 0.5,
) -> go.Figure:
    """What each net found on the `pictures`, uint8 [3, H, W]: boxes whose score is at least `threshold`, each with the
    name of its class and its score, right or wrong; objects that no such box has found are dotted.

    `found` has a net's detections by its config, picture by picture, and `targets` what is there. `classes` are those
    without the background: label 1 is the first. Raises ValueError where there is no picture, or no net.
    """
    if not pictures or not found:
        raise ValueError("there is nothing to draw; give at least one picture, and the detections of one net")
    sheet, shown = Sheet(), looks(list(found))
    columns, top = min(len(pictures), COLUMNS), 0.0
    for look, boxes in zip(shown, found.values(), strict=True):
        counts, row = dict.fromkeys((RIGHT, WRONG, MISSED), 0), top + HEAD
        for number, (picture, its, target) in enumerate(zip(pictures, boxes, targets, strict=True)):
            if number and number % columns == 0:
                row = sheet.height + GAP
            spot = sheet.place(picture, number % columns * (SIDE + GAP), row, SIDE)
            for pen, drawn, names in _verdicts(its, target, classes, threshold):
                sheet.draw(pen, number, spot, drawn, names)
                counts[pen] += len(drawn)
        numbers = ", ".join(f"{count} {pen.name}" for pen, count in counts.items())
        sheet.write(f"<b>{look.label}</b>: {numbers}", 0, top + HEAD - 4, colour=mix(look.colour, "#000000", 0.25))
        top = sheet.height + GAP
    how = f"right: of the right class, and over the object by an IoU of at least {IOU:g}"
    return sheet.finished(f"What is found with a score of at least {threshold:.2f}", how)


def _verdicts(found: Boxes, target: Target, classes: Sequence[str], threshold: float):
    """(pen, boxes, names) for what is drawn on one picture."""
    matching, scores = matched(found, target), found.scores.cpu()
    shown = scores >= threshold
    yield MISSED, target["boxes"].cpu()[matching.missed(shown)], ()
    surest = set(scores.argsort(descending=True)[:NAMED].tolist())
    for pen, which in ((WRONG, ~matching.right & ~matching.ignored), (RIGHT, matching.right)):
        chosen = (which & shown).nonzero().flatten().tolist()
        chosen.sort(key=lambda i: -float(scores[i]))
        names = [f"{SIGNS[pen]} {classes[int(found.labels[i]) - 1]} {scores[i]:.2f}" for i in chosen if i in surest]
        yield pen, found.boxes.cpu()[chosen], names


def proposed_boxes(
    picture: torch.Tensor, proposals: Mapping[Key, object], target: Target, counts: Sequence[int] = (3, 20, 100)
) -> go.Figure:
    """The best of each net's proposals on one picture, uint8 [3, H, W], more of them from panel to panel: boxes that
    may hold something, whatever it is.

    Proposals have boxes [n, 4] and scores [n] (reslab.detection.looking.Proposals). A box is bold where no other
    proposal of the panel covers an object better; objects that none covers by half are dotted.
    """
    from torchvision.ops import box_iou  # here: it takes a second

    sheet, objects, top = Sheet(), target["boxes"].cpu().float(), 0.0
    side = (COLUMNS * (SIDE + GAP) - GAP - (len(counts) - 1) * GAP) / len(counts)
    best = Pen("the best on an object", RIGHT.colour, rank=1)
    rest = Pen("another proposal", "#6a5acd", width=1.2, opacity=0.45, rank=3)
    missed = Pen("an object that none covers", INK, "2px,3px", 2.5, rank=2)
    for row, (look, its) in enumerate(zip(looks(list(proposals)), proposals.values(), strict=True)):
        order = its.scores.cpu().argsort(descending=True, stable=True)
        for column, count in enumerate(counts):
            boxes = its.boxes.cpu().float()[order[:count]]
            spot = sheet.place(picture, column * (side + GAP), top + HEAD, side)
            overlaps = box_iou(objects, boxes)
            covered = overlaps.amax(1) >= IOU
            chosen = torch.zeros(len(boxes), dtype=torch.bool)
            chosen[overlaps.argmax(1)[covered]] = True
            for pen, drawn in ((rest, boxes[~chosen]), (missed, objects[~covered]), (best, boxes[chosen])):
                sheet.draw(pen, len(counts) * row + column, spot, drawn)
            words = f"best {len(boxes)}: {int(covered.sum())} of {len(objects)} covered"
            words = f"<b>{look.label}</b>, {words}" if not column else words
            sheet.write(words, column * (side + GAP), top + HEAD - 4, colour=mix(look.colour, "#000000", 0.25))
        top = sheet.height + GAP
    how = f"covered: by a proposal with an IoU of at least {IOU:g}; it knows no classes"
    return sheet.finished("What the region proposal network proposes", how)


MAPS, CELL = 5, 84  # channels of a box that are shown, and the pixels of their sides
ROI_COLOURS = ("#00756b", "#c2127a", "#4b3bb5", "#8a5a00")
DARK = np.array((0, 48, 77))  # of a map's greatest value; the least is white


def roi_maps(picture: torch.Tensor, rois: Mapping[str, tuple[Sequence[float], torch.Tensor]]) -> go.Figure:
    """What the head gets of boxes on one picture, uint8 [3, H, W]: `rois` has, by a name, a box (x1 y1 x2 y2 in pixels)
    and its feature map [C, h, w] (reslab.detection.looking.roi_map), 14x14 in the paper, however large the box is.

    The channels are those that respond most strongly over all the boxes; a channel has one scale in all of them.
    Raises ValueError where there is no box.
    """
    if not rois:
        raise ValueError("there is no box to look into; give at least one, with its feature map")
    maps = torch.stack([each.detach().float().cpu() for _, each in rois.values()])  # [boxes, C, h, w]
    channels = strongest(maps.mean(0), MAPS)
    shades = _shares(maps[:, channels])
    sheet, down = Sheet(), HEAD + CELL + GAP
    side = max(SIDE, len(rois) * down - HEAD - GAP)
    spot = sheet.place(picture, 0, HEAD, side)
    sheet.write("<b>picture</b>, and the boxes", 0, HEAD - 4)
    for number, (name, (box, _)) in enumerate(rois.items()):
        pen, top = Pen(name, ROI_COLOURS[number % len(ROI_COLOURS)]), number * down + HEAD
        sheet.draw(pen, 0, spot, torch.tensor([list(box)]), [name])
        x1, y1, x2, y2 = box
        words = f"<b>{name}</b>: {x2 - x1:.0f}×{y2 - y1:.0f} pixels"
        sheet.write(words, side + 2 * GAP, top - 4, colour=pen.colour)
        sheet.inset(_strip(shades[number]), side + 2 * GAP, top)
    _, count, height, width = maps.shape
    how = f"white to dark: least to greatest; channels {', '.join(map(str, channels))} of {count:,}, the strongest"
    return sheet.finished(f"Boxes of any size, maps of {height}×{width}", how)


def _shares(maps: torch.Tensor) -> np.ndarray:
    """Maps [boxes, C, h, w] between 0, a channel's least value in any of the boxes, and 1, its greatest."""
    low, high = maps.amin((0, 2, 3), keepdim=True), maps.amax((0, 2, 3), keepdim=True)
    return ((maps - low) / (high - low).clamp(min=1e-12)).numpy()


def _strip(shares: np.ndarray) -> np.ndarray:
    """Maps [C, h, w] side by side, each in a frame: uint8 [CELL, width, 3]."""
    strip = np.full((CELL, len(shares) * (CELL + GAP) - GAP, 3), 255, np.uint8)
    for i, share in enumerate(shares):
        rows, columns = (np.arange(CELL - 2) * n // (CELL - 2) for n in share.shape)
        cell = np.full((CELL, CELL, 3), EDGE, np.uint8)
        cell[1:-1, 1:-1] = (255 + (DARK - 255) * share[rows[:, None], columns, None]).round()
        strip[:, i * (CELL + GAP) : i * (CELL + GAP) + CELL] = cell
    return strip

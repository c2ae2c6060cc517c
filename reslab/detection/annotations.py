"""A picture's annotation in the XML of Pascal VOC (Everingham et al. 2010): the boxes in it, or what is wrong with it.

VOC counts pixels from 1 and a box's last pixel is part of it: xmin 1 and xmax 640 span a picture 640 wide. Here that is
0 to 640, half-open. Tools that count from 0, or to one pixel more, put a box outside by one pixel: it is cut off.
"""

import math
from dataclasses import dataclass
from xml.etree import ElementTree

SLACK = 1  # pixels by which a box may reach outside: the difference between ways to count
DOUBLE = 0.8  # overlap (IoU) of two boxes of one class from which on they are one object, labelled twice
CORNERS = ("xmin", "ymin", "xmax", "ymax")
Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels from the picture's corner, half-open


class Fault(ValueError):
    """What is wrong with an annotation, as it goes on after its file's name."""


@dataclass(frozen=True)
class Object:
    """One object of a picture. Those that VOC calls difficult count neither for nor against a detector."""

    name: str
    box: Box
    difficult: bool = False


def read_objects(content: bytes, size: tuple[int, int]) -> list[Object]:
    """The objects in an XML file, in their order; `size` is the picture's own width and height in pixels.

    <part> (of a person) and all else that VOC has beside name, difficult and bndbox is passed over.

    Raises:
        Fault: no XML, or no annotation; an object without name or box; a box that is no four numbers, that ends before
            it begins, or that lies outside the picture; another size than the picture's.
    """
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: of an encoding nobody knows
        raise Fault(f"is no XML that can be read ({error})") from error
    if root.tag != "annotation":
        raise Fault(f"begins with <{root.tag}>, and not with <annotation>")
    _check_size(root, size)
    return [_object(element, number, size) for number, element in enumerate(root.iterfind("object"), 1)]


def _check_size(root: ElementTree.Element, size: tuple[int, int]) -> None:
    """Boxes on a picture that was turned or made smaller afterwards are all wrong. Some tools write 0 or nothing."""
    said = tuple(_text(root, f"size/{name}") for name in ("width", "height"))
    if all(text.isdecimal() and int(text) for text in said) and tuple(map(int, said)) != size:
        raise Fault(f"says that the picture is {said[0]}x{said[1]} (width x height), but it is {size[0]}x{size[1]}")


def _object(element: ElementTree.Element, number: int, size: tuple[int, int]) -> Object:
    name = _text(element, "name")
    if not name:
        raise Fault(f"has no <name> in its object {number}")
    what = f"{name!r}, its object {number}"
    values = []
    for corner in CORNERS:
        text = _text(element, f"bndbox/{corner}")
        try:
            values.append(float(text))
        except ValueError:
            values.append(math.nan)
        if not math.isfinite(values[-1]):
            raise Fault(f"has {f'{text!r} as' if text else 'no'} <{corner}> of {what}")
    for axis, low, high, side, extent in zip("xy", values[:2], values[2:], size, ("wide", "high"), strict=True):
        if high < low:
            raise Fault(f"has {axis}max {high:g} before {axis}min {low:g} of {what}")
        if low < 1 - SLACK or high > side + SLACK:
            raise Fault(f"has {what} from {axis} {low:g} to {high:g}, outside the picture, which is {side} {extent}")
    x1, y1, x2, y2 = values
    width, height = size
    box = (max(x1 - 1, 0), max(y1 - 1, 0), min(x2, width), min(y2, height))
    return Object(name, box, _text(element, "difficult").lower() in ("1", "true"))


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def tidied(objects: list[Object]) -> tuple[list[Object], list[str]]:
    """The objects without slips of the hand, and these, each told: a box of a pixel's width or height, which a click
    without a drag leaves; and a box that lies on another one of its class, which copying leaves.
    """
    kept: list[Object] = []
    slips = []
    for each in objects:
        x1, y1, x2, y2 = each.box
        if min(x2 - x1, y2 - y1) <= 1:
            slips.append(f"{each.name} of {x2 - x1:g}x{y2 - y1:g} pixels")
        elif any(each.name == other.name and overlap(each.box, other.box) >= DOUBLE for other in kept):
            slips.append(f"{each.name} labelled twice")
        else:
            kept.append(each)
    return kept, slips


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (areas - width * height)

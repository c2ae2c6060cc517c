"""The pictures that come along, and pictures of one's own in every kind a phone or a scanner makes."""

import io

import numpy as np
import pytest
from PIL import Image

from reslab.data import DataError
from reslab.data.examples import EXAMPLES, FOLDER, PAINTS, cat, drawing
from reslab.data.upload import read_picture


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def corners() -> Image.Image:
    """Four colours in 64x32, one a corner: red and green above, blue and white below."""
    image = Image.new("RGB", (64, 32), "red")
    for colour, place in (("lime", (32, 0)), ("blue", (0, 16)), ("white", (32, 16))):
        image.paste(colour, (*place, place[0] + 32, place[1] + 16))
    return image


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, int, int], by: int = 12) -> bool:
    return max(abs(a - b) for a, b in zip(image.getpixel(place), colour, strict=True)) <= by


def test_the_cat_comes_along_with_its_licence():
    assert cat().size == (385, 256) and cat().mode == "RGB"
    assert (FOLDER / "chelsea.jpg").stat().st_size < 40 * 1024
    told = (FOLDER / "chelsea.txt").read_text()
    assert "Stefan van der Walt" in told and "CC0 1.0" in told and "scikit-image" in told


def test_the_drawing_is_drawn_the_same_every_time():
    image = drawing()
    assert image.size == (256, 256) and image.tobytes() == drawing().tobytes()
    pixels = {tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()}
    assert {PAINTS[i] for i in (0, 1, 2, 3, 4)} <= pixels  # in full, not only along edges
    assert list(EXAMPLES) == ["the cat", "the drawing"]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_kinds_of_files(kind):
    image = read_picture(saved(corners(), kind, **(dict(lossless=True) if kind == "WEBP" else {})))
    assert image.mode == "RGB" and image.size == (64, 32)
    assert near(image, (8, 8), (255, 0, 0)) and near(image, (56, 24), (255, 255, 255))


def test_exif_says_how_the_phone_was_held():
    exif = Image.Exif()
    exif[0x0112] = 6  # the chip lay on its side: turn by 90 degrees clockwise
    image = read_picture(saved(corners(), "JPEG", quality=95, exif=exif))
    assert image.size == (32, 64)
    assert near(image, (28, 8), (255, 0, 0)) and near(image, (28, 56), (0, 255, 0))


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "1", "LA"])
def test_other_modes_become_rgb(mode):
    grey = Image.new("L", (20, 10), 255)
    image = read_picture(saved(grey.convert(mode), "TIFF"))
    assert image.mode == "RGB" and near(image, (5, 5), (255, 255, 255), 2)


def test_sixteen_bits_keep_the_high_ones():
    values = np.full((10, 20), 0x80FF, np.uint16)
    image = read_picture(saved(Image.fromarray(values), "PNG"))
    assert image.mode == "RGB" and image.getpixel((3, 3)) == (0x80, 0x80, 0x80)


def test_what_is_transparent_is_laid_over_white():
    clear = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    assert read_picture(saved(clear, "PNG")).getpixel((2, 2)) == (255, 255, 255)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut short"])
def test_what_is_no_picture_is_said(content):
    with pytest.raises(DataError, match=r"notes.txt is no picture that can be read; choose a JPEG, PNG"):
        read_picture(content, "notes.txt")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_file_cut_short_is_said(kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = saved(Image.fromarray(noise), kind)
    with pytest.raises(DataError, match=r"cut.png is no picture"):
        read_picture(whole[: len(whole) // 2], "cut.png")

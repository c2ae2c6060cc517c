"""Every kind of picture file to uint8 RGB, against the numbers that were put in."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets.folder import default_loader
from torchvision.transforms.v2.functional import pil_to_tensor

from reslab.data import DataError
from reslab.data.decoding import decode, fault

from .picture_fixtures import picture

RANDOM = np.random.default_rng(0)


def grey(image: torch.Tensor) -> np.ndarray:
    """[H, W] of an image whose channels must be the same."""
    assert image.dtype == torch.uint8 and image.shape[0] == 3
    assert torch.equal(image[0], image[1]) and torch.equal(image[0], image[2])
    return image[0].numpy()


def write_png(path: Path, values: np.ndarray, colour_type: int) -> Path:
    """A PNG of 16 bits, as its specification has it: Pillow cannot write one in colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    return path


MODES = dict(jpg="RGB L CMYK YCbCr", png="RGB L 1 P", tif="RGB L 1 P CMYK", bmp="RGB L 1 P", webp="RGB")


@pytest.mark.parametrize(("suffix", "mode"), [(suffix, mode) for suffix in MODES for mode in MODES[suffix].split()])
def test_what_pillow_converts_is_what_torchvisions_loader_gives(tmp_path, mode, suffix):
    image = picture(1).quantize(16) if mode == "P" else picture(1).convert(mode)
    image.save(tmp_path / f"x.{suffix}")
    found = decode(tmp_path / f"x.{suffix}")
    assert found.shape == (3, 37, 44) and found.dtype == torch.uint8
    assert torch.equal(found, pil_to_tensor(default_loader(tmp_path / f"x.{suffix}")))
    assert fault(tmp_path / f"x.{suffix}") == ""


def test_grey_and_cmyk_by_hand(tmp_path):
    values = RANDOM.integers(0, 256, (5, 6), np.uint8)
    Image.fromarray(values).save(tmp_path / "grey.png")
    assert np.array_equal(grey(decode(tmp_path / "grey.png")), values)
    inks = RANDOM.integers(0, 256, (5, 6, 4), np.uint8)
    Image.fromarray(inks, "CMYK").save(tmp_path / "inks.tif")
    light = 255 - inks.astype(float)
    expected = light[:, :, :3] * light[:, :, 3:] / 255  # an ink takes its share of what black leaves
    assert np.abs(decode(tmp_path / "inks.tif").numpy().transpose(1, 2, 0) - expected).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_of_grey_keep_the_high_byte(tmp_path, suffix):
    values = np.array([[0, 255, 256, 511], [512, 30_000, 65_279, 65_535]], np.uint16)
    Image.fromarray(values).save(tmp_path / f"x.{suffix}")
    assert grey(decode(tmp_path / f"x.{suffix}")).tolist() == [[0, 0, 1, 1], [2, 117, 254, 255]]
    assert fault(tmp_path / f"x.{suffix}") == ""


def test_16_bits_of_colour_keep_the_high_bytes(tmp_path):
    values = RANDOM.integers(0, 65_536, (5, 6, 3))
    assert np.array_equal(decode(write_png(tmp_path / "x.png", values, 2)).numpy().transpose(1, 2, 0), values >> 8)
    same = np.repeat(values[:, :, :1], 3, axis=2)  # grey, stored as colour and as grey
    colour, plain = write_png(tmp_path / "colour.png", same, 2), write_png(tmp_path / "grey.png", same[:, :, 0], 0)
    assert torch.equal(decode(colour), decode(plain))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_over_white(tmp_path, mode):
    colours = picture(2).convert("L" if mode == "LA" else "RGB").quantize(8) if mode == "P" else picture(2)
    if mode == "P":
        colours.save(tmp_path / "x.png", transparency=bytes([0, 255] + [100] * 6))
        index = np.asarray(Image.open(tmp_path / "x.png"))
        alpha = np.array([0, 255] + [100] * 6)[index]
        opaque = np.asarray(colours.convert("RGB"), float)
    else:
        alpha = RANDOM.integers(0, 256, (37, 44), np.uint8)
        image = colours.convert(mode)
        opaque = np.asarray(image.convert("RGB"), float)
        image.putalpha(Image.fromarray(alpha))
        image.save(tmp_path / "x.png")
    share = alpha[:, :, None] / 255
    expected = opaque * share + 255 * (1 - share)
    assert np.abs(decode(tmp_path / "x.png").numpy().transpose(1, 2, 0) - expected).max() <= 1


def test_orientation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    picture(3).save(tmp_path / "turned.jpg", exif=exif)
    picture(3).save(tmp_path / "plain.jpg")
    assert torch.equal(decode(tmp_path / "turned.jpg"), decode(tmp_path / "plain.jpg"))


# Damage


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "bmp", "webp"])
@pytest.mark.parametrize("left", [0, 20, 0.5, 0.95])
def test_a_file_that_was_cut(tmp_path, suffix, left):
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(RANDOM.integers(0, 256, (40, 50, 3), np.uint8)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: left if left in (0, 20) else int(len(content) * left)])
    with pytest.raises(DataError) as caught:
        decode(path)
    message = str(caught.value)
    assert message.startswith(f"{path} cannot be read as a picture (") and "\n" not in message
    assert message.endswith("; copy it again, or remove it")
    assert fault(path) in message and fault(path)


def test_what_is_no_picture(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"<html>not found</html>")
    assert fault(tmp_path / "x.jpg") == "it is of no kind that Pillow knows"
    assert fault(tmp_path / "none.jpg") == "No such file or directory"


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_32_bit_numbers_are_refused(tmp_path, kind):
    Image.fromarray(np.ones((4, 4), kind)).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match=r"x\.tif cannot be .* \(its pixels are 32-bit numbers, mode [IF]; save "):
        decode(tmp_path / "x.tif")


def test_a_name_that_is_not_utf_8_is_shown_escaped(tmp_path):
    path = tmp_path / "caf\udce9.jpg"
    path.write_bytes(b"")
    with pytest.raises(DataError) as caught:
        decode(path)
    assert rf"{tmp_path}/caf\xe9.jpg cannot be read" in str(caught.value)
    str(caught.value).encode()

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reslab.data import DataError
from reslab.data.folder import open_tree, read_split

from .data_fixtures import SIZE, load_small, sentence, small_arrays, small_standard, write_folder, zip_folder


@pytest.fixture(params=["folder", "zip"])
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Path], Path]:
    """What turns an image folder into the form under test."""
    return (lambda loose: loose) if request.param == "folder" else lambda loose: zip_folder(loose, tmp_path / "z.zip")


def test_read_split_gives_the_pixels_in_file_order(tmp_path: Path, packed: Callable[[Path], Path]) -> None:
    images, labels = small_arrays()["train"]
    tree = open_tree(packed(write_folder(tmp_path / "loose", small_arrays())))
    found, found_labels, classes = read_split(tree, "train", SIZE, progress=False)
    by_file = np.argsort(labels, kind="stable")  # files are named by index and lie in class folders
    assert found.dtype == torch.uint8 and found_labels.dtype == torch.int64
    assert np.array_equal(found.numpy(), images[by_file])
    assert np.array_equal(found_labels.numpy(), labels[by_file])
    assert classes == small_standard().classes  # which happen to be in alphabetical order


def test_label_order_is_the_callers(tmp_path: Path) -> None:
    tree = open_tree(write_folder(tmp_path, small_arrays()))
    classes = small_standard().classes[::-1]
    images, labels, found = read_split(tree, "test", SIZE, classes, progress=False)
    forward, forward_labels, _ = read_split(tree, "test", SIZE, progress=False)
    assert found == classes
    assert torch.equal(labels.flip(0), 9 - forward_labels.flip(0).sort().values)
    assert torch.equal(images[labels == 0], forward[forward_labels == 9])


def test_files_beside_the_images_are_ignored(tmp_path: Path, packed: Callable[[Path], Path]) -> None:
    loose = write_folder(tmp_path / "loose", small_arrays())
    for name in ("README.txt", "train/cat/Thumbs.db", "train/cat/._00001.png", "train/.DS_Store", "__MACOSX/x.png"):
        (loose / name).parent.mkdir(parents=True, exist_ok=True)
        (loose / name).write_bytes(b"not an image")
    assert len(load_small(packed(loose), tmp_path / "cache").train_images) == 40


def test_optimised_files_with_the_same_pixels_are_the_same_data(tmp_path: Path) -> None:
    """PNG optimisers store grey pictures as grey and those of few colours with a palette."""
    grey = Image.fromarray(np.arange(30, dtype=np.uint8).reshape(SIZE))
    palette = grey.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE)
    assert [grey.mode, palette.mode] == ["L", "P"]
    folder = tmp_path / "train" / "cat"
    folder.mkdir(parents=True)
    grey.save(folder / "grey.png")
    palette.save(folder / "palette.png")
    images, _, _ = read_split(open_tree(tmp_path), "train", SIZE, progress=False)
    assert np.array_equal(images.numpy(), np.broadcast_to(np.asarray(grey), (2, 3, *SIZE)))


# Faults: each takes the loose folder and one of its files, and breaks something.


def cut(loose: Path, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:60])


def garble(loose: Path, file: Path) -> None:
    file.write_bytes(b"<html>not found</html>")


def empty(loose: Path, file: Path) -> None:
    file.write_bytes(b"")


def enlarge(loose: Path, file: Path) -> None:
    Image.open(file).resize((64, 48)).save(file)


def transpose(loose: Path, file: Path) -> None:
    Image.open(file).transpose(Image.Transpose.ROTATE_90).save(file)


def add_alpha(loose: Path, file: Path) -> None:
    Image.open(file).convert("RGBA").save(file)


def flip_pixel(loose: Path, file: Path) -> None:
    image = Image.open(file)
    red, green, blue = image.getpixel((2, 3))
    image.putpixel((2, 3), (red ^ 1, green, blue))
    image.save(file)


def relabel(loose: Path, file: Path) -> None:
    """Swap two images between classes: the counts stay right."""
    other = sorted((loose / "train" / "dog").iterdir())[0]
    swapped = file.read_bytes(), other.read_bytes()
    other.write_bytes(swapped[0])
    file.write_bytes(swapped[1])


def lose_file(loose: Path, file: Path) -> None:
    file.unlink()


def lose_class(loose: Path, file: Path) -> None:
    for image in file.parent.iterdir():
        image.unlink()
    file.parent.rmdir()


def empty_class(loose: Path, file: Path) -> None:
    for image in file.parent.iterdir():
        image.unlink()


def rename_class(loose: Path, file: Path) -> None:
    file.parent.rename(file.parent.with_name("kitten"))


def lose_test(loose: Path, file: Path) -> None:
    (loose / "test").rename(loose / "val")


FAULTS = {
    cut: r"train/cat/\d+\.png in .* cannot be read \(.*\); the file is cut short or damaged, so copy it again",
    garble: r"train/cat/\d+\.png in .* cannot be read",
    empty: r"train/cat/\d+\.png in .* cannot be read",
    enlarge: r"train/cat/\d+\.png in .* is 64x48 pixels \(width x height\) instead of 5x6; replace",
    transpose: r"train/cat/\d+\.png in .* is 6x5 pixels \(width x height\) instead of 5x6; replace",
    add_alpha: r"train/cat/\d+\.png in .* has the mode RGBA, not plain RGB; replace",
    flip_pixel: r"the train split in .* is not the known one: its 40 images have the fingerprint \w+\.\.\. instead of",
    relabel: r"the train split in .* is not the known one: its 40 images",
    lose_file: r"the train split in .* has 39 images instead of 40, 4 a class \(3 of cat\); replace",
    lose_class: r"train/ in .* lacks images of cat; it must have one folder for each of airplane, automobile, bird, ",
    empty_class: r"train/ in .* lacks images of cat; it must have",
    rename_class: r"train/ in .* lacks images of cat and has unexpected kitten; it must have",
    lose_test: r".* has no images in test/<class>/; put the test split there",
}


@pytest.mark.parametrize(("fault", "message"), FAULTS.items(), ids=lambda part: getattr(part, "__name__", ""))
def test_each_fault_gets_one_sentence(
    tmp_path: Path, packed: Callable[[Path], Path], fault: Callable[[Path, Path], None], message: str
) -> None:
    loose = write_folder(tmp_path / "loose", small_arrays())
    fault(loose, sorted((loose / "train" / "cat").iterdir())[1])
    source = packed(loose)
    said = sentence(source, tmp_path / "cache")
    assert re.match(message, said), said
    assert str(source) in said


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99, 0.9999])
def test_a_truncated_zip_is_named(tmp_path: Path, share: float) -> None:
    whole = zip_folder(write_folder(tmp_path / "loose", small_arrays()), tmp_path / "whole.zip").read_bytes()
    (tmp_path / "root").mkdir()
    cut_short = tmp_path / "root" / "pictures.zip"
    cut_short.write_bytes(whole[: int(share * len(whole))])
    for root in (cut_short, cut_short.parent):  # named by the user, or found
        assert sentence(root, tmp_path / "cache").startswith(f"{cut_short} cannot be read as a zip (")


def test_damage_inside_a_zip_names_the_member(tmp_path: Path) -> None:
    path = zip_folder(write_folder(tmp_path / "loose", small_arrays()), tmp_path / "pictures.zip")
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(next(name for name in archive.namelist() if re.match("test/frog/.*png", name)))
    data = bytearray(path.read_bytes())
    data[member.header_offset + 30 + len(member.filename) + member.file_size // 2] ^= 1
    path.write_bytes(data)
    assert f"{member.filename} in {path} cannot be read (Bad CRC-32" in sentence(path, tmp_path / "cache")


def test_an_image_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    """A PNG of 60,000 x 60,000 pixels in a few bytes must not be decoded; Pillow would warn, then raise."""
    header = io.BytesIO()
    Image.new("RGB", SIZE).save(header, "PNG")
    data = bytearray(header.getvalue())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path = tmp_path / "train" / "cat" / "bomb.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"train/cat/bomb.png in .* cannot be read \(Image size"):
        read_split(open_tree(tmp_path), "train", SIZE, progress=False)

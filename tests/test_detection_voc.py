"""Folders and zips in VOC layout against torchvision's reader and hand computation; what is wrong with them, told."""

import os
import shutil
import time
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torchvision.datasets import VOCDetection

from reslab.data import DataError
from reslab.data.batches import split
from reslab.detection.voc import open_voc

from .voc_fixtures import (  # noqa: F401
    CAT,
    DOG,
    LISTS,
    TEST,
    TRAIN,
    annotation,
    bccd,
    voc,
    write_lists,
    write_picture,
    write_voc,
    zip_voc,
)


def sentence(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        open_voc(path)
    message = str(caught.value)
    assert "\n" not in message and not message.endswith(".")
    return message


def names(split) -> list[str]:
    return [Path(name).stem for name in split.names]


def with_objects(root: Path, *objects, name: str = "a2", **size) -> Path:
    """The folder with other objects in one of its pictures."""
    (root / "Annotations" / f"{name}.xml").write_text(annotation(*objects, **size))
    return root


def test_pictures_and_objects_are_those_of_torchvision(tmp_path):
    root = write_voc(tmp_path / "VOCdevkit" / "VOC2007")
    found = open_voc(tmp_path)
    assert found.root == root and found.classes == ("cat", "dog") and found.slips == ()
    for ours, image_set in ((found.train, "trainval"), (found.held_out, "test")):
        theirs = VOCDetection(tmp_path, "2007", image_set)
        assert [str(root / name) for name in ours.names] == theirs.images
        for labelled, (image, target) in zip(ours.pictures, theirs, strict=True):
            assert labelled.size == image.size
            objects = target["annotation"]["object"]
            assert [found.classes[label - 1] for label in labelled.labels] == [each["name"] for each in objects]
            corners = [[float(each["bndbox"][c]) for c in ("xmin", "ymin", "xmax", "ymax")] for each in objects]
            # From 1 and with the last pixel, to half-open.
            assert labelled.boxes.tolist() == [[x1 - 1, y1 - 1, x2, y2] for x1, y1, x2, y2 in corners]
            assert labelled.boxes.dtype == torch.float32 and not labelled.difficult.any()


def test_facts_and_digest(voc, tmp_path):  # noqa: F811
    found = open_voc(voc)
    facts = found.facts
    assert (facts.train, facts.test, facts.size, facts.classes, facts.digest) == (6, 3, None, 2, found.digest)
    copy = Path(shutil.copytree(voc, tmp_path / "copy"))  # of the same times
    assert open_voc(copy).facts == facts
    os.utime(copy / "JPEGImages" / "a1.jpg", (1, 1))
    assert open_voc(copy).digest == facts.digest and open_voc(copy).stamp != found.stamp
    with_objects(copy, ("dog", 5, 6, 24, 31), name="a1")  # a file of the same size
    assert open_voc(copy).digest != facts.digest
    write_lists(voc, dict(test=TEST[:2]))
    assert open_voc(voc).digest != facts.digest


@pytest.mark.parametrize(
    ("lists", "train", "held_out"),
    [
        (("trainval", "train", "val", "test"), TRAIN, TEST),
        (("train", "val", "test"), TRAIN[:4], TEST),
        (("train", "val"), TRAIN[:4], TRAIN[4:]),
        (("trainval", "train", "val"), TRAIN[:4], TRAIN[4:]),  # trainval has what val has
        (("trainval", "test"), TRAIN, TEST),
    ],
)
def test_which_lists_are_used(tmp_path, lists, train, held_out):
    root = write_voc(tmp_path, {name: LISTS[name] for name in lists} | dict(dog_train=["a1  1", "a2 -1"]))
    found = open_voc(root)
    assert (*names(found.train),) == train and (*names(found.held_out),) == held_out


def test_without_lists_every_fifth_is_held_out(tmp_path):
    found = open_voc(write_voc(tmp_path, {}))
    kept, held_out = split(9, 1)
    everything = sorted(TRAIN + TEST)
    assert names(found.train) == [everything[i] for i in kept]
    assert names(found.held_out) == [everything[i] for i in held_out]


def test_lists_as_people_write_them(voc):  # noqa: F811
    (voc / "ImageSets" / "Main" / "test.txt").write_bytes(b"\xef\xbb\xbfb2 \r\n\r\nb1\r\nb2\r\n")
    assert names(open_voc(voc).held_out) == ["b2", "b1"]


def test_pictures_of_other_kinds_and_hidden_twins(voc):  # noqa: F811
    (voc / "JPEGImages" / "a1.jpg").rename(voc / "JPEGImages" / "a1.JPEG")
    for twin in ("JPEGImages/._a2.jpg", "Annotations/._a2.xml"):
        (voc / twin).write_bytes(b"macOS")
    shutil.rmtree(voc / "ImageSets")
    assert "JPEGImages/a1.JPEG" in open_voc(voc).train.names + open_voc(voc).held_out.names


@pytest.mark.parametrize("top", ["", "set/", "VOCdevkit/VOC2007/"])
def test_a_zip_is_the_folder_in_it(tmp_path, voc, cache, top):  # noqa: F811
    path = zip_voc(voc, tmp_path / "set.zip", top)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"__MACOSX/{top}Annotations/._a1.xml", b"macOS")
    found, loose = open_voc(path), open_voc(voc)
    assert found.digest == loose.digest and found.train.names == loose.train.names
    assert (found.root / "JPEGImages" / "a1.jpg").read_bytes() == (voc / "JPEGImages" / "a1.jpg").read_bytes()
    assert found.root.is_relative_to(cache)
    path.rename(tmp_path / "elsewhere.zip")
    assert open_voc(tmp_path / "elsewhere.zip").root == found.root  # not unpacked again


def test_difficult_objects_and_floats_are_kept(voc):  # noqa: F811
    with_objects(voc, (*DOG, 1), (*CAT, 0), ("cat", 1.5, 2, 3.25, 7.75, "Unspecified"))
    labelled = open_voc(voc).train.pictures[1]
    assert labelled.difficult.tolist() == [True, False, False] and labelled.labels.tolist() == [2, 1, 1]
    assert labelled.boxes[2].tolist() == [0.5, 1, 3.25, 7.75]


def test_parts_of_a_person_are_passed_over(voc):  # noqa: F811
    content = annotation(DOG).replace(
        "</object>", "<part><name>head</name><bndbox><xmin>x</xmin></bndbox></part></object>"
    )
    (voc / "Annotations" / "a2.xml").write_text(content)
    assert open_voc(voc).train.pictures[1].boxes.tolist() == [[4, 5, 24, 30]]


def test_pictures_without_objects(voc):  # noqa: F811
    with_objects(voc)
    labelled = open_voc(voc).train.pictures[1]
    assert labelled.boxes.shape == (0, 4) and labelled.labels.shape == labelled.difficult.shape == (0,)


@pytest.mark.parametrize(
    ("corners", "box"),
    [((1, 1, 64, 48), (0, 0, 64, 48)), ((0, 0, 64, 48), (0, 0, 64, 48)), ((2, 3, 65, 49), (1, 2, 64, 48))],
)
def test_a_pixel_outside_is_another_way_to_count(voc, corners, box):  # noqa: F811
    assert open_voc(with_objects(voc, ("dog", *corners))).train.pictures[1].boxes.tolist() == [list(box)]


def test_slips_of_the_hand_are_passed_over_and_told(voc):  # noqa: F811
    copied = ("dog", 6, 7, 25, 31)  # by a pixel: overlap 437 of 523
    click, edge = ("cat", 9, 9, 9, 9), ("dog", 64, 3, 65, 20)
    found = open_voc(with_objects(voc, DOG, click, copied, CAT, edge, ("cat", *DOG[1:])))
    assert found.train.pictures[1].boxes.tolist() == [[4, 5, 24, 30], [29, 10, 60, 47], [4, 5, 24, 30]]
    assert found.slips == tuple(
        f"{slip} in Annotations/a2.xml" for slip in ("cat of 1x1 pixels", "dog labelled twice", "dog of 1x18 pixels")
    )


def test_what_was_read_is_remembered_until_a_file_changes(voc, monkeypatch):  # noqa: F811
    first = open_voc(voc)
    with monkeypatch.context() as patch:
        patch.setattr("reslab.detection.voc.read_objects", None)
        assert open_voc(voc).digest == first.digest
    with_objects(voc, CAT, (*CAT[:4], 20))
    assert open_voc(voc).train.pictures[1].labels.tolist() == [1, 1]


def test_it_is_quick(tmp_path):
    objects = [("dog", 1 + i, 1 + i, 20 + i, 30) for i in range(0, 30, 6)]
    write_picture(tmp_path, "0", *objects)
    for number in range(1, 1000):
        for folder, ending in (("JPEGImages", "jpg"), ("Annotations", "xml")):
            (tmp_path / folder / f"{number}.{ending}").hardlink_to(tmp_path / folder / f"0.{ending}")
    start = time.process_time()
    assert open_voc(tmp_path).facts.train == 800
    first = time.process_time()
    open_voc(tmp_path)
    assert first - start < 2 and time.process_time() - first < 0.5


# What is wrong


def test_not_there(tmp_path):
    assert sentence(tmp_path / "none").startswith(f"there is no {tmp_path}/none; give a folder or a zip that has JPEG")


def test_not_voc_layout(tmp_path):
    (tmp_path / "Annotations").mkdir()
    assert " is not in the layout of Pascal VOC; it must have JPEGImages/ with the pictures" in sentence(tmp_path)


def test_several_data_sets(tmp_path):
    for year in ("VOC2007", "VOC2012"):
        write_voc(tmp_path / "VOCdevkit" / year)
    message = sentence(tmp_path)
    assert "has several data sets in it (VOCdevkit/VOC2007, VOCdevkit/VOC2012); give the folder of one" in message


def test_a_zip_that_is_none_or_is_damaged(tmp_path, voc):  # noqa: F811
    path = tmp_path / "set.zip"
    path.write_bytes(b"no zip")
    assert f"{path} cannot be unpacked into " in sentence(path) and "copy it again" in sentence(path)
    write_picture(voc, "a1", number=99)  # a zip that no other test has unpacked
    content = bytearray(zip_voc(voc, path).read_bytes())
    content[content.index(b"JFIF") + 200] ^= 1
    path.write_bytes(content)
    assert "Bad CRC-32" in sentence(path)
    assert "Bad CRC-32" in sentence(path), "nothing half unpacked was left"


@pytest.mark.parametrize("lists", [("trainval",), ("trainval", "val"), ("test",), ("val", "test")])
def test_a_missing_list(tmp_path, lists):
    message = sentence(write_voc(tmp_path, {name: LISTS[name] for name in lists}))
    assert f"ImageSets/Main has {', '.join(sorted(f'{name}.txt' for name in lists))} only; add trainval.txt" in message


def test_an_empty_list(voc):  # noqa: F811
    write_lists(voc, dict(test=[]))
    assert "ImageSets/Main/test.txt is empty; write the names" in sentence(voc)


def test_a_list_that_is_no_text(voc):  # noqa: F811
    (voc / "ImageSets" / "Main" / "test.txt").write_bytes(b"\xff\xfe\x00")
    assert "ImageSets/Main/test.txt cannot be read (" in sentence(voc)


def test_lists_that_share_names(voc):  # noqa: F811
    write_lists(voc, dict(test=["b1", "a4", "a2"]))
    assert "trainval.txt and test.txt in " in sentence(voc) and "share names (a2, a4); take them out" in sentence(voc)


@pytest.mark.parametrize(("kind", "ending"), [("JPEGImages", "jpg"), ("Annotations", "xml")])
def test_missing_files(voc, kind, ending):  # noqa: F811
    (voc / kind / f"a2.{ending}").unlink()
    message = sentence(voc)
    assert f"has no {kind}/NAME.{ending} of 1 of the 6 pictures (a2); put these files there, or take" in message
    write_lists(voc, dict(trainval=["a1", *(f"none{i:02d}" for i in range(13))]))
    assert "of 13 of the 14 pictures (none00, " in sentence(voc) and "none09 and 3 more)" in sentence(voc)
    shutil.rmtree(voc / "ImageSets")
    assert "(a2)" in sentence(voc), "without lists, too"


def test_too_few_pictures(tmp_path):
    write_picture(tmp_path, "a", DOG)
    assert "has 1 pictures, too few to hold some out" in sentence(tmp_path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("<annotation><object>", "is no XML that can be read (no element found: line 1, column 20)"),
        ("", "is no XML that can be read (no element found: line 1, column 0)"),
        ('<?xml version="1.0" encoding="none"?><annotation/>', "is no XML that can be read (unknown encoding"),
        ("<html/>", "begins with <html>, and not with <annotation>"),
        (annotation(("", 1, 1, 5, 5)), "has no <name> in its object 1"),
        ("<annotation><object><name>dog</name></object></annotation>", "has no <xmin> of 'dog', its object 1"),
        (annotation(DOG, ("cat", 1, 1, 5)), "has no <ymax> of 'cat', its object 2"),
        (annotation(("dog", 1, "two", 5, 5)), "has 'two' as <ymin> of 'dog', its object 1"),
        (annotation(("dog", 1, 2, "nan", 5)), "has 'nan' as <xmax> of 'dog', its object 1"),
        (annotation(("dog", 20, 2, 10, 5)), "has xmax 10 before xmin 20 of 'dog', its object 1"),
        (annotation(("dog", 1, 9, 10, 5)), "has ymax 5 before ymin 9 of 'dog', its object 1"),
        (annotation(("dog", 1, 1, 66, 5)), "has 'dog', its object 1 from x 1 to 66, outside the picture, which is 64"),
        (annotation(("dog", -1, 1, 6, 5)), "has 'dog', its object 1 from x -1 to 6, outside the picture"),
        (annotation(("dog", 1, 1, 6, 50)), "has 'dog', its object 1 from y 1 to 50, outside the picture, which is 48"),
        (annotation(DOG, width=48, height=64), "says that the picture is 48x64 (width x height), but it is 64x48"),
    ],
)
def test_faults_of_annotations(voc, content, fault):  # noqa: F811
    (voc / "Annotations" / "a2.xml").write_text(content)
    message = sentence(voc)
    assert message.startswith(f"1 of the 9 annotations in {voc} cannot be used: Annotations/a2.xml {fault}")
    assert message.endswith("; correct them, or take their pictures out of the lists in ImageSets/Main/")


def test_a_size_that_was_left_out_is_no_fault(voc):  # noqa: F811
    for size in (dict(width=0, height=0), dict(width="", height="")):
        assert open_voc(with_objects(voc, DOG, **size)).facts.train == 6


def test_a_class_that_only_held_out_pictures_have(voc):  # noqa: F811
    with_objects(voc, DOG, ("dgo", 1, 1, 9, 9), name="b2")
    assert "Annotations/b2.xml has the class dgo, which is none that a training picture has" in sentence(voc)


def test_a_picture_that_is_none(voc):  # noqa: F811
    (voc / "JPEGImages" / "b1.jpg").write_bytes(b"no picture")
    message = sentence(voc)
    assert "Annotations/b1.xml is of JPEGImages/b1.jpg, which cannot be read as a picture (" in message


def test_many_faults_are_ten_and_a_number(tmp_path):
    for number in range(15):
        write_picture(tmp_path, f"{number:02d}", ("dog", 9, 9, 1, 9))
    message = sentence(tmp_path)
    assert message.startswith(f"15 of the 15 annotations in {tmp_path} cannot be used: ")
    assert message.count(" before ") == 10 and "; and 5 more; correct them" in message


# The real one


def test_bccd(bccd, tmp_path):  # noqa: F811
    with zipfile.ZipFile(bccd) as archive:
        archive.extractall(tmp_path)
    found = open_voc(tmp_path / "BCCD")
    assert found.facts == open_voc(bccd).facts
    assert (found.facts.train, found.facts.test, found.classes) == (292, 72, ("Platelets", "RBC", "WBC"))
    # Counted by another hand: 4,888 boxes, of which two are a pixel in size and eight a cell's second one.
    objects = 0
    for file in (tmp_path / "BCCD" / "Annotations").glob("*.xml"):
        objects += len(ElementTree.parse(file).findall("object"))
    kept = torch.cat([labelled.labels for each in (found.train, found.held_out) for labelled in each.pictures])
    assert objects == 4888 and kept.bincount().tolist() == [0, 361, 4155 - 10, 372]
    clicks, doubles = ("00338", "00343"), ("00013", "00020", "00100", "00104", "00251", "00284", "00331", "00403")
    told = {f"RBC of 1x1 pixels in Annotations/BloodImage_{number}.xml" for number in clicks}
    assert {*found.slips} == told | {f"RBC labelled twice in Annotations/BloodImage_{number}.xml" for number in doubles}

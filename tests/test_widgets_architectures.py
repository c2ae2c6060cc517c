"""The panels of the architectures notebook, driven by their controls' values, and their twins without a front end."""

import io
import re
from datetime import UTC, datetime

import plotly.graph_objects as go
import pytest
import torch
from PIL import Image

from reslab.nets.family import imagenet_family
from reslab.nets.viewer import viewer
from reslab.widgets import Counting, Naming, Passage

from .weights_fixtures import forget_downloads, publish


@pytest.fixture(autouse=True)
def no_weights(monkeypatch, tmp_path):
    forget_downloads(monkeypatch, tmp_path)
    yield
    viewer.cache_clear()


@pytest.fixture
def published(monkeypatch):
    return publish(monkeypatch)


def uploaded(name: str, content: bytes) -> dict:
    return dict(
        name=name, type="image/png", size=len(content), content=memoryview(content), last_modified=datetime.now(UTC)
    )


def notes(figure: dict) -> list[str]:
    return [note["text"] for note in figure["layout"]["annotations"]]


def test_counting_follows_its_control():
    panel = Counting(imagenet_family(), 34, live=True)
    assert "= 34</h3>" in panel._view.value and panel._view.value.count("data-layer") == 34
    panel.controls["depth"].value = 101
    assert "1 + 33 × 3 + 1 = 101</h3>" in panel._view.value and panel._view.value.count("data-layer") == 101
    assert "conv4_x has 23 blocks of 3 layers: 69." in panel._view.value


def test_without_a_front_end_all_depths_are_counted():
    (page,) = Counting(imagenet_family(), live=False).still()
    assert re.findall(r"= (\d+)</h3>", page.data) == ["18", "34", "50", "101", "152"]


def test_passage_follows_its_controls():
    panel = Passage(18, live=True)
    assert "<b>ResNet-18, fresh: random weights</b>" in notes(panel.plot.figure)
    assert any(text.startswith("512 maps of 7×7") for text in notes(panel.plot.figure))
    before = panel.plot.figure["layout"]["images"][1]["source"]
    panel.controls["picture"].value = "the drawing"
    assert panel.plot.figure["layout"]["images"][1]["source"] != before
    panel.controls["depth"].value = 50
    assert "<b>ResNet-50, fresh: random weights</b>" in notes(panel.plot.figure)
    assert any(text.startswith("2,048 maps of 7×7") for text in notes(panel.plot.figure))


def test_without_a_front_end_every_picture_is_drawn():
    figures = Passage(18, live=False).still()
    assert len(figures) == 2 and all(isinstance(figure, go.Figure) for figure in figures)
    first, second = (figure.layout.images[1].source for figure in figures)
    assert first != second


def test_a_picture_of_ones_own_is_named(published):
    panel = Naming(18, "IMAGENET1K_V1", live=True)
    file = io.BytesIO()
    Image.new("L", (300, 260), 90).save(file, "PNG")
    before = panel._view.value
    panel.upload.value = [uploaded("mine.png", file.getvalue())]
    theirs, weights = published
    grey = Image.new("RGB", (300, 260), (90, 90, 90))
    with torch.no_grad():
        best = theirs(weights.transforms()(grey)[None])[0].softmax(0).max(0)
    assert panel._view.value != before
    assert f"<b>{weights.meta['categories'][best.indices]}</b>" in panel._view.value
    assert f"{100 * best.values:.1f} %" in panel._view.value


@pytest.mark.parametrize("content", [b"", b"a poem"])
def test_a_file_that_is_no_picture_gets_a_sentence(content, published, caplog):
    panel = Naming(18, "IMAGENET1K_V1", live=True)
    panel.upload.value = [uploaded("poem <1>.txt", content)]
    assert "poem &lt;1&gt;.txt is no picture that can be read; choose a JPEG" in panel._trouble.value
    assert "mistake in reslab" not in panel._trouble.value
    caplog.clear()


def test_without_weights_the_cat_is_shown_with_what_to_do():
    (page,) = Naming(18, live=False).still()
    assert "data:image/jpeg" in page.data and "A fresh ResNet-18 knows no classes" in page.data
    assert viewer(18).weights == ""

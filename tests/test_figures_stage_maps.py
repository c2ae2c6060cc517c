"""The picture's way through a net: what is drawn is in the pixels that the browser gets."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from reslab.figures import stage_maps
from reslab.figures.guesses import guesses_view
from reslab.figures.stage_maps import CHANNELS, EDGE, GAP, HEAD, MAP, RAMP, SHADES
from reslab.nets.viewer import Guess


def decoded(source: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB"))


def rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.fixture
def figure():
    """A red picture; a stage of 56x56 whose channel i is bright in row i, stronger with i, and one of 7x7."""
    first, second = torch.zeros(10, 56, 56), torch.zeros(3, 7, 7)
    for i in range(10):
        first[i, i] = i + 1.0
    second[1, 3, 4] = 2.0
    picture = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None].expand(3, 224, 224)
    return stage_maps(picture, dict(conv2_x=first, conv5_x=second, fc=torch.zeros(10)), "<b>A net</b>")


def test_the_sheet_has_every_map_in_its_place(figure):
    sheet, picture = (decoded(image.source) for image in figure.layout.images)
    assert picture.shape == (224, 224, 3) and np.abs(picture.astype(int) - [254, 0, 0]).max() < 4
    right, first, second = 224 + 2 * GAP, HEAD + 224 + HEAD, HEAD + 224 + 2 * HEAD + MAP
    assert sheet.shape[1] == right + CHANNELS * (MAP + GAP) and sheet.shape[0] == second + MAP + 2
    dark, white = rgb(RAMP[-1]), rgb(RAMP[0])
    for place, channel in enumerate(range(9, 9 - CHANNELS, -1)):  # the strongest first; each pixel is 2x2 large
        left = right + place * (MAP + GAP)
        part = sheet[first : first + MAP, left : left + MAP]
        assert (part[2 * channel : 2 * channel + 2] == dark).all()
        assert (np.delete(part, [2 * channel, 2 * channel + 1], 0) == white).all()
    true = sheet[first : first + 56, 1:57]  # true to scale: a quarter of the picture's side
    assert (true[9] == dark).all() and (true[:9] == white).all()
    spot = sheet[second : second + MAP, right : right + MAP]
    assert (spot[3 * 16 : 4 * 16, 4 * 16 : 5 * 16] == dark).all() and (spot == dark).all(-1).sum() == 16 * 16


def test_an_empty_map_has_a_frame(figure):
    sheet = decoded(figure.layout.images[0].source)
    top, left = HEAD + 224 + 2 * HEAD + MAP, 224 + 2 * GAP + MAP + GAP
    assert (sheet[top - 1, left : left + MAP] == rgb(EDGE)).all() and (
        sheet[top : top + MAP, left : left + MAP] == 255
    ).all()


def test_rows_say_which_maps_they_show(figure):
    words = [note.text for note in figure.layout.annotations]
    assert "10 maps of 56×56; channels 9, 8, 7, 6, 5, 4" in words and "<b>conv5_x</b>" in words
    assert "3 maps of 7×7; channels 1, 0, 2" in words and "<b>A net</b>" in words
    assert not any("fc" in text for text in words)
    assert len(json.dumps(figure.to_dict(), default=str)) < 100_000 and SHADES < 16


def test_without_maps_there_is_nothing_to_draw():
    with pytest.raises(ValueError, match="no feature maps to draw"):
        stage_maps(torch.zeros(3, 8, 8, dtype=torch.uint8), dict(fc=torch.zeros(10)))


def test_guesses_have_names_bars_and_words():
    picture = torch.zeros(3, 20, 30, dtype=torch.uint8)
    page = guesses_view(picture, [Guess("tabby <cat>", 61.25), Guess("lynx", 0.04)], "#005b42", "A & B.")
    assert "tabby &lt;cat&gt;" in page and "61.2 %" in page and "0.0 %" in page and "A &amp; B." in page
    assert 'width="30" height="20"' in page and "#005b42" in page

"""The noise's slider and a picture of one's own, driven as a hand would, without a browser."""

import io
from datetime import UTC, datetime

import pytest
import torch
from PIL import Image
from torch import nn

from reslab import RunConfig
from reslab.data.examples import cat
from reslab.lessons.denoising import fitted
from reslab.widgets import Denoising

DIRECT, RESIDUAL = (
    RunConfig(task="denoising", target=target, shortcut="none", profile="smoke") for target in ("clean", "noise")
)


class Shifted(nn.Module):
    """Gives back what it gets, brighter."""

    def __init__(self, by: float):
        super().__init__()
        self.by = by

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return noisy + self.by


@pytest.fixture
def panel() -> Denoising:
    return Denoising({DIRECT: Shifted(0.1), RESIDUAL: Shifted(0.0)}, live=True)


def title(panel: Denoising) -> str:
    return panel.plot.figure["layout"]["title"]["text"]


def told(panel: Denoising) -> dict[str, str]:
    """What is written below the pictures of the first row."""
    return {tile["meta"]["name"]: tile["meta"]["told"] for tile in panel.plot.figure["data"][:3]}


def file(content: bytes, name: str = "mine.png") -> dict:
    facts = dict(name=name, type="image/png", size=len(content), last_modified=datetime.now(UTC))
    return facts | dict(content=memoryview(content))


def png(image: Image.Image) -> bytes:
    made = io.BytesIO()
    image.save(made, "PNG")
    return made.getvalue()


def test_moving_the_slider_changes_the_noise(panel):
    assert "The cat with noise of σ = 25" in title(panel) and "192×128 pixels" in title(panel)
    before = told(panel)
    assert before["noisy"] == before["residual"] and float(before["noisy"].split()[0]) == pytest.approx(20.2, abs=0.5)
    panel.controls["sigma"].value = 50
    assert "σ = 50" in title(panel) and float(told(panel)["noisy"].split()[0]) == pytest.approx(14.4, abs=0.5)
    panel.controls["sigma"].value = 0
    clean = fitted(cat())
    expected = -10 * ((clean + 0.1).clamp(max=1) - clean).square().mean().log10().item()
    assert told(panel) == {"noisy": "inf dB", "residual": "inf dB", "direct": f"{expected:.2f} dB"}


def test_another_picture_can_be_chosen(panel):
    panel.controls["picture"].value = "the drawing"
    assert "The drawing with noise of σ = 25" in title(panel) and "192×192 pixels" in title(panel)


def test_a_picture_of_ones_own_is_shown_and_replaced_by_the_next(panel):
    panel.upload.value = [file(png(Image.new("L", (30, 20), 90)))]
    assert panel.controls["picture"].value == "your picture" and "30×20 pixels" in title(panel)
    panel.controls["sigma"].value = 5
    assert "Your picture with noise of σ = 5" in title(panel)
    panel.upload.value = [file(png(Image.new("RGB", (400, 100))), "other.png")]
    assert "192×48 pixels" in title(panel)
    assert list(panel.controls["picture"].options) == ["the cat", "the drawing", "your picture"]


def test_a_file_that_is_no_picture_gets_a_sentence(panel, caplog):
    before = title(panel)
    panel.upload.value = [file(b"a poem", "poem <1>.txt")]
    assert "poem &lt;1&gt;.txt is no picture that can be read; choose a JPEG" in panel._trouble.value
    assert title(panel) == before and "your picture" not in panel.controls["picture"].options
    caplog.clear()


def test_a_sigma_beyond_the_sliders_end_fits():
    assert Denoising({DIRECT: Shifted(0)}, sigma=100, live=True).controls["sigma"].max == 100


def test_without_a_front_end_the_first_picture_is_shown_at_three_strengths_with_a_sentence():
    panel = Denoising({DIRECT: Shifted(0.1), RESIDUAL: Shifted(0.0)}, sigma=50, live=False)
    *figures, note = panel.still()
    titles = [figure.layout.title.text for figure in figures]
    assert ["The cat with noise of σ = " in title and "80×53 pixels" in title for title in titles] == [True] * 3
    assert [title.split("σ = ")[1].split("<")[0] for title in titles] == ["50", "20", "75"]
    assert [len(figure.data) for figure in figures] == [9, 3, 3]
    assert "a slider for σ stands here" in note.data and not hasattr(panel, "widget")
    assert sum(len(figure.to_json()) for figure in figures) < 150_000

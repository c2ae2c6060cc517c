"""What a net takes a picture for: the picture, and its most probable classes as bars."""

from collections.abc import Sequence
from html import escape

import torch

from ..nets.viewer import Guess
from .embedded import jpeg

BAR = 260  # pixels of 100 %
QUIET = "color:var(--jp-ui-font-color2, #5b6472)"


def guesses_view(picture: torch.Tensor, guesses: Sequence[Guess], colour: str, told: str = "") -> str:
    """HTML of `picture`, uint8 [3, H, W], beside the `guesses`, with bars in `colour` "#rrggbb", and what is `told`."""
    rows = "".join(_row(guess, colour) for guess in guesses)
    table = f'<table style="border-collapse:collapse;font-size:16px">{rows}</table>' if guesses else ""
    words = f'<p style="max-width:44em;margin:.5em 0;font-size:15px;{QUIET}">{escape(told)}</p>' if told else ""
    height, width = picture.shape[1:]
    image = (
        f'<img src="{jpeg(picture)}" width="{width}" height="{height}" alt="the picture as the net sees it"'
        ' style="border-radius:6px;flex:none">'
    )
    style = "display:flex;flex-wrap:wrap;gap:12px 28px;align-items:center;margin:.5em 0"
    return f'<div style="{style}">{image}<div style="flex:1 1 320px">{table}{words}</div></div>'


def _row(guess: Guess, colour: str) -> str:
    cell = "padding:.3em .6em;background:none;border:0;text-align:left;white-space:nowrap"
    bar = f"display:inline-block;vertical-align:middle;height:18px;border-radius:3px;background:{colour}"
    width = max(1.0, BAR * guess.percent / 100)
    return (
        f'<tr style="background:none"><td style="{cell}"><b>{escape(guess.name)}</b></td><td style="{cell}">'
        f'<span style="{bar};width:{width:.0f}px"></span>&ensp;{guess.percent:.1f} %</td></tr>'
    )

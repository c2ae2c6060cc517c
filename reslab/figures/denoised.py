"""Pictures with noise on them, what methods make of them, what they took away, and what is wrong with the result."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import torch
from PIL import Image
from plotly.subplots import make_subplots

from ..lessons.denoising import Trial
from ..training.config import RunConfig
from .denoisers import CLASSICAL, denoiser_looks
from .embedded import data_uri
from .style import FAINT, INK, TEMPLATE, headline, mix

WIDTH = 940  # pixels of a row, in a page that is wide enough
GAP = 0.012  # between tiles, as a share of the width
TOP, HEAD, LINE, SPACE = 76, 32, 20, 14  # pixels: the title; above a row; a line of text below it; between rows
SMALL = 64  # pixels: smaller pictures are kept exactly
REACH = 3.0  # standard deviations of the noise from grey to black or white
LEAST = 5.0  # of 255: weaker noise is drawn no stronger
STRONGER = 2  # errors, than noise
ROWS = {
    "picture": "what comes out",
    "noise": "what was taken away: noisy minus output; grey is nothing",
    "error": f"what is wrong: output minus clean, {STRONGER} times as strong; grey is right",
}


@dataclass(frozen=True)
class Tile:
    """A picture, float [3, H, W] from 0 to 1, with what is written below it."""

    pixels: torch.Tensor
    name: str
    told: str = ""
    colour: str = INK


def denoised_pictures(trial: Trial, rows: Iterable[str] = ROWS, name: str = "") -> go.Figure:
    """A column for the picture as it came and one for each method, and the `rows` of ROWS: what comes out, what was
    taken away, and what is wrong. A zoom into one is a zoom into all. `name` says what the picture is.

    Raises ValueError for a row that there is not.
    """
    rows = list(rows)
    if unknown := [row for row in rows if row not in ROWS]:
        raise ValueError(f"rows={unknown!r} are not possible; allowed: {', '.join(ROWS)}")
    table = [_tiles(trial, row) for row in rows]
    told = f"{trial.clean.shape[2]}×{trial.clean.shape[1]} pixels, noisy: {trial.psnr(trial.noisy):.2f} dB"
    title = headline(f"{name or 'A picture'} with noise of σ = {trial.sigma:g}", told)
    return _grid(table, [ROWS[row] for row in rows], title)


def _tiles(trial: Trial, row: str) -> list[Tile]:
    looks = denoiser_looks([method for method in trial.estimates if isinstance(method, RunConfig)])
    scale = 255 / (2 * REACH * max(trial.sigma, LEAST))
    if row == "picture":
        tiles = [Tile(trial.noisy, "noisy", f"{trial.psnr(trial.noisy):.2f} dB")]
    elif row == "noise":
        noise = trial.noisy - trial.clean
        tiles = [Tile(0.5 + scale * noise, "the noise", f"std {255 * noise.std():.1f}")]
    else:
        tiles = [Tile(trial.clean, "clean", "what it should be")]
    for method, estimate in trial.estimates.items():
        look = looks.get(method)
        name, colour = (look.label, look.colour) if look else (method, CLASSICAL)
        taken, wrong = trial.noisy - estimate, estimate - trial.clean
        pixels, told = {
            "picture": (estimate, f"{trial.psnr(estimate):.2f} dB"),
            "noise": (0.5 + scale * taken, f"std {255 * taken.std():.1f}"),
            "error": (0.5 + STRONGER * scale * wrong, f"rms {255 * wrong.square().mean().sqrt():.1f}"),
        }[row]
        tiles.append(Tile(pixels, name, told, colour))
    return tiles


def _grid(table: Sequence[Sequence[Tile]], titles: Sequence[str], title: str) -> go.Figure:
    """Rows of tiles, all of one size."""
    columns, (height, width) = len(table[0]), table[0][0].pixels.shape[1:]
    lines = 2 + max(tile.name.count(", ") for tiles in table for tile in tiles)
    down = WIDTH * (1 - GAP * (columns - 1)) / columns * height / width
    step = HEAD + down + LINE * lines + SPACE
    whole = len(table) * step - SPACE
    figure = make_subplots(len(table), columns, horizontal_spacing=GAP, vertical_spacing=0.0)
    words = dict(showarrow=False, yref="paper")
    for i, (tiles, heading) in enumerate(zip(table, titles, strict=True)):
        top = 1 - (i * step + HEAD) / whole
        bottom = max(0, top - down / whole)
        left = dict(xref="paper", x=0, xanchor="left", y=top, yanchor="bottom", yshift=4)
        figure.add_annotation(text=f"<b>{heading}</b>", font=dict(size=16, color=INK), **left, **words)
        for j, tile in enumerate(tiles):
            figure.add_trace(_image(tile), row=i + 1, col=j + 1)
            figure.update_yaxes(domain=[bottom, top], row=i + 1, col=j + 1)
            name = tile.name.replace(", ", ",<br>")
            label = f"<b style='color:{mix(tile.colour, INK, 0.2)}'>{name}</b><br>{tile.told}"
            middle = dict(xref=f"x{i * columns + j + 1} domain".replace("x1 ", "x "), x=0.5, xanchor="center")
            figure.add_annotation(
                text=label, font=dict(size=14, color=FAINT), y=bottom, yanchor="top", **middle, **words
            )
    square = dict(constrain="domain", constraintoward="bottom")  # in a narrower page smaller tiles
    figure.update_xaxes(visible=False, range=[-0.5, width - 0.5], matches="x", constrain="domain")
    figure.update_yaxes(visible=False, range=[height - 0.5, -0.5], matches="y", **square)
    figure.update_yaxes(scaleanchor="x", row=1, col=1)
    margin = dict(l=10, r=10, t=TOP, b=10)
    figure.update_layout(template=TEMPLATE, title=dict(text=title), margin=margin, dragmode="zoom", hovermode=False)
    return figure.update_layout(height=round(whole) + TOP + 10)


def _image(tile: Tile) -> go.Image:
    pixels = (255 * tile.pixels.clamp(0, 1)).round().byte().permute(1, 2, 0).numpy()
    image = Image.fromarray(pixels)
    # JPEG for large ones: noise is what PNG cannot make smaller.
    exact = max(image.size) <= SMALL
    source = data_uri(image, "PNG", optimize=True) if exact else data_uri(image, "JPEG", quality=75, subsampling=0)
    return go.Image(source=source, zsmooth=False, hoverinfo="skip", meta=dict(name=tile.name, told=tile.told))

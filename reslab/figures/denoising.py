"""How well nets denoise: over training, and by how strong the noise is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..runs import Run
from ..training.config import RunConfig
from .denoisers import CLASSICAL, NOISY, denoiser_looks, denoising_nets, sigma_label
from .inside import Look, framed, subtitled
from .nets import Net, how_many, what
from .style import FAINT, faded, message

MEASURES = {"psnr": "PSNR (dB)", "ssim": "SSIM"}
FORMATS = {"psnr": ".2f", "ssim": ".3f"}
UNITS = {"psnr": " dB", "ssim": ""}


def denoising_curves(runs: Iterable[Run], beside: Mapping[str, Mapping[str, float]] | None = None) -> go.Figure:
    """PSNR and SSIM on held-out pictures over training, the higher the better: for each net the mean over seeds, and a
    band of ± 1 standard deviation.

    The mean is over the finished seeds or, while none is, over all; what that leaves out is drawn as thin lines, one a
    run. `beside` are dashed lines for what is not trained, such as {"non-local means": {"psnr": 27.1, "ssim": 0.81}}.
    The axes leave out what the first log point has below all others: where a net begins is no news.
    """
    nets = denoising_nets(runs)
    if not nets:
        return message("No log point yet: the curves appear as soon as a run has written its first.")
    beside = dict(beside or {})
    figure = make_subplots(1, 2, horizontal_spacing=0.12, subplot_titles=list(MEASURES.values()))
    for column, measure in enumerate(MEASURES, 1):
        for net, look in nets:
            figure.add_traces(_curve(net, look, measure), rows=1, cols=column)
        end = max(net.config.iterations for net, _ in nets)
        for name, values in beside.items():
            figure.add_trace(_level(name, values[measure], end, measure), row=1, col=column)
        figure.update_yaxes(range=_span([net for net, _ in nets], beside.values(), measure), row=1, col=column)
    figure.update_xaxes(title="iteration", range=[0, end], showgrid=False, tickformat="~s" if end >= 10_000 else None)
    counts = [len(net.counted) for net, _ in nets]
    told = how_many(counts) + (", band: ± 1 std" if max(counts) > 1 else "")
    running = sum(not seed.finished for net, _ in nets for seed in net.seeds)
    told += f" · {running} of {sum(len(net.seeds) for net, _ in nets)} runs not finished" * (running > 0)
    ends = [f"{look.label}: {net.mean('psnr')[-1]:.2f}" for net, look in nets]
    title = f"Denoising, {what([net for net, _ in nets])}{_trained_at([net for net, _ in nets])}"
    labels = [look.label for _, look in nets] + list(beside)
    framed(figure, title, f"{told} · PSNR in dB {'so far' if running else 'at the end'}", ends, labels, 520)
    return subtitled(figure.update_layout(hovermode="x unified" if not running else "closest"))


def _trained_at(nets: Sequence[Net]) -> str:
    """The noise, where it is one for all; else each net's name tells its own."""
    sigmas = {sigma_label(net.config) for net in nets}
    return f", {sigmas.pop()}" if len(sigmas) == 1 else ""


def _curve(net: Net, look: Look, measure: str) -> list[go.Scatter]:
    across, mean, std = net.mean("iteration"), net.mean(measure), net.std(measure)
    form, unit, n = FORMATS[measure], UNITS[measure], len(net.counted)
    quiet = dict(legendgroup=look.label, showlegend=False, hoverinfo="skip")
    traces = []
    if std is not None:
        traces.append(
            go.Scatter(
                x=np.concatenate([across, across[::-1]]),
                y=np.concatenate([mean + std, (mean - std)[::-1]]),
                fill="toself",
                fillcolor=faded(look.colour, 0.2),
                mode="lines",
                line=dict(width=0),
                **quiet,
                meta=dict(net=look.label, kind="band", what=measure),
            )
        )
    text = f"%{{y:{form}}}{unit}" if std is None else f"%{{y:{form}}} ± %{{customdata:{form}}}{unit} (n = {n})"
    traces.append(
        go.Scatter(
            x=across,
            y=mean,
            customdata=std,
            mode="lines+markers" if look.dash == "solid" else "lines",
            line=dict(color=look.colour, width=3, dash=look.dash),
            marker=dict(size=6),
            name=look.label,
            legendgroup=look.label,
            showlegend=measure == "psnr",
            hovertemplate=f"{text}<extra>{look.label}</extra>",
            meta=dict(net=look.label, kind="mean", what=measure),
        )
    )
    for part in net.parts:
        line = dict(color=look.colour, width=1.5, dash=look.dash)
        meta = dict(net=look.label, kind="seed", what=measure)
        told = f"%{{y:{form}}}{unit}<extra>{look.label}, seed {part.seed}</extra>"
        style = dict(mode="lines+markers", line=line, marker=dict(size=4), hovertemplate=told)
        style |= dict(legendgroup=look.label, showlegend=False)
        traces.append(go.Scatter(x=part.columns["iteration"], y=part.columns[measure], **style, meta=meta))
    return traces


def _level(name: str, value: float, end: float, measure: str) -> go.Scatter:
    return go.Scatter(
        x=[0, end],
        y=[value, value],
        mode="lines",
        line=dict(color=CLASSICAL, width=2, dash="6px,4px"),
        name=name,
        legendgroup=name,
        showlegend=measure == "psnr",
        hovertemplate=f"%{{y:{FORMATS[measure]}}}{UNITS[measure]}<extra>{name}</extra>",
        meta=dict(net=name, kind="beside", what=measure),
    )


def _span(nets: Sequence[Net], beside: Iterable[Mapping[str, float]], measure: str) -> list[float]:
    """From the least to the most, without each seed's first log point where there are others, and some room."""
    values = [value for net in nets for seed in net.seeds for value in seed.columns[measure][1:]]
    values = values or [value for net in nets for seed in net.seeds for value in seed.columns[measure]]
    values = [*values, *(level[measure] for level in beside)]
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    return [low - room, high + room]


@dataclass(frozen=True)
class _Line:
    """A method's PSNR, in dB, at each sigma: one a seed."""

    label: str
    colour: str
    dash: str
    levels: Mapping[float, Sequence[float]]


def noise_levels(
    scores: Mapping[RunConfig | str, Mapping[float, Sequence[float]]], noisy: Mapping[float, float]
) -> go.Figure:
    """PSNR by the noise's standard deviation sigma (of 255): at the left as it is, at the right what is gained over the
    noisy picture, whose PSNR at each sigma is `noisy`. Below 0, leaving the picture alone would be better.

    `scores` has for each net (its config, whatever the seed) or other method (its name) the PSNR at each sigma, one a
    seed: a line is the mean, with bars of ± 1 standard deviation where there are several.
    """
    if not scores:
        return message("No scores yet: measure some, with reslab.denoising.looking.scores.")
    nets = denoiser_looks([key for key in scores if isinstance(key, RunConfig)])
    lines = [_Line(look.label, look.colour, look.dash, scores[config]) for config, look in nets.items()]
    lines += [_Line(name, CLASSICAL, "6px,4px", scores[name]) for name in scores if isinstance(name, str)]
    lines += [_Line("noisy picture", NOISY, "dot", {sigma: [value] for sigma, value in noisy.items()})]
    titles = ["PSNR (dB)", "gained over the noisy picture (dB)"]
    figure = make_subplots(1, 2, horizontal_spacing=0.12, subplot_titles=titles)
    for line in lines:
        figure.add_trace(_by_sigma(line, dict.fromkeys(noisy, 0.0), "psnr"), row=1, col=1)
        figure.add_trace(_by_sigma(line, noisy, "gain"), row=1, col=2)
    for sigma in sorted({config.sigma[0] for config in nets if config.sigma[0] == config.sigma[1]}):
        figure.add_vline(sigma, line=dict(color=FAINT, width=1, dash="dot"), layer="below")
    counts = [len(values) for config in nets for values in scores[config].values()] or [1]
    told = how_many(counts) + (", bars: ± 1 std" if max(counts) > 1 else "")
    weakest = min(noisy)
    gained = [f"{np.mean(line.levels[weakest]) - noisy[weakest]:+.1f}".replace("-", "−") for line in lines[:-1]]
    gains = [f"{line.label}: {gain}" for line, gain in zip(lines, gained, strict=False)]
    labels = [line.label for line in lines]
    framed(
        figure, "Denoising, by the strength of the noise", f"{told} · dB gained at σ = {weakest:g}", gains, labels, 520
    )
    figure.update_xaxes(title="σ of the noise, of 255", showgrid=False, tickvals=list(noisy))
    return subtitled(figure)


def _by_sigma(line: _Line, base: Mapping[float, float], kind: str) -> go.Scatter:
    means = [np.mean(values) - base[sigma] for sigma, values in line.levels.items()]
    several = max(map(len, line.levels.values())) > 1
    spread = [np.std(values, ddof=1) if len(values) > 1 else 0.0 for values in line.levels.values()] * several
    told, faint = " ± %{customdata:.2f}" * several, line.dash == "dot"
    return go.Scatter(
        x=list(line.levels),
        y=means,
        customdata=spread or None,
        error_y=dict(array=spread, thickness=2, width=5) if several else None,
        mode="lines+markers",
        line=dict(color=line.colour, width=2 if faint else 3, dash=line.dash),
        marker=dict(size=1 if faint else 7),
        name=line.label,
        legendgroup=line.label,
        showlegend=kind == "psnr",
        hovertemplate=f"{line.label}, σ = %{{x}}: %{{y:.2f}}{told} dB<extra></extra>",
        meta=dict(net=line.label, kind=kind),
    )

"""Error curves, as the paper's figure 6 draws them."""

from collections.abc import Iterable

import numpy as np
import plotly.graph_objects as go

from ..runs import Run
from .axes import SCALES, Scale, apart, smoothed
from .nets import Net, how_many, nets_of, what
from .published import published
from .style import FAINT, INK, TEMPLATE, faded, headline, message, mix

HEIGHT = 560  # pixels; set here and not in the template, whose height front ends overrule
AXES = {"iteration": "iteration", "epoch": "epoch", "seconds": "training time (seconds)"}
TRAINING, TEST = dict(width=1.8, dash="6px,4px"), dict(width=3.2, dash="solid")
STRIP = 0.045  # width of the published values, right of the last iteration, as a share of the axis
HALO = ", ".join(["0 0 3px white"] * 4)  # around a name that comes to lie on another curve
ROOM, LEAST_ROOM = 790, 200  # pixels for the legend in a notebook, less what the names take, and at least
LETTER = 9  # pixels, of a name at a curve's end
MOST_NAMES = 8  # curves that are named at their end; with more, the legend has to do


def error_curves(runs: Iterable[Run], x: str = "iteration", y: str = "linear", smoothing: float = 0.0) -> go.Figure:
    """Training error dashed, test error bold, one colour a net, as figure 6 of He et al. 2015; `x` is one of AXES, `y`
    one of SCALES.

    Several seeds of a net are a mean line and a band of ± 1 standard deviation. The mean is over the finished seeds,
    or, while none is, over all of them as far as all have come; whatever that leaves out is drawn as thin lines, one a
    run, so that a live run shows from its first log point on. Paper-profile runs on CIFAR-10 have published values
    beside them. `smoothing`, at least 0 and below 1, is the weight of the past in a moving average over log points,
    drawn over what was measured; names and final numbers stay what was measured. Raises ValueError for an unknown `x`
    or `y` and a smoothing that is not possible.
    """
    for name, value, allowed in (("x", x, AXES), ("y", y, SCALES)):
        if value not in allowed:
            raise ValueError(f"{name}={value!r} is not possible; allowed: {', '.join(allowed)}")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing={smoothing!r} is not possible; allowed: at least 0 and below 1")
    nets = nets_of(runs)
    if not nets:
        return message("No log point yet: the curves appear as soon as a run has written its first.")
    end, scale = max(_end(net, x) for net in nets), Scale.of(nets, y)
    figure = go.Figure(layout=_layout(nets, x, end, scale, smoothing))
    for net in nets:
        figure.add_traces(_bands(net, x, smoothing))
    for net in nets:
        figure.add_traces([*_parts(net, x, smoothing), *_lines(net, x, smoothing), *_published(net, end, x)])
    if len(nets) <= MOST_NAMES:
        figure.add_traces(_names(nets, x, end, scale))
    figure.add_traces(_key(nets))
    if x != "seconds":
        for drop in sorted({_at(net, drop, x) for net in nets for drop in _lr_drops(net)}):
            figure.add_vline(drop, line=dict(color="#b3b9c2", width=1), layer="below")
            label = dict(text="lr ÷ 10", font=dict(size=15, color=FAINT), showarrow=False, xanchor="left", xshift=3)
            figure.add_annotation(x=drop, y=1, yref="paper", yanchor="top", **label)
    return figure


def _lr_drops(net: Net) -> set[int]:
    """The iterations at which the learning rate is divided by 10: as planned or, at plateaus, as recorded."""
    if not net.config.lr_plateau:
        return set(net.config.lr_drops)
    drops = set()
    for seed in net.seeds:
        lr = seed.columns["lr"]
        drops |= {int(i) for i in seed.iterations[:-1][lr[1:] < lr[:-1] / 5]}  # only a warm-up changes it otherwise
    return drops


def _at(net: Net, iteration: int, x: str) -> float:
    return iteration / net.config.batches_per_epoch if x == "epoch" else iteration


def _end(net: Net, x: str) -> float:
    """Where the net's axis ends: at its last iteration to come, so that a live curve grows into a still picture."""
    if x == "seconds":
        return max(seed.columns["seconds"][-1] for seed in net.seeds)
    return _at(net, net.config.iterations, x)


def _layout(nets: list[Net], x: str, end: float, scale: Scale, smoothing: float) -> dict:
    counts = [len(net.counted) for net in nets]
    several = "where n > 1" if min(counts) == 1 else ""
    rest = how_many(counts) + (f", band: ± 1 std {several}".rstrip() if max(counts) > 1 else "")
    total, running = sum(len(net.seeds) for net in nets), sum(not s.finished for net in nets for s in net.seeds)
    rest += f" · {running} of {total} runs not finished" if running else ""
    strip = x != "seconds" and any(published(net.config) for net in nets)
    rest += " · bars at the right: published" if strip else ""
    rest += f" · smoothed ({smoothing:g})" if smoothing else ""
    names = max(len(_name(net)) for net in nets) if len(nets) <= MOST_NAMES else 0
    digits = {"iteration": ",d", "epoch": ".1f", "seconds": ",.0f"}[x]
    return dict(
        template=TEMPLATE,
        title=dict(text=headline(what(nets), rest)),
        xaxis=dict(
            title=AXES[x],
            range=[0, end * (1 + STRIP if strip else 1)],
            tickformat="~s" if end >= 10_000 else None,
            hoverformat=digits,
            showgrid=False,
            unifiedhovertitle=dict(text=f"<b>{x} %{{x:{digits}}}</b>"),
        ),
        yaxis=dict(title="error (%)", **scale.axis),
        hovermode="closest" if x == "seconds" else "x unified",
        **_legend(nets, names),
        uirevision=f"{x} {scale.kind}",  # a zoom survives the next log point
    )


def _legend(nets: list[Net], names: int) -> dict:
    """Above the curves, in as many rows as it takes; at the right where names at the curves' ends (of so many letters)
    would be too many.
    """
    if len(nets) > MOST_NAMES:
        return dict(legend=dict(x=1.01, xanchor="left", y=1, yanchor="top"), margin=dict(r=20), height=HEIGHT)
    room = max(LEAST_ROOM, ROOM - LETTER * names)
    rows, used = 1, 0
    for letters in (*(len(net.label) for net in nets), len("training error"), len("test error")):
        wide = 60 + 8 * letters  # pixels, about
        rows, used = (rows, used + wide) if used + wide <= room else (rows + 1, wide)
    place = dict(orientation="h", x=0, xanchor="left", y=1.02, yanchor="bottom")
    margin, height = dict(r=30 + LETTER * names, t=100 + 20 * rows), HEIGHT + 20 * max(rows - 2, 0)
    return dict(legend=place, margin=margin, height=height)


def _line(net: Net, kind: str, x: np.ndarray, y: np.ndarray, **settings) -> go.Scatter:
    # A line through one point is invisible, and a run's first log point should not be.
    mode, symbol = "lines" if len(x) > 1 else "lines+markers", "circle-open" if kind.startswith("train") else "circle"
    settings = dict(mode=mode, marker_symbol=symbol, legendgroup=net.label, showlegend=False) | settings
    return go.Scatter(x=x, y=y, meta=dict(net=net.label, kind=kind), **settings)


def _bands(net: Net, x: str, smoothing: float) -> list[go.Scatter]:
    """mean ± std over seeds, as a filled outline that does not answer to the mouse."""
    bands = []
    for kind, opacity in (("train", 0.13), ("test", 0.24)):
        std = net.std(f"{kind}_error")
        if std is not None:
            across, mean = net.mean(x), smoothed(net.mean(f"{kind}_error"), smoothing)
            std = smoothed(std, smoothing)
            outline = dict(fill="toself", fillcolor=faded(net.colour, opacity), mode="lines", line_width=0)
            around = np.concatenate([across, across[::-1]]), np.concatenate([mean + std, (mean - std)[::-1]])
            bands.append(_line(net, f"{kind} band", *around, **outline, hoverinfo="skip"))
    return bands


def _lines(net: Net, x: str, smoothing: float) -> list[go.Scatter]:
    """The mean over seeds, under it what was measured if it is smoothed. The test error has the legend's entry."""
    n, lines = len(net.counted), []
    for kind, name, style in (("train", "training", TRAINING), ("test", net.held_out, TEST)):
        std, mean = net.std(f"{kind}_error"), net.mean(f"{kind}_error")
        if smoothing:
            pale = dict(color=faded(net.colour, 0.3), dash=style["dash"], width=1)
            lines.append(_line(net, f"{kind} measured", net.mean(x), mean, line=pale, hoverinfo="skip"))
        text = "%{y:.2f} %" if std is None else f"%{{y:.2f}} ± %{{customdata:.2f}} % (n = {n})"
        lines.append(
            _line(
                net,
                kind,
                net.mean(x),
                smoothed(mean, smoothing),
                customdata=std,
                hovertemplate=f"{text}<extra>{net.label}, {name}</extra>",
                line=dict(color=net.colour, **style),
                name=net.label,
                showlegend=kind == "test",
            )
        )
    return lines


def _parts(net: Net, x: str, smoothing: float) -> list[go.Scatter]:
    """Thin lines, one a run, for what is in no mean."""
    lines = []
    for part in net.parts:
        for kind, name, style in (("train", "training", TRAINING), ("test", net.held_out, TEST)):
            lines.append(
                _line(
                    net,
                    f"{kind} seed",
                    part.columns[x],
                    smoothed(part.columns[f"{kind}_error"], smoothing),
                    hovertemplate=f"%{{y:.2f}} %<extra>{net.label}, {name}, seed {part.seed}</extra>",
                    line=dict(color=net.colour, dash=style["dash"], width=style["width"] / 2),
                )
            )
    return lines


def _published(net: Net, end: float, x: str) -> list[go.Bar | go.Scatter]:
    """The test error to expect as a light bar right of the last iteration, the paper's own value as a bold tick."""
    values = published(net.config)
    if values is None or x == "seconds":
        return []
    here, traces = end * (1 + STRIP / 2), []
    common = dict(x=[here], legendgroup=net.label, showlegend=False, meta=dict(net=net.label, kind="published"))
    if values.expected:
        low, high = values.expected
        text = f"{low:.1f}–{high:.1f} %<br>{values.source}<extra>{net.label}, test, to expect</extra>"
        look = dict(marker=dict(color=faded(net.colour, 0.3), line=dict(color=net.colour, width=1)))
        traces.append(
            go.Bar(y=[high - low], base=[low], width=[end * STRIP * 0.8], hovertemplate=text, **look, **common)
        )
    # A tick for the paper's own value, unless the bar has said it, and a thin one for the training error.
    for value, width, text, said in (
        (values.paper, 3, f"test, {values.table}", values.expected),
        (values.training, 1.5, "training, independent, 1 source", None),
    ):
        if value is not None:
            look = dict(
                mode="markers", marker=dict(symbol="line-ew", size=24, line=dict(color=net.colour, width=width))
            )
            hover = dict(hovertemplate=f"%{{y:.2f}} %<extra>{net.label}, {text}</extra>")
            traces.append(go.Scatter(y=[value], **look, **(dict(hoverinfo="skip") if said else hover), **common))
    return traces


def _name(net: Net) -> str:
    """The net and its last mean test error, which it has not while seeds on their way end at different places."""
    return net.label + ("" if net.parts else f"  {net.mean('test_error')[-1]:.2f}")


def _names(nets: list[Net], x: str, end: float, scale: Scale) -> list[go.Scatter]:
    """The name at each curve's end, in its colour: nobody in a room of forty matches lines with a legend."""
    strip = x != "seconds" and any(published(net.config) for net in nets)
    ends = []
    for net in nets:
        last = max(net.counted, key=lambda seed: len(seed.iterations)).columns
        whole = len(last["iteration"]) == len(net.common)
        ends.append([net.mean(name)[-1] if whole else last[name][-1] for name in (x, "test_error")])
    heights = [scale.value(share) for share in apart([scale.share(y) for _, y in ends], gap=0.065, top=1.0)]
    traces = []
    for net, (across, _), height in zip(nets, ends, heights, strict=True):
        at = end * (1 + STRIP) if strip and across >= 0.99 * end else across
        look = dict(mode="text", text=[f" {_name(net)}"], textposition="middle right", cliponaxis=False)
        font = dict(color=mix(net.colour, "#000000", 0.2), size=16, weight=600, shadow=HALO)
        traces.append(_line(net, "name", [at], [height], **look, textfont=font, hoverinfo="skip"))
    return traces


def _key(nets: list[Net]) -> list[go.Scatter]:
    """Legend entries that say what dashed and bold mean."""
    held_out = " / ".join(sorted({net.held_out for net in nets}))
    return [
        go.Scatter(x=[None], y=[None], mode="lines", name=name, line=dict(color=INK, **style), meta=dict(kind="key"))
        for name, style in (("training error", TRAINING), (f"{held_out} error", TEST))
    ]

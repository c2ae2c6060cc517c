"""What nets lose with their blocks, as figures 3 and 5 of Veit et al. 2016 draw it."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..probes.damage import Damage
from ..probes.lesions import SingleLesions
from .axes import apart
from .inside import Key, Look, looks
from .style import FAINT, INK, TEMPLATE, faded, headline, message

ROW = 300  # of a group of nets, pixels
GAP = 9  # between two numbers at the right, percent
GRAPHS = {"deleted": "blocks deleted at random", "order": "order of the blocks: Kendall's τ (1: as trained)"}
BESIDE = dict(x=1.005, xref="x domain", xanchor="left", showarrow=False)  # right of a panel
ERROR = dict(title="error (%)", range=[0, 104], tickvals=[0, 20, 40, 60, 80, 100])


def lesion_bars(nets: Mapping[Key, SingleLesions]) -> go.Figure:
    """The error after deleting each single block, a bar a block: nets with the same blocks side by side, others below.

    A dashed line is the error of the whole net, the dotted one guessing; the blocks that begin a stage, and change the
    shape, are hatched: Veit et al. 2016, figure 3, has its peaks there.
    """
    if not nets:
        return message("No lesions yet: measure some, with reslab.probes.single_lesions.")
    rows: dict[tuple[str, ...], list[tuple[Look, SingleLesions]]] = {}
    for look, net in zip(looks(list(nets)), nets.values(), strict=True):
        rows.setdefault(tuple(block.name for block in net.blocks), []).append((look, net))
    figure = make_subplots(len(rows), 1, vertical_spacing=min(0.16, 0.5 / len(rows)))
    for row, (blocks, members) in enumerate(rows.items(), 1):
        for look, net in members:
            figure.add_trace(_bars(look, net), row=row, col=1)
        chance = members[0][1].chance
        *heights, _ = apart([*(net.error for _, net in members), chance], GAP, 100)
        for (look, net), height in zip(members, heights, strict=True):
            whole = dict(color=look.colour, width=2, dash="dash")
            figure.add_hline(net.error, line=whole, layer="above", row=row, col=1)
            told = dict(text=f"{net.error:.1f} %", font=dict(size=15, color=look.colour))
            figure.add_annotation(y=height, **told, **BESIDE, row=row, col=1)
        _guessing(figure, chance, row, 1)
        _stages(figure, blocks, row)
        figure.update_xaxes(range=[0.4, len(blocks) + 0.6], showgrid=False, row=row, col=1)
    rest = "top-1 error · hatched: first block of a stage, where the shape changes · dashed: nothing deleted"
    figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline("One block deleted", rest)),
        height=150 + ROW * len(rows),
        barmode="group",
        bargap=0.25,
        bargroupgap=0,
        legend=dict(orientation="h", x=0, xanchor="left", y=1.02 + 0.06 / len(rows), yanchor="bottom"),
        margin=dict(t=130, r=85, b=60),
    )
    return figure.update_xaxes(title="the block that is gone", row=len(rows)).update_yaxes(**ERROR)


def _bars(look: Look, net: SingleLesions) -> go.Bar:
    hatched = ["/" if entry else "" for entry in entries([block.name for block in net.blocks])]
    return go.Bar(
        x=list(range(1, len(net.blocks) + 1)),
        y=[block.error for block in net.blocks],
        name=look.label,
        marker=dict(
            color=look.colour,
            pattern=dict(
                shape=hatched, fgcolor=look.colour, bgcolor=faded(look.colour, 0.35), fillmode="replace", size=6
            ),
            line=dict(width=0),
        ),
        customdata=[block.name for block in net.blocks],
        hovertemplate=f"{look.label} without %{{customdata}}: %{{y:.1f}} %<extra></extra>",
        meta=dict(net=look.label, kind="single"),
    )


def entries(blocks: Sequence[str]) -> list[bool]:
    """Whether each block, by its name, is the first of a later stage: there height and width are halved."""
    return [i > 0 and name.endswith(".block1") for i, name in enumerate(blocks)]


def _stages(figure: go.Figure, blocks: Sequence[str], row: int) -> None:
    """Where the stages begin, and their names."""
    for place, name in enumerate(blocks, 1):
        if name.endswith(".block1"):
            line = dict(line=dict(color=FAINT, width=1, dash="dot"), opacity=0.6) if place > 1 else dict(line_width=0)
            note = dict(annotation_text=name.partition(".")[0], annotation_position="top right", annotation_y=1.0)
            figure.add_vline(x=place - 0.5, **line, **note, annotation_yshift=22, row=row, col=1)


def _guessing(figure: go.Figure, chance: float, row: int, column: int) -> None:
    figure.add_hline(chance, line=dict(color=INK, width=1.5, dash="dot"), row=row, col=column)
    note = dict(text="guessing", font=dict(size=15, color=FAINT))
    figure.add_annotation(y=chance, **note, **BESIDE, row=row, col=column)


def lesion_curves(
    deleted: Mapping[Key, Sequence[Damage]],
    reordered: Mapping[Key, Sequence[Damage]] | None = None,
    chance: float = 90.0,
) -> go.Figure:
    """The error against the number of deleted blocks and, with `reordered`, beside it against the order that is left.

    They hold what `random_lesions` and `reorderings` found. A dot is one draw, the line the mean over the draws, the
    band around it one standard deviation. `chance` is the error of guessing in percent. Veit et al. 2016, figure 5.
    Nets that have nothing to swap may be missing in `reordered`.
    """
    if not deleted:
        return message("No lesions yet: measure some, with reslab.probes.random_lesions.")
    shown = dict(zip(deleted, looks(list(deleted)), strict=True))
    graphs = {"deleted": deleted} | ({"order": reordered} if reordered else {})
    figure = make_subplots(1, len(graphs), shared_yaxes=True, horizontal_spacing=0.1)
    for column, (graph, nets) in enumerate(graphs.items(), 1):
        for key, damages in nets.items():
            figure.add_traces(_curve(shown[key], damages, graph), rows=1, cols=column)
        figure.update_xaxes(title=GRAPHS[graph], row=1, col=column)
        _guessing(figure, chance, 1, column)
    if reordered:
        figure.update_xaxes(autorange="reversed", row=1, col=2)  # damage grows to the right
    draws = max(len(damage.errors) for damages in deleted.values() for damage in damages)
    figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline("Many blocks deleted, or swapped", f"mean ± std and each of {draws} random draws")),
        height=460,
        margin=dict(r=85),
        legend=dict(orientation="h", x=0, xanchor="left", y=1.02, yanchor="bottom"),
        hovermode="closest",
    )
    return figure.update_yaxes(**ERROR).update_yaxes(title="", col=2)


def _curve(look: Look, damages: Sequence[Damage], graph: str) -> list[go.Scatter]:
    name, colour = look.label, look.colour
    across = np.array([damage.count if graph == "deleted" else damage.tau for damage in damages], dtype=float)
    mean, spread = (np.array([getattr(damage, what) for damage in damages]) for what in ("error", "spread"))
    low, high = (mean - spread).clip(min=0), (mean + spread).clip(max=100)
    each = [(x, error) for x, damage in zip(across, damages, strict=True) for error in damage.errors]
    if graph == "order":
        each = [pair for damage in damages for pair in zip(damage.taus, damage.errors, strict=True)]
    told = "%{customdata} deleted" if graph == "deleted" else "%{customdata} pairs swapped, τ = %{x:.2f}"
    same = dict(legendgroup=name, showlegend=False, hoverinfo="skip")
    band = [
        go.Scatter(
            x=np.concatenate([across, across[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            fill="toself",
            fillcolor=faded(colour, 0.18),
            mode="lines",
            line=dict(width=0),
            **same,
            meta=dict(net=name, kind="band", graph=graph),
        )
    ]
    return [
        *(band if graph == "deleted" else ()),  # as many swaps leave other orders each time
        go.Scatter(
            x=[x for x, _ in each],
            y=[error for _, error in each],
            mode="markers",
            marker=dict(color=faded(colour, 0.5), size=6),
            **same,
            meta=dict(net=name, kind="draws", graph=graph),
        ),
        go.Scatter(
            x=across,
            y=mean,
            mode="lines+markers",
            line=dict(color=colour, width=3),
            marker=dict(size=8),
            name=name,
            legendgroup=name,
            showlegend=graph == "deleted",
            customdata=[damage.count for damage in damages],
            hovertemplate=f"{name}, {told}: %{{y:.1f}} %<extra></extra>",
            meta=dict(net=name, kind="mean", graph=graph),
        ),
    ]

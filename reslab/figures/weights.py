"""What the two blocks weigh, over the number of channels."""

import plotly.graph_objects as go

from ..nets.pair import block_pair
from .style import INK, TEMPLATE, headline

BASIC, BOTTLENECK = "#3d2b7a", "#c78a2c"  # no net's colours: here a colour is a kind of block
COUNTS = (16, 32, 64, 128, 256, 512, 1024, 2048)


def block_weights(outer: int = 256, inner: int = 64) -> go.Figure:
    """Weights of the convolutions of a basic block of `outer` channels, and of a bottleneck with `inner` channels
    inside, counted on the modules. The lines keep the share of inner channels; both axes are logarithmic.

    Raises ValueError where `outer` is no multiple of `inner`.
    """
    chosen, reduction = block_pair(outer, inner), outer // inner
    counts = sorted({*(count for count in COUNTS if count >= reduction and count % reduction == 0), outer})
    pairs = [block_pair(count, count // reduction) for count in counts]
    figure = go.Figure()
    kinds = (("basic block", BASIC, "top left"), ("bottleneck", BOTTLENECK, "bottom right"))
    for i, (name, colour, side) in enumerate(kinds):
        figure.add_scatter(
            x=counts,
            y=[pair.weights[i] for pair in pairs],
            mode="lines",
            line=dict(color=colour, width=3),
            name=name,
            hovertemplate=f"{name}, %{{x:,}} channels: %{{y:,}} weights<extra></extra>",
            meta=dict(kind="line"),
        )
        figure.add_scatter(
            x=[outer],
            y=[chosen.weights[i]],
            mode="markers+text",
            marker=dict(size=15, color=colour, line=dict(color="white", width=2)),
            text=[f" {chosen.weights[i]:,} "],
            textposition=side,
            textfont=dict(size=17, color=INK),
            cliponaxis=False,
            showlegend=False,
            hoverinfo="skip",
            meta=dict(kind="chosen"),
        )
    figure.add_shape(
        type="line", x0=outer, x1=outer, y0=chosen.weights[0], y1=chosen.weights[1], line=dict(color=INK, dash="dot")
    )
    rest = f"{outer:,} channels, {inner:,} inside the bottleneck: {chosen.weights[0]:,} weights against "
    rest += f"{chosen.weights[1]:,}, a factor of {chosen.factor:.2f}"
    figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline("Weights of the two blocks", rest)),
        height=480,
        legend=dict(x=0.02, xanchor="left", y=0.98, yanchor="top"),
        margin=dict(l=130),
        uirevision="weights",
    )
    figure.update_xaxes(type="log", title="channels of x", tickvals=COUNTS, ticktext=COUNTS, range=[1.1, 3.6])
    ticks = [10**power for power in range(2, 9)]
    return figure.update_yaxes(
        type="log", title="weights", tickvals=ticks, ticktext=[f"{tick:,}" for tick in ticks], range=[2.2, 8.2]
    )

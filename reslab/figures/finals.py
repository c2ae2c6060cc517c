"""Training against test error at the end: is it overfitting?"""

from collections.abc import Iterable

import plotly.graph_objects as go

from ..runs import Run
from .nets import Net, how_many, nets_of, what
from .style import INK, TEMPLATE, faded, headline, message

SIZE = 17  # of the dots, pixels
APART = 0.12  # of a row, up and down: neither dot hides the other where they agree
ROW = 92  # of a net, pixels


def final_errors(runs: Iterable[Run]) -> go.Figure:
    """Training (hollow) and test error (filled) of each net at its final iteration: mean ± std over seeds.

    Overfitting would be a deeper net with a lower training error and a higher test error; degradation is higher in
    both (He et al. 2015, section 1). Runs that are not at their final iteration are left out; the title says how many.
    """
    nets = nets_of(runs)
    done = [net for net in nets if net.finished]
    running = sum(len(net.seeds) - len(net.finished) for net in nets)
    if not done:
        return message("No run has reached its final iteration yet: final errors are read there and nowhere else.")
    counts = [len(net.finished) for net in done]
    rest = "final iteration, " + how_many(counts) + (", mean ± 1 std" if max(counts) > 1 else "")
    rest += f" · {running} unfinished run{'s' * (running > 1)} left out" if running else ""
    figure = go.Figure(layout=_layout(done, headline(what(done), rest)))
    for place, net in enumerate(done):
        figure.add_traces(_dots(net, place))
    held_out = " / ".join(sorted({net.held_out for net in done}))
    for name, fill in (("training error", "white"), (f"{held_out} error", INK)):
        marker = dict(size=SIZE - 3, color=fill, line=dict(color=INK, width=3))
        figure.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=marker, meta=dict(kind="key"))
    return figure


def _layout(nets: list[Net], title: str) -> dict:
    highest = max(net.final(name).max() for net in nets for name in ("train_error", "test_error"))
    places = list(range(len(nets)))
    return dict(
        template=TEMPLATE,
        title=dict(text=title),
        height=190 + ROW * max(len(nets), 2),  # room for the title above a single net too
        xaxis=dict(title="error (%)", range=[-0.02 * highest, 1.1 * highest]),
        yaxis=dict(
            tickvals=places,
            ticktext=[f"<b>{net.label}</b>  " for net in nets],
            tickfont=dict(size=17),
            range=[len(nets) - 0.4, -0.6],  # first net on top
            automargin=True,
            ticks="",
            showgrid=False,
        ),
        legend=dict(orientation="h", x=0, xanchor="left", y=1.02, yanchor="bottom"),
        hovermode="closest",
    )


def _dots(net: Net, place: int) -> list[go.Scatter]:
    train, test = net.final("train_error"), net.final("test_error")
    link = dict(color=faded(net.colour, 0.35), width=6)
    ends = [train.mean(), test.mean()]
    quiet = dict(mode="lines", showlegend=False, hoverinfo="skip", meta=dict(net=net.label, kind="link"))
    traces = [go.Scatter(x=ends, y=[place + APART, place - APART], line=link, **quiet)]
    # The values go to opposite sides of the row: they stay readable where training and test error are nearly the same.
    for kind, name, values, fill, side, offset in (
        ("train", "training", train, "white", "bottom center", APART),
        ("test", net.held_out, test, net.colour, "top center", -APART),
    ):
        n, several = len(values), len(values) > 1
        spread = f" ± {values.std(ddof=1):.2f}" if several else ""
        traces.append(
            go.Scatter(
                x=[values.mean()],
                y=[place + offset],
                error_x=dict(array=[values.std(ddof=1)], color=net.colour, thickness=2.5, width=8) if several else None,
                mode="markers+text",
                marker=dict(size=SIZE, color=fill, line=dict(color=net.colour, width=3.5)),
                text=[f"{name} {values.mean():.2f}"],
                textposition=side,
                textfont=dict(size=15, color=INK),
                cliponaxis=False,
                hovertemplate=f"{net.label}, {name}: %{{x:.2f}}{spread} % (n = {n})<extra></extra>",
                showlegend=False,
                meta=dict(net=net.label, kind=kind),
            )
        )
    return traces

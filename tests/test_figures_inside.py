"""The figures of what goes on inside nets: what they draw is what they were given."""

import math

import pytest

from reslab import RunConfig
from reslab.figures import correlation_curves, net_colour, path_shares, response_curves, signal_curves, signal_history
from reslab.probes import Correlation, PathShare, Response, Signal, brown

PLAIN, RESIDUAL = (RunConfig(depth=56, shortcut=shortcut, profile="smoke") for shortcut in ("none", "A"))
LAYERS = ("stem.conv", "stage1.block1.conv1", "stage1.block1.conv2")


def of(figure, **meta) -> list:
    return [trace for trace in figure.data if trace.meta and meta.items() <= trace.meta.items()]


def test_responses_are_drawn_in_order_and_sorted_downwards():
    stds = dict(plain=(0.5, 2.0, 1.0), residual=(0.4, 0.1, 0.9))
    nets = {
        config: [Response(name, std) for name, std in zip(LAYERS, its, strict=True)]
        for config, its in zip((PLAIN, RESIDUAL), stds.values(), strict=True)
    }
    figure = response_curves(nets)
    above, below = of(figure, net="plain-56")
    assert list(above.x) == [1, 2, 3] and list(above.y) == [0.5, 2.0, 1.0] and list(above.customdata) == list(LAYERS)
    assert list(below.y) == [2.0, 1.0, 0.5] and below.customdata[0] == "stage1.block1.conv1"
    assert above.yaxis == "y" and below.yaxis == "y2" and above.showlegend and not below.showlegend
    assert [trace.line.color for trace in of(figure, net="ResNet-56")] == [net_colour(RESIDUAL)] * 2
    assert "plain-56 1.17, ResNet-56 0.47" in figure.layout.title.text


def test_however_many_nets_there_are_the_title_names_them_all():
    configs = [RunConfig(depth=depth, shortcut=kind) for kind in ("none", "A") for depth in (20, 56, 110)]
    nets = {(config, "without BN"): [Response("stem.conv", config.depth)] for config in configs}
    few, many = response_curves(dict(list(nets.items())[:2])).layout, response_curves(nets).layout
    named = [f"{net}-{depth}, without BN {depth}.00" for net in ("plain", "ResNet") for depth in (20, 56, 110)]
    assert all(name in many.title.text for name in named)
    assert many.title.text.count("<br>") == few.title.text.count("<br>") + 1
    assert many.margin.t > few.margin.t and many.height > few.height


def test_signals_have_a_panel_each_way_and_a_dash_for_what_is_special():
    layers = [Signal(name, 10.0 ** -(3 * i), 10.0**-i) for i, name in enumerate(LAYERS)]
    figure = signal_curves({PLAIN: layers, (PLAIN, "without BN"): layers, (RESIDUAL, "without BN"): layers[:2]})
    labels = [trace.name for trace in figure.data if trace.showlegend]
    assert labels == ["plain-56", "plain-56, without BN", "ResNet-56, without BN"]
    forward, backward = of(figure, net="plain-56, without BN")
    assert list(forward.y) == [1.0, 1e-3, 1e-6] and list(backward.y) == [1.0, 0.1, 0.01]
    assert forward.line.dash == of(figure, net="ResNet-56, without BN")[0].line.dash != figure.data[0].line.dash
    assert figure.layout.yaxis.type == figure.layout.yaxis2.type == "log"
    assert figure.layout.yaxis.range[0] < -6 and figure.layout.yaxis.range[1] > 0
    assert "smallest gradient: plain-56 0.01" in figure.layout.title.text


def test_equal_signals_and_none_at_all_can_be_drawn():
    low, high = signal_curves({PLAIN: [Signal("a", 1.0, 0.0), Signal("b", 1.0, 0.0)]}).layout.yaxis.range
    assert (low, high) == (-1, 1)


def test_seeds_of_one_net_are_told_apart():
    other = RunConfig(depth=56, shortcut="A", profile="smoke", seed=1)
    figure = response_curves({config: [Response("a", 1.0)] for config in (RESIDUAL, other, PLAIN)})
    names = [trace.name for trace in figure.data if trace.showlegend]
    assert names == ["ResNet-56, seed 0", "ResNet-56, seed 1", "plain-56"]


def test_the_history_is_a_map_for_each_net_on_one_scale():
    rows = [
        dict(iteration=iteration, layer=layer, variance=1.0, gradient=10.0 ** (number - iteration / 100))
        for iteration in (0, 100)
        for number, layer in enumerate(LAYERS)
    ]
    figure = signal_history({PLAIN: rows, RESIDUAL: rows[:3], (RESIDUAL, "not recorded"): []})
    first, second = figure.data
    assert list(first.x) == ["0", "100"] and [list(line) for line in first.z] == [[0, -1], [1, 0], [2, 1]]
    assert list(second.x) == ["0"] and first.coloraxis == second.coloraxis == "coloraxis"
    assert list(first.customdata[1][0]) == ["stage1.block1.conv1", 10.0]
    assert [note.text for note in figure.layout.annotations] == ["<b>plain-56</b>", "<b>ResNet-56</b>"]
    assert {z for line in signal_history({PLAIN: rows}, "variance").data[0].z for z in line} == {0.0}
    with pytest.raises(ValueError, match="allowed: gradient, variance"):
        signal_history({PLAIN: rows}, "gradients")


def test_correlation_stands_between_brown_and_white_noise():
    lags, values = tuple(range(33)), tuple(0.7**lag for lag in range(33))
    figure = correlation_curves(
        {RESIDUAL: Correlation(lags, values, 128), PLAIN: Correlation(lags, (1, *[-0.001] * 32), 128)}
    )
    drawn = {trace.name: list(trace.y) for trace in figure.data}
    assert list(drawn) == ["ResNet-56", "plain-56", "brown noise: a random walk", "white noise"]
    assert drawn["ResNet-56"] == list(values) and drawn["white noise"] == [1.0] + [0.0] * 32
    assert drawn["brown noise: a random walk"] == list(brown(128).values)
    assert "ResNet-56 0.70, plain-56 0.00" in figure.layout.title.text


def test_paths_are_drawn_beside_how_many_there_are():
    gradient = tuple(0.5**length for length in range(5))
    totals = [math.comb(4, length) * each for length, each in enumerate(gradient)]
    share = tuple(total / sum(totals) for total in totals)
    figure = path_shares({RESIDUAL: PathShare(tuple(range(5)), gradient, share)})
    (magnitude,), (count,), (total,) = (of(figure, what=what) for what in ("gradient", "paths", "share"))
    assert list(magnitude.y) == list(gradient) and magnitude.xaxis == "x"
    assert list(count.y) == [100 * n / 16 for n in (1, 4, 6, 4, 1)] and count.xaxis == total.xaxis == "x2"
    assert list(total.y) == pytest.approx([100 * each for each in share])
    assert "90 % of it: ResNet-56 through 0 to 3 of 4 blocks" in figure.layout.title.text
    (only,) = of(path_shares({PLAIN: PathShare((0, 1, 2), (0.0, 0.0, 1.0), (0.0, 0.0, 1.0), closed=2)}), what="paths")
    assert list(only.y) == [0, 0, 100]
    deep = RunConfig(depth=110, profile="smoke")
    assert "(paper: 5 to 17)" in path_shares({deep: PathShare((0, 1), (1.0, 1.0), (0.5, 0.5))}).layout.title.text


@pytest.mark.parametrize("figure", [response_curves, signal_curves, signal_history, correlation_curves, path_shares])
def test_with_nothing_to_draw_there_is_a_sentence(figure):
    (note,) = figure({}).layout.annotations
    assert note.text.endswith(".") and not figure({}).data

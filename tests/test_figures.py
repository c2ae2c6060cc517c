"""Figures against numbers computed here from the same log points, and pictures against their pixels."""

import base64
import io
import itertools
import json
import subprocess
import sys

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from PIL import Image

from reslab.figures import error_curves, final_errors, image_grid, net_colour, net_label, summary_table
from reslab.figures.published import published
from reslab.nets import ORDERS, SHORTCUTS
from reslab.runs import Run, RunStore
from reslab.training.config import RunConfig
from reslab.training.profiles import PROFILES

NETS = (("none", 20), ("none", 56), ("A", 20), ("A", 56))
ERRORS = ("train_error", "test_error")


def make_run(store, shortcut="A", depth=20, seed=0, profile="demo", share=1.0, level=10.0, **fields) -> Run:
    """A run folder with random errors around `level`, at its first `share` of log points."""
    config = RunConfig(depth=depth, shortcut=shortcut, seed=seed, profile=profile, **fields)
    run = RunStore(store).create(config)
    random = np.random.default_rng([depth, seed, shortcut == "none"])
    steps = range(config.log_every, config.iterations + 1, config.log_every)
    last = round(share * len(steps))
    run.write_metrics(
        [
            dict(
                iteration=step,
                epoch=step / config.batches_per_epoch,
                lr=config.lr,
                train_loss=1.0,
                train_error=level / 2 + random.normal(),
                test_loss=1.0,
                test_error=level + random.normal(),
                seconds=step * random.uniform(0.9, 1.1),
                images_per_second=100.0,
            )
            for step in list(steps)[:last]
        ]
    )
    return run


def make_all(store, seeds=3, **settings) -> list[Run]:
    return [make_run(store, s, d, seed, **settings) for (s, d), seed in itertools.product(NETS, range(seeds))]


def traces(figure: go.Figure, kind: str, net: str | None = None) -> list:
    return [t for t in figure.data if t.meta["kind"] == kind and (net is None or t.meta["net"] == net)]


def one(figure: go.Figure, kind: str, net: str):
    (trace,) = traces(figure, kind, net)
    return trace


def test_reslab_itself_does_not_load_plotly():
    code = "import reslab, sys; print('plotly' in sys.modules); reslab.figures; print('plotly' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"]


# Error curves


@pytest.mark.parametrize("x", ["iteration", "epoch", "seconds"])
def test_lines_are_means_over_seeds(tmp_path, x):
    figure = error_curves(make_all(tmp_path), x)
    for shortcut, depth in NETS:
        runs = RunStore(tmp_path).find(shortcut=shortcut, depth=depth)
        assert len(runs) == 3
        for kind in ("train", "test"):
            trace = one(figure, kind, net_label(runs[0].config))
            values = np.array([run.column(f"{kind}_error") for run in runs])
            np.testing.assert_allclose(trace.x, np.mean([run.column(x) for run in runs], axis=0))
            np.testing.assert_allclose(trace.y, values.mean(0))
            np.testing.assert_allclose(trace.customdata, values.std(0, ddof=1))  # what the mouse shows behind ±


def test_bands_are_one_standard_deviation(tmp_path):
    runs = [make_run(tmp_path, seed=seed) for seed in range(4)]
    figure = error_curves(runs)
    for kind in ("train", "test"):
        values = np.array([run.column(f"{kind}_error") for run in runs])
        mean, std = values.mean(0), values.std(0, ddof=1)
        band = one(figure, f"{kind} band", "ResNet-20")
        np.testing.assert_allclose(band.y[: len(mean)], mean + std)
        np.testing.assert_allclose(band.y[len(mean) :][::-1], mean - std)
        assert band.fill == "toself"


def test_training_is_dashed_and_thin_and_test_solid_and_bold(tmp_path):
    figure = error_curves(make_all(tmp_path, seeds=1))
    for train, test in zip(traces(figure, "train"), traces(figure, "test"), strict=True):
        assert train.line.dash not in (None, "solid") and test.line.dash == "solid"
        assert test.line.width >= 3 and test.line.width > 1.5 * train.line.width
        assert train.line.color == test.line.color
        assert not train.showlegend and test.showlegend
    assert figure.layout.template.layout.font.size >= 15
    assert [(key.name, key.line.dash == "solid") for key in traces(figure, "key")] == [
        ("training error", False),
        ("test error", True),
    ]


def test_order_and_colours_do_not_depend_on_the_order_of_runs(tmp_path):
    runs = make_all(tmp_path, seeds=2)
    figure, other = error_curves(runs), error_curves(runs[::-1])
    assert figure == other
    assert [t.name for t in traces(figure, "test")] == ["plain-20", "plain-56", "ResNet-20", "ResNet-56"]
    alone = error_curves(RunStore(tmp_path).find(depth=56, shortcut="A"))
    assert one(alone, "test", "ResNet-56").line.color == one(figure, "test", "ResNet-56").line.color


def _as_seen_without_green_cones(colour: str) -> np.ndarray:
    """Linear RGB under deuteranopia: Viénot, Brettel and Mollon 1999."""
    rgb = (np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255) ** 2.2
    return np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]) @ rgb


def test_colours_are_told_apart_by_colour_blind_eyes_too():
    configs = [RunConfig(depth=depth, shortcut=shortcut) for shortcut, depth in NETS]
    for first, second in itertools.combinations([net_colour(config) for config in configs], 2):
        distance = np.abs(_as_seen_without_green_cones(first) - _as_seen_without_green_cones(second)).max()
        assert distance > 0.15, (first, second)


def lab(colour: str, seen_by: str) -> np.ndarray:
    """CIE 1976 L*a*b* as three kinds of eyes see it (Machado et al. 2009, severity 1)."""
    eyes = dict(
        all=np.eye(3),
        protan=[[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        deutan=[[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    )
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    rgb = np.clip(np.array(eyes[seen_by]) @ linear, 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    f = np.array(to_xyz) @ rgb / [0.95047, 1, 1.08883]
    f = np.where(f > 0.008856, np.cbrt(f), 7.787 * f + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eyes", ["all", "protan", "deutan"])
@pytest.mark.parametrize(
    "nets",
    [
        [dict(shortcut=shortcut) for shortcut in SHORTCUTS],
        [dict(shortcut="none"), *(dict(activation_order=order) for order in ORDERS)],
    ],
)
def test_nets_of_one_depth_are_told_apart_by_colour_blind_eyes_too(nets, eyes):
    colours = {str(net): lab(net_colour(RunConfig(depth=56, **net)), eyes) for net in nets}
    for (first, a), (second, b) in itertools.combinations(colours.items(), 2):
        assert np.linalg.norm(a - b) > 15, (first, second)


def test_nets_that_differ_in_their_gates_are_told_apart_by_them(tmp_path):
    runs = [make_run(tmp_path, "exclusive-gating", gate_bias=bias) for bias in (0, -6, -7)]
    rows = summary_table([*runs, make_run(tmp_path)])
    assert [row["net"] for row in rows] == ["ResNet-20"] + [
        f"ResNet-20 (exclusive-gating), bias {bias}" for bias in ("−7", "−6", "0")
    ]
    assert summary_table(runs[1:2])[0]["net"] == "ResNet-20 (exclusive-gating)"


def test_the_legend_has_room_above_the_curves(tmp_path):
    few = error_curves([make_run(tmp_path)])
    long = error_curves([make_run(tmp_path, "exclusive-gating", gate_bias=bias) for bias in (0, -1, -2, -3, -6, -7)])
    assert long.layout.margin.t >= few.layout.margin.t + 5 * 20  # a row for each long name
    assert long.layout.height - long.layout.margin.t >= few.layout.height - few.layout.margin.t - 20


def test_gate_biases_have_shades_of_their_own():
    shades = [net_colour(RunConfig(shortcut="shortcut-gating", gate_bias=bias)) for bias in (-6, -7, -3, 0)]
    assert len(set(shades)) == 4


def test_labels():
    assert net_label(RunConfig(depth=56, shortcut="none")) == "plain-56"
    assert net_label(RunConfig(depth=20)) == "ResNet-20"
    assert net_label(RunConfig(depth=56, shortcut="B")) == "ResNet-56 (B)"
    assert net_label(RunConfig(depth=56, block="bottleneck")) == "ResNet-56 (bottleneck)"


def test_nets_that_differ_in_something_else_are_not_thrown_together(tmp_path):
    runs = [make_run(tmp_path), make_run(tmp_path, lr=0.01), make_run(tmp_path, seed=1, lr=0.01)]
    lines = traces(error_curves(runs), "test")
    assert sorted(t.name for t in lines) == ["ResNet-20", "ResNet-20, lr 0.01"]
    assert len({t.line.color for t in lines}) == 2


def test_title_names_data_set_profile_and_n(tmp_path):
    def title(runs):
        return error_curves(runs).layout.title.text

    runs = make_all(tmp_path / "a", seeds=3)
    assert "shapes, demo profile" in title(runs) and "n = 3 seeds, band: ± 1 std" in title(runs)
    assert "n = 1 seed" in title(runs[:1]) and "band" not in title(runs[:1]) and "seeds" not in title(runs[:1])
    assert "n = 2–3 seeds" in title(runs[1:])
    assert "n = 1–3 seeds, band: ± 1 std where n > 1" in title(runs[2:])
    assert "not finished" not in title(runs)
    both = [*runs, make_run(tmp_path / "b", profile="short")]
    assert "CIFAR-10 and shapes, short and demo profiles" in title(both)
    assert "ResNet-20, CIFAR-10, short" in [t.name for t in traces(error_curves(both), "test")]


def test_one_seed_has_no_band(tmp_path):
    figure = error_curves(make_all(tmp_path, seeds=1))
    assert not traces(figure, "train band") and not traces(figure, "test band")
    assert "±" not in one(figure, "test", "plain-20").hovertemplate


def test_the_same_run_twice_is_one_seed(tmp_path):
    run = make_run(tmp_path)
    assert error_curves([run, run]) == error_curves([run])


def test_validation_error_is_not_called_test_error(tmp_path):
    figure = error_curves([make_run(tmp_path, val_split=1000)])
    assert "validation" in one(figure, "test", "ResNet-20").hovertemplate
    assert [key.name for key in traces(figure, "key")] == ["training error", "validation error"]
    assert "validation error (%)" in str(summary_table([make_run(tmp_path, val_split=1000)]))


def test_error_axis_shows_the_late_part(tmp_path):
    paper = [make_run(tmp_path, profile="paper", level=12.9, dataset="cifar10")]
    assert error_curves(paper).layout.yaxis.range == (0, 20)  # where the paper cuts its figure 6
    assert error_curves([make_run(tmp_path, level=88)]).layout.yaxis.range == (0, 100)


def test_learning_rate_drops_are_marked(tmp_path):
    run = make_run(tmp_path)
    drops = np.array(run.config.lr_drops)
    assert [line.x0 for line in error_curves([run]).layout.shapes] == list(drops)
    epochs = [line.x0 for line in error_curves([run], "epoch").layout.shapes]
    np.testing.assert_allclose(epochs, drops / run.config.batches_per_epoch)
    assert not error_curves([run], "seconds").layout.shapes
    assert {a.text for a in error_curves([run]).layout.annotations} == {"lr ÷ 10"}


def test_nothing_to_draw_is_said():
    assert "log point" in error_curves([]).layout.annotations[0].text
    assert "final iteration" in final_errors([]).layout.annotations[0].text
    assert summary_table([]) == () and "No log point yet" in str(summary_table([]))


def test_a_run_without_a_log_point_is_no_error(tmp_path):
    new = RunStore(tmp_path).create(RunConfig())
    assert "log point" in error_curves([new]).layout.annotations[0].text
    assert error_curves([new, make_run(tmp_path, seed=1)]) == error_curves([make_run(tmp_path, seed=1)])


@pytest.mark.parametrize(
    ("net", "error"),  # FACTS.md, section 2
    [
        (dict(shortcut="scaled-both"), 12.35),
        (dict(shortcut="exclusive-gating"), 8.70),
        (dict(shortcut="exclusive-gating", gate_bias=-7), 9.81),
        (dict(shortcut="shortcut-gating", gate_bias=0), 12.86),
        (dict(shortcut="shortcut-gating"), 6.91),
        (dict(shortcut="conv1x1"), 12.22),
        (dict(activation_order="bn-after-addition"), 8.17),
        (dict(activation_order="relu-before-addition"), 7.84),
        (dict(activation_order="relu-only-preactivation"), 6.71),
        (dict(activation_order="full-preactivation"), 6.37),
        (dict(shortcut="scaled"), None),
        (dict(shortcut="dropout"), None),
        (dict(shortcut="exclusive-gating", gate_bias=-3), None),
        (dict(shortcut="B", activation_order="full-preactivation"), None),
    ],
)
def test_published_values_of_the_second_paper_are_for_its_nets_of_110_layers(net, error):
    value = published(RunConfig(depth=110, profile="paper", **net))
    assert (value and value.paper) == error and published(RunConfig(depth=56, profile="paper", **net)) is None
    assert error is None or "He et al. 2016, table" in value.table
    assert published(RunConfig(depth=110, profile="paper", lr=0.2, **net)) is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (dict(x="time"), "x='time' is not possible; allowed: iteration, epoch, seconds"),
        (dict(y="square"), "y='square' is not possible; allowed: linear, log"),
        (dict(smoothing=1.0), "smoothing=1.0 is not possible; allowed: at least 0 and below 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        error_curves([], **wrong)


def test_a_logarithmic_axis_holds_all_that_is_not_zero(tmp_path):
    runs = make_all(tmp_path, 1, level=3.0)
    figure = error_curves(runs, y="log")
    lowest = min(v for r in runs for name in ERRORS for v in r.column(name) if v > 0)
    low, high = (10**end for end in figure.layout.yaxis.range)
    assert figure.layout.yaxis.type == "log" and 0.5 * lowest < low <= lowest and high == error_top(runs)
    heights = sorted(10 ** (np.log10(t.y[0])) for t in figure.data if t.meta["kind"] == "name")
    assert all(low <= h <= high for h in heights)
    gaps = np.diff(np.log(heights)) / np.log(high / low)
    assert gaps.min() > 0.06  # names keep apart as seen on the axis


def error_top(runs) -> float:
    return error_curves(runs).layout.yaxis.range[1]


def test_smoothing_is_a_moving_average_and_leaves_the_final_numbers(tmp_path):
    run = make_run(tmp_path)
    plain, smooth = error_curves([run]), error_curves([run], smoothing=0.6)
    values, expected, weight, total = run.column("test_error"), [], 0.0, 0.0
    for value in values:  # by recurrence, where the figure uses a sum
        total, weight = 0.6 * total + value, 0.6 * weight + 1
        expected.append(total / weight)
    np.testing.assert_allclose(one(smooth, "test", "ResNet-20").y, expected)
    np.testing.assert_allclose(one(smooth, "test measured", "ResNet-20").y, values)
    assert one(smooth, "name", "ResNet-20").text == one(plain, "name", "ResNet-20").text
    assert not traces(plain, "test measured") and "smoothed (0.6)" in smooth.layout.title.text


def test_every_shortcut_and_order_has_a_colour_of_its_own():
    configs = [RunConfig(depth=d, shortcut=s) for d in (20, 56, 110) for s in SHORTCUTS]
    configs += [RunConfig(depth=d, activation_order=o) for d in (20, 56, 110) for o in list(ORDERS)[1:]]
    colours = [net_colour(config) for config in configs]
    assert len(set(colours)) == len(colours)


# Live runs


def test_first_log_point_is_visible(tmp_path):
    config = RunConfig()
    run = make_run(tmp_path, share=config.log_every / config.iterations)
    assert len(run.metrics) == 1
    trace = one(error_curves([run]), "test", "ResNet-20")
    assert "markers" in trace.mode and list(trace.y) == run.column("test_error")


def test_live_seeds_are_averaged_as_far_as_all_have_come(tmp_path):
    ahead, behind = make_run(tmp_path, share=0.8), make_run(tmp_path, seed=1, share=0.4)
    figure, common = error_curves([ahead, behind]), len(behind.metrics)
    mean = (np.array(ahead.column("test_error")[:common]) + behind.column("test_error")) / 2
    np.testing.assert_allclose(one(figure, "test", "ResNet-20").y, mean)
    rest = one(figure, "test seed", "ResNet-20")
    assert list(rest.x) == ahead.column("iteration")[common - 1 :]
    assert list(rest.y) == ahead.column("test_error")[common - 1 :]
    assert "2 of 2 runs not finished" in figure.layout.title.text


def test_a_seed_on_its_way_does_not_cut_finished_ones_short(tmp_path):
    done = [make_run(tmp_path, seed=seed) for seed in range(2)]
    live = make_run(tmp_path, seed=2, share=0.2)
    figure = error_curves([*done, live])
    mean = np.mean([run.column("test_error") for run in done], axis=0)
    np.testing.assert_allclose(one(figure, "test", "ResNet-20").y, mean)
    assert list(one(figure, "test seed", "ResNet-20").y) == live.column("test_error")
    assert "n = 2 seeds" in figure.layout.title.text and "1 of 3 runs not finished" in figure.layout.title.text


# Published values


def test_published_values_of_the_paper_profile_on_cifar10(tmp_path):
    figure = error_curves(make_all(tmp_path, profile="paper", seeds=1))
    bars = {bar.meta["net"]: bar for bar in traces(figure, "published") if bar.type == "bar"}
    spans = {net: (bar.base[0], round(bar.base[0] + bar.y[0], 6)) for net, bar in bars.items()}
    assert spans == {
        "plain-20": (9.5, 9.8),
        "plain-56": (11.9, 13.0),
        "ResNet-20": (8.0, 9.2),
        "ResNet-56": (6.6, 7.4),
    }
    for net, bar in bars.items():  # the paper does not tabulate plain nets
        assert ("He et al." in bar.hovertemplate) == net.startswith("ResNet")
    ticks = [(t.meta["net"], t.y[0]) for t in traces(figure, "published") if t.type == "scatter"]
    assert ("ResNet-20", 8.75) in ticks and ("ResNet-56", 6.97) in ticks


@pytest.mark.parametrize(
    "fields",
    [
        dict(profile="short"),
        dict(profile="demo"),
        dict(profile="paper", dataset="shapes"),
        dict(profile="paper", width=8),
        dict(profile="paper", iterations=4000),
        dict(profile="paper", val_split=5000),
    ],
    ids=str,
)
def test_nothing_published_beside_other_runs(tmp_path, fields):
    assert not traces(error_curves([make_run(tmp_path, **fields)]), "published")


# Final errors


@pytest.mark.parametrize("profile", PROFILES)
def test_the_imagenet_family_is_drawn_in_every_profile(tmp_path, profile):
    fields = dict(profile=profile, family="imagenet")
    runs = [make_run(tmp_path, shortcut, depth, **fields) for shortcut, depth in (("none", 34), ("B", 50))]
    assert [trace.name for trace in traces(error_curves(runs), "test")] == ["plain-34", "ResNet-50 (B)"]
    assert "plain-34" in str(summary_table(runs)) and final_errors(runs).data
    assert published(runs[0].config) is None


def test_final_errors_are_those_of_the_final_iteration(tmp_path):
    runs = make_all(tmp_path)
    figure, table = final_errors(runs), summary_table(runs)
    for (shortcut, depth), row in zip(NETS, table, strict=True):
        of_net = RunStore(tmp_path).find(shortcut=shortcut, depth=depth)
        label = net_label(of_net[0].config)
        assert (row["net"], row["n"]) == (label, 3)
        for name in ERRORS:
            values = np.array([run.metrics[-1][name] for run in of_net])
            dot = one(figure, name.removesuffix("_error"), label)
            assert dot.x[0] == pytest.approx(values.mean()) == row[name]
            assert dot.error_x.array[0] == pytest.approx(values.std(ddof=1)) == row[f"{name}_std"]
            cell = f"{values.mean():.2f} ± {values.std(ddof=1):.2f}"
            assert cell in str(table) and cell in table._repr_html_()


def test_final_errors_leave_out_unfinished_runs(tmp_path):
    done, live = make_run(tmp_path), make_run(tmp_path, seed=1, share=0.9)
    figure = final_errors([done, live])
    dot = one(figure, "test", "ResNet-20")
    assert dot.x[0] == pytest.approx(done.final["test_error"]) and dot.error_x.array is None
    assert "n = 1 seed" in figure.layout.title.text and "1 unfinished run left out" in figure.layout.title.text
    (row,) = summary_table([done, live])
    assert row["n"] == 1 and row["test_error_std"] is None
    assert f"{done.final['test_error']:.2f} ±" not in str(summary_table([done, live]))
    assert "not finished" in str(summary_table([live])) and summary_table([live])[0]["n"] == 0
    assert "No run has reached" in final_errors([live]).layout.annotations[0].text


def test_table_has_a_column_for_published_errors_where_they_can_be_compared(tmp_path):
    paper = summary_table([make_run(tmp_path, profile="paper"), make_run(tmp_path, "dropout", 110, profile="paper")])
    assert "8.75" in paper[0]["published"] and "fail (> 20 %)" in paper[1]["published"]
    assert "published" in str(paper) and "8.75" in paper._repr_html_() and "&gt; 20 %" in paper._repr_html_()
    demo = summary_table([make_run(tmp_path)])
    assert demo[0]["published"] == "" and "published" not in str(demo) + demo._repr_html_() + demo.markdown()


def test_table_in_markdown(tmp_path):
    runs = [make_run(tmp_path, seed=seed) for seed in range(2)]
    head, line, row, _, caption = summary_table(runs).markdown().splitlines()
    values = [run.final["test_error"] for run in runs]
    assert head == "| net | n | training error (%) | test error (%) | parameters |" and line.count("---:") == 4
    assert f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}" in row and "shapes, demo" in caption


@pytest.mark.parametrize(("depth", "parameters"), [(20, 269_722), (56, 853_018), (110, 1_727_962)])
def test_table_counts_parameters(tmp_path, depth, parameters):  # FACTS: He et al. 2015, section 4.2
    for shortcut in ("none", "A"):
        (row,) = summary_table([make_run(tmp_path, shortcut, depth, width=16)])
        assert row["parameters"] == parameters


def test_figures_survive_json(tmp_path):
    runs = make_all(tmp_path, profile="paper", seeds=2)
    for figure in (error_curves(runs), final_errors(runs), image_grid(torch.zeros(3, 3, 8, 8))):
        assert go.Figure(json.loads(figure.to_json())) is not None
        assert len(figure.to_json()) < 300_000


# Pictures


def sheet(figure: go.Figure) -> np.ndarray:
    source = figure.data[0].source
    assert source.startswith("data:image/png;base64,")
    return np.array(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))


def test_image_grid_shows_each_pixel_as_a_square():
    images = torch.arange(2 * 3 * 32 * 32).view(2, 3, 32, 32).mul(7).remainder(256).to(torch.uint8)
    figure = image_grid(images)
    pixels, scale = sheet(figure), 3
    assert figure.data[0].zsmooth in (None, False)
    first = pixels[: 32 * scale, : 32 * scale]
    second = pixels[: 32 * scale, -32 * scale :]
    for shown, image in ((first, images[0]), (second, images[1])):
        expected = np.kron(image.permute(1, 2, 0).numpy(), np.ones((scale, scale, 1), np.uint8))
        np.testing.assert_array_equal(shown, expected)


def test_image_grid_maps_floats_to_what_can_be_shown():
    images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(sheet(image_grid(images))[0, 0], (255 * images[0, :, 0, 0]).round().numpy())
    centred = images * 5 - 2
    pixels = sheet(image_grid(centred))[:96]
    assert pixels.min() == 0 and pixels.max() == 255
    assert image_grid(torch.full((1, 3, 8, 8), -3.0))  # all the same: no division by zero


def test_image_grid_names_what_it_shows():
    images = torch.zeros(3, 3, 16, 16, dtype=torch.uint8)
    names = ("disk", "ring", "star")
    assert list(image_grid(images, torch.tensor([2, 0, 1]), names).data[1].text) == ["star", "disk", "ring"]
    assert list(image_grid(images, [2, 0, 1]).data[1].text) == ["2", "0", "1"]
    assert list(image_grid(images, ["a", "b", "c"]).data[1].text) == ["a", "b", "c"]


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 1, 32, 32), (0, 3, 32, 32)])
def test_image_grid_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="allowed"):
        image_grid(torch.zeros(shape))


def test_image_grid_refuses_labels_that_do_not_fit():
    with pytest.raises(ValueError, match="2 images and 3 labels"):
        image_grid(torch.zeros(2, 3, 8, 8), [0, 1, 2])

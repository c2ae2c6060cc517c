"""`reslab time`: what it prints and writes, its figure, and how it ends when it cannot."""

import json
import re

import pytest
from typer.testing import CliRunner

from reslab.bench import command
from reslab.bench.times import AXES, Timing, timing_row
from reslab.cli import app
from reslab.figures import timing as timing_figure

MODES = ("forward", "forward + backward")


def reslab(*arguments: object):
    return CliRunner().invoke(app, ["time", *map(str, arguments), "--device", "cpu"])


def make_timings(batches=(4,)) -> list[Timing]:
    """ResNets of 18 and 50 layers, ours, torchvision's and as they train: with different numbers everywhere."""
    made = []
    for depth, billions in ((50, 4.1), (18, 1.8)):
        nets = {f"resnet-{depth}": 1.0, f"torchvision:resnet{depth}": 1.1, f"fast:resnet-{depth}": 0.5}
        for net, factor in nets.items():
            facts = dict(size=224, channels_last=False, depth=depth, parameters=1, multiply_adds=int(billions * 1e9))
            facts |= dict(precision="bf16" if "fast" in net else "fp32", twin=f"torchvision:resnet{depth}")
            for batch in batches:
                for mode, share in zip(MODES, (1, 3), strict=True):
                    seconds = 0.025 * billions * factor * share * (batch + 0.5)
                    made.append(Timing(net, mode=mode, batch=batch, **facts, seconds=(0.9 * seconds, 1.1 * seconds)))
    return made


def test_one_command_times_prints_and_writes(tmp_path):
    out, page = tmp_path / "reports/time.json", tmp_path / "reports/time.html"
    options = ["--batch", "2,3", "--size", 8, "--batches", 2, "--warm-up", 1, "--threads", 1]
    done = reslab("cifar-8", "cifar-8-none", *options, "--json", out, "--figure", page)
    assert done.exit_code == 0, done.output
    assert "2 batches timed in turns, 1 before them to warm up" in done.stdout and "Images of 8x8" in done.stdout
    assert f"Written: {out}" in done.stdout and "torchvision" not in done.stdout
    result = json.loads(out.read_text())
    assert set(result) == {"machine", "commit", "dirty", "date", "batches", "warm_up", "rows"}
    assert (result["batches"], result["warm_up"], result["machine"]["threads"]) == (2, 1, 1)
    names = [(row["net"], row["batch"], row["mode"]) for row in result["rows"]]
    assert names == [(net, b, mode) for net in ("cifar-8", "cifar-8-none") for b in (2, 3) for mode in MODES]
    for row in result["rows"]:
        assert row["mean"] == pytest.approx(sum(row["seconds"]) / 2, rel=1e-3) and row["n"] == len(row["seconds"]) == 2
        assert row["depth"] == 8 and row["ratio"] is None
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page.read_text())
    assert str(tmp_path) not in out.read_text()


@pytest.fixture
def planned(monkeypatch):
    """The plans that the command made, instead of their timings."""
    plans = []

    def measure(plan, report):
        plans.append(plan)
        rows = [timing_row(timing, make_timings()) for timing in make_timings()]
        machine = dict(cpu="a fast one", cores=2, threads=2, device="cpu", torch="2")
        return dict(machine=machine, commit="c0ffee", dirty=False, batches=2, warm_up=1, rows=rows)

    monkeypatch.setattr(command, "measure_timings", measure)
    return plans


def test_depths_rivals_and_counts_become_a_plan(planned, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = reslab("--depths", "18,50", "--against-torchvision", "--fast", "--batch", 64, "--batches", 100)
    assert done.exit_code == 0 and not list(tmp_path.iterdir())  # nothing is written unasked
    (plan,) = planned
    nets = [(f"resnet-{depth}", f"torchvision:resnet{depth}", f"fast:resnet-{depth}") for depth in (18, 50)]
    assert plan.names == (*nets[0], *nets[1])
    assert (plan.batch, plan.batches, plan.warm_up, plan.size, plan.mode) == ((64,), 100, 2, None, "both")


def test_without_names_it_is_our_three_smallest(planned):
    assert reslab().exit_code == 0
    assert planned[0].names == ("resnet-18", "resnet-34", "resnet-50")


def test_the_table_has_the_ratios(planned):
    lines = reslab("--against-torchvision").stdout.splitlines()
    mine = next(line for line in lines if line.startswith("resnet-18"))
    forward, both = ("202.5", "±", "28.6", "19.8", "0.909"), ("607.5", "±", "85.9", "6.6", "0.909")
    assert mine.split() == ["resnet-18", "4", "1.80", "G", *forward, *both]
    assert sum("0.455" in line for line in lines) == 2  # fast, over torchvision's
    assert "fp32; fast: bf16, channels last, accelerated as in training" in "\n".join(lines)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["resnet50"], "did you mean torchvision:resnet50 or resnet-50"),
        (["resnet-50", "--depths", "18"], "leave out one of the two"),
        (["--depths", "a"], "depths='a' should be whole numbers"),
        (["--depths", ""], "there is nothing to time"),
        (["--depths", "19"], "depth=19 is none of the ImageNet family's"),
        (["--batch", "a"], "batch='a' should be whole numbers"),
        (["--batch", "0"], "must be at least 1"),
        (["--mode", "back"], "mode='back' is not possible"),
        (["--precision", "fp8"], "precision='fp8' is not possible"),
        (["--x", "time"], "x='time' is not possible; allowed: depth, batch, multiply_adds"),
    ],
)
def test_mistakes_are_one_sentence(arguments, sentence):
    done = reslab(*arguments)
    assert done.exit_code == 2 and sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_too_much_for_the_memory_is_a_sentence(tmp_path):
    done = reslab("cifar-8", "--batch", 10**12, "--json", tmp_path / "time.json")
    assert done.exit_code == 1 and "does not fit into memory; make the batch or the images smaller" in done.stderr
    assert "Traceback" not in done.output and not list(tmp_path.iterdir())


# The figure


@pytest.mark.parametrize("x", AXES)
def test_the_figure_shows_means_and_spreads(x):
    timings = make_timings((1, 8) if x == "batch" else (4,))
    figure = timing_figure(timings, x)
    drawn = {}
    for trace in figure.data:
        for y, whisker, text in zip(trace.y, trace.error_y.array, trace.hovertext, strict=True):
            net, batch = re.match(r"(\S+), batch (\d+):", text).groups()
            drawn[net, trace.meta["mode"], int(batch)] = (y, whisker, trace.name)
    assert len(drawn) == len(timings)
    for t in timings:
        images = t.batch if x == "batch" else 1
        y, whisker, name = drawn[t.net, t.mode, t.batch]
        assert y == pytest.approx(1000 * t.mean / images) and whisker == pytest.approx(1000 * t.std / images)
        assert name.split(",")[0] == (t.net if x == "batch" else re.sub(r"-?\d+", "", t.net))
    assert [note.text for note in figure.layout.annotations][:2] == ["<b>forward</b>", "<b>forward + backward</b>"]
    assert "mean ± standard deviation of 2 batches" in figure.layout.title.text
    for trace in figure.data:  # from left to right, whatever the order in which the nets were timed
        assert list(trace.x) == sorted(trace.x)


def test_lines_stand_at_their_depth_and_beside_each_other():
    traces = [trace for trace in timing_figure(make_timings()).data if trace.meta["mode"] == "forward"]
    places = [trace.x[0] for trace in traces]
    assert sorted(places)[1] == 18 and len(set(places)) == 3 and max(places) - min(places) < 2
    assert len({trace.line.color for trace in traces}) == 3


def test_names_beside_the_points_are_the_nets_once_each():
    names = [note.text for note in timing_figure(make_timings(), "multiply_adds").layout.annotations[2:]]
    assert names == ["resnet18", "resnet50"]


def test_only_what_was_timed_can_be_drawn():
    with pytest.raises(ValueError, match="x='time' is not possible"):
        timing_figure(make_timings(), "time")
    with pytest.raises(ValueError, match="no net was timed"):
        timing_figure([])
    one = [t for t in make_timings() if t.net == "resnet-18" and t.mode == "forward"]
    assert [trace.name for trace in timing_figure(one).data] == ["resnet"]

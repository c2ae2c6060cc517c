"""`reslab bench` from the command line: what it prints and writes, its figure, and how it ends when it cannot."""

import json
import re

import pytest
import torch
from typer.testing import CliRunner

from reslab.bench import command, machine, speed
from reslab.cli import app
from reslab.figures import speed as speed_figure
from reslab.precision import precisions_of
from reslab.training.estimate import Speed

NUMBERS = {
    "depth",
    "precision",
    "images_per_second",
    "baseline_images_per_second",
    "ratio",
    "ratio_low",
    "ratio_high",
    "share_of_limit",
    "over_eager",
    "over_eager_low",
    "over_eager_high",
    "milliseconds",
    "gflop",
    "megabytes",
    "bound",
}


def reslab(*arguments: object):
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


@pytest.fixture
def small(monkeypatch):
    """Nets, matrices and copies that take no time."""
    monkeypatch.setattr(speed, "PROFILE", "smoke")
    monkeypatch.setattr(speed, "measure", lambda config, device: Speed(step=0.5, evaluation=10))
    monkeypatch.setattr(machine, "SIDE", {"cpu": 64})
    monkeypatch.setattr(machine, "COPIED", {"cpu": 1 << 16})


@pytest.fixture
def baseline(tmp_path):
    path = tmp_path / "trainer.py"
    path.write_text("import json; print(json.dumps(dict(images_per_second=100)))")
    return path


def make_result(baseline: str | None = "trainer.py") -> dict:
    """A result as measure_speed returns it, with different numbers everywhere."""

    def around(name: str, value: float) -> dict[str, float | None]:
        values = (value, 0.9 * value, 1.2 * value)
        return {f"{name}{end}": v for end, v in zip(("", "_low", "_high"), values, strict=True)}

    rows = []
    for depth, scale in ((20, 1.0), (56, 0.3)):
        for precision, factor in (("fp32", 2.0), ("bf16", 4.5)):
            row = dict(depth=depth, precision=precision, milliseconds=12.0, gflop=31.0, megabytes=640.0)
            row |= around("images_per_second", 300 * scale * factor) | around("over_eager", factor)
            row |= around("baseline_images_per_second", 300 * scale) | around("ratio", factor)
            row |= dict(share_of_limit=0.4, limit_images_per_second=750 * scale * factor, bound="memory")
            if baseline is None:
                row |= {name: None for name in row if "ratio" in name or "baseline" in name}
            rows.append(row)
    one = dict(median=1e12, low=1e12, high=1e12)
    return dict(
        machine=machine.describe(torch.device("cpu")) | dict(flops_per_second=dict(fp32=one), bytes_per_second=one),
        commit="c0ffee",
        dirty=False,
        date="2026-01-01",
        pairs=5,
        baseline=baseline,
        rows=rows,
        projected_seconds=dict(plain20=3600.0, res20=7200.0),
    )


def test_one_command_measures_prints_and_writes(tmp_path, small, baseline):
    out, page = tmp_path / "reports/bench.json", tmp_path / "reports/bench.html"
    options = ["--baseline", baseline, "--depths", "8,14", "--pairs", 2, "--iterations", 2, "--device", "cpu"]
    done = reslab(*options, "--json", out, "--figure", page)
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    assert set(result) >= {"machine", "commit", "dirty", "date", "pairs", "rows"}
    assert (result["pairs"], result["baseline"]) == (2, "trainer.py")
    precisions = precisions_of(torch.device("cpu"))
    assert set(result["machine"]["flops_per_second"]) == set(precisions)
    assert result["machine"]["bytes_per_second"]["median"] > 0
    names = [(row["depth"], row["precision"]) for row in result["rows"]]
    assert names == [(depth, precision) for depth in (8, 14) for precision in precisions]
    for row in result["rows"]:
        assert set(row) >= NUMBERS
        assert row["baseline_images_per_second"] == 100
        assert row["ratio"] == pytest.approx(row["images_per_second"] / 100)  # the fake baseline has no spread
        assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
        assert row["share_of_limit"] > 0 and row["over_eager"] > 0 and row["bound"] in ("compute", "memory")
    paper = 64_000 * 0.5 + 160 * 10  # seconds of one run, with an evaluation every 400 iterations
    assert result["projected_seconds"] == dict.fromkeys(("plain20", "plain56", "res20", "res56"), paper)
    assert "Projected, not run" in done.stdout and "37 h 20 min" in done.stdout
    assert "baseline" in done.stdout and f"Written: {out}" in done.stdout
    assert str(tmp_path) not in out.read_text()
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page.read_text())


def test_without_a_baseline_only_reslab_is_timed(tmp_path, small):
    out = tmp_path / "bench.json"
    done = reslab("--depths", 8, "--pairs", 1, "--iterations", 1, "--json", out, "--device", "cpu")
    assert done.exit_code == 0 and "ratio" not in done.stdout.splitlines()[2].split()
    result = json.loads(out.read_text())
    assert result["baseline"] is None and {row["ratio"] for row in result["rows"]} == {None}


def test_nothing_is_written_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "measure_speed", lambda plan, report: make_result())
    assert reslab("--device", "cpu").exit_code == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--baseline", "nowhere.py"], "there is no baseline nowhere.py"),
        (["--depths", "21"], "depth=21 is not 6n+2"),
        (["--depths", "a"], "depths='a' should be whole numbers"),
        (["--depths", ""], "leaves nothing to measure"),
        (["--device", "cuda"], "no CUDA device"),
        (["--against", "nowhere.json"], "there is no recorded result nowhere.json"),
        (["--baseline", "nowhere.py", "--data", "nowhere"], "there is no cifar10-png.zip"),
        (["--overheads", "--figure", "a.html"], "leave out --figure"),
    ],
)
def test_mistakes_are_one_sentence_before_anything_is_measured(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    done = reslab(*arguments)
    assert done.exit_code == 2 and sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_baseline_that_fails_ends_with_what_it_said(tmp_path, small, baseline):
    baseline.write_text("raise SystemExit('no images')")
    out = tmp_path / "bench.json"
    done = reslab("--baseline", baseline, "--depths", 8, "--pairs", 1, "--iterations", 1, "--json", out)
    assert done.exit_code == 1 and "no images" in done.stderr and "Traceback" not in done.output
    assert not out.exists()


def test_ctrl_c_says_that_nothing_was_written(tmp_path, monkeypatch):
    def stopped(plan, report):
        report("depth 20", 0, 9)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "measure_speed", stopped)
    done = reslab("--json", tmp_path / "bench.json", "--device", "cpu")
    assert done.exit_code == 130 and done.stderr.endswith("Stopped; nothing was written.\n")
    assert not list(tmp_path.iterdir())


def test_against_catches_a_doctored_file(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "measure_speed", lambda plan, report: make_result())
    file = tmp_path / "bench.json"
    assert reslab("--json", file, "--device", "cpu").exit_code == 0
    same = reslab("--against", file, "--device", "cpu")
    assert same.exit_code == 0 and "no regression against bench.json" in same.stdout
    doctored = json.loads(file.read_text())
    doctored["rows"][3]["over_eager"] *= 2  # depth 56, bf16
    file.write_text(json.dumps(doctored))
    worse = reslab("--against", file, "--device", "cpu")
    assert worse.exit_code == 1 and "depth 56 in bf16 is slower" in worse.stdout
    assert "no regression" not in worse.stdout and "depth 20" not in worse.stdout


def test_the_archive_is_where_one_says_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("RESLAB_DATA", raising=False)
    assert command.find_archive(None) is None
    monkeypatch.setenv("RESLAB_DATA", str(tmp_path))  # has CIFAR-10 in another form: the baseline looks for itself
    assert command.find_archive(None) is None
    archive = tmp_path / "cifar10-png.zip"
    archive.touch()
    assert command.find_archive(None) == archive
    other = tmp_path / "another.zip"
    other.touch()
    assert command.find_archive(other) == other


# The figure


@pytest.mark.parametrize("trainer", ["trainer.py", None])
def test_the_figure_shows_the_rows(trainer):
    result = make_result(trainer)
    figure = speed_figure(result)
    bars = {(t.meta["depth"], t.meta["kind"]): t for t in figure.data if t.type == "bar"}
    limits = {(t.meta["depth"], t.meta["kind"]): t for t in figure.data if "limit" in t.meta["kind"]}
    kinds = {"fp32", "bf16"} | ({"baseline"} if trainer else set())
    assert set(bars) == {(depth, kind) for depth in (20, 56) for kind in kinds}
    for row in result["rows"]:
        mine = [(row["precision"], "images_per_second")]
        for kind, column in mine + [("baseline", "baseline_images_per_second")] * bool(trainer):
            bar = bars[row["depth"], kind]
            assert bar.y == (row[column],)
            assert bar.y[0] + bar.error_y.array[0] == pytest.approx(row[f"{column}_high"])
            assert bar.y[0] - bar.error_y.arrayminus[0] == pytest.approx(row[f"{column}_low"])
        ratio = f"{row['ratio']:.2f}×" if trainer else "×"
        assert (ratio in bars[row["depth"], row["precision"]].text[0]) == bool(trainer)
        assert limits[row["depth"], f"{row['precision']} limit"].y == (row["limit_images_per_second"],)
    panels = {(bar.meta["depth"], bar.yaxis) for bar in bars.values()}
    assert len(panels) == 2  # each depth has a scale of its own
    assert [note.text for note in figure.layout.annotations] == ["<b>ResNet-20</b>", "<b>ResNet-56</b>"]
    assert "5 rounds" in figure.layout.title.text

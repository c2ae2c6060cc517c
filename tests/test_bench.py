"""What the benchmark counts, against sums by hand, and what it makes of timings, against arithmetic by hand."""

import json
import sys

import pytest
import torch

from reslab import RunConfig, cifar_net
from reslab.bench import contestants, machine
from reslab.bench.clock import spread, timed
from reslab.bench.contestants import Baseline, BaselineFailed, Reslab, random_images
from reslab.bench.regression import read_result, slower
from reslab.bench.rounds import interleaved
from reslab.bench.rows import make_row
from reslab.bench.work import Work, step_bytes, step_work
from reslab.nets import anatomy

CPU = torch.device("cpu")

# Operations and bytes


def test_operations_of_resnet20_by_hand():
    n, batch = 3, 128
    stem = 3 * 16 * 9 * 32 * 32
    stage1 = 2 * n * 16 * 16 * 9 * 32 * 32
    stage2 = (16 * 32 + (2 * n - 1) * 32 * 32) * 9 * 16 * 16
    stage3 = (32 * 64 + (2 * n - 1) * 64 * 64) * 9 * 8 * 8
    forward = 2 * batch * (stem + stage1 + stage2 + stage3 + 64 * 10)
    flops = step_work(RunConfig(20, profile="short")).flops
    assert flops == 3 * forward - 2 * batch * stem
    assert abs(flops / 31e9 - 1) < 0.01  # the known figure


@pytest.mark.parametrize("element", [2, 4])
@pytest.mark.parametrize(("shortcut", "past"), [("none", 0), ("A", 1056)])
def test_bytes_of_a_tiny_net_by_hand(shortcut, past, element):
    """Depth 8, width 4, on 8x8 images: 192 values go in; outputs of 256, 128 and 64 values in the three stages."""
    stem = 2 * (192 + 256) + 6 * 256  # no input gradient
    stage1 = 3 * (256 + 256) + 6 * 256 + 3 * (256 + 256) + 6 * 256
    stage2 = 3 * (256 + 128) + 6 * 128 + 3 * (128 + 128) + 6 * 128
    stage3 = 3 * (128 + 64) + 6 * 64 + 3 * (64 + 64) + 6 * 64
    head = 2 * (64 + 16) + 3 * (16 + 10)
    assert past in (0, 3 * (256 + 4 * 4 * 4 + 8 * 2 * 2))  # an identity, then the inputs' channels at half the side
    convolutions = 9 * (3 * 4 + 2 * 4 * 4 + 4 * 8 + 8 * 8 + 8 * 16 + 16 * 16)
    parameters = convolutions + 2 * (3 * 4 + 2 * 8 + 2 * 16) + 16 * 10 + 10
    layers = anatomy(cifar_net(8, shortcut, 4), (3, 8, 8))
    moved = 16 * (stem + stage1 + stage2 + stage3 + head + past) * element
    assert step_bytes(layers, (3, 8, 8), 16, element) == moved + 24 * parameters


def test_bf16_halves_the_activations_and_not_the_work():
    fp32, bf16 = (step_work(RunConfig(56, profile="short", precision=precision)) for precision in ("fp32", "bf16"))
    parameters = 853_018  # He et al. 2015, table 6: 0.85 M
    assert fp32.flops == bf16.flops
    assert fp32.bytes - 24 * parameters == 2 * (bf16.bytes - 24 * parameters)


def test_the_slower_of_two_resources_is_the_limit():
    assert Work(flops=100, bytes=60).limit(10, 20) == (10, "compute")
    assert Work(flops=100, bytes=60).limit(100, 20) == (3, "memory")


# Timings


def test_spread():
    assert spread([3, 1, 2]) == (2, 1, 3)
    assert spread([4, 1, 2, 3]) == (2.5, 1, 4)


def test_a_row_by_hand():
    samples = dict(baseline=[50, 50, 200], eager=[100, 100, 100], fp32=[100, 200, 400])
    row = make_row(20, "fp32", samples, Work(2_000_000_000, 3_000_000), (0.32, "memory"), 128)
    # The median of the ratios 2, 4, 2; the ratio of the medians would be 4.
    assert (row["ratio"], row["ratio_low"], row["ratio_high"]) == (2, 2, 4)
    assert (row["over_eager"], row["over_eager_low"], row["over_eager_high"]) == (2, 1, 4)
    assert [row[f"images_per_second{end}"] for end in ("", "_low", "_high")] == [200, 100, 400]
    assert [row[f"baseline_images_per_second{end}"] for end in ("", "_low", "_high")] == [50, 50, 200]
    assert row["milliseconds"] == 640
    assert row["share_of_limit"] == 0.5 and row["limit_images_per_second"] == 400 and row["bound"] == "memory"
    assert (row["gflop"], row["megabytes"], row["depth"], row["precision"]) == (2, 3, 20, "fp32")


def test_without_a_baseline_there_is_no_ratio():
    row = make_row(20, "bf16", dict(eager=[1], bf16=[2]), Work(1, 1), (1, "compute"), 128)
    assert {row[name] for name in row if "ratio" in name or "baseline" in name} == {None}
    assert row["over_eager"] == 2


def test_rounds_alternate_who_goes_first():
    begun, ticks = [], iter(range(100))
    measures = {name: lambda: next(ticks) for name in "abc"}
    values = interleaved(measures, 3, lambda name, index: begun.append(f"{name}{index}"))
    assert begun == ["a0", "b0", "c0", "c1", "b1", "a1", "a2", "b2", "c2"]
    assert values == {"a": [0, 5, 6], "b": [1, 4, 7], "c": [2, 3, 8]}


def test_a_block_trains_and_counts_images(monkeypatch):
    config = RunConfig(8, profile="smoke")
    monkeypatch.setattr(contestants, "timed", lambda work, device: (work(), 0.5)[1])
    images = random_images(config)
    given = Reslab(config, images, CPU, compiled=False, steps=4)
    given.warm_up()
    before = given.state.iteration
    assert given.block() == 4 * config.batch / 0.5
    assert given.state.iteration == before + 1 + 4
    free = Reslab(config, images, CPU, compiled=False)
    free.warm_up()
    # Three steps seemed to take half a second, so two seconds hold twelve.
    assert free.steps == 12 and free.block() == 12 * config.batch / 0.5


def test_idle_nets_share_one_set_of_images():
    config = RunConfig(8, profile="short", dataset="shapes")
    images = random_images(config)
    assert images.train_images.shape == (10_000, 3, 32, 32) and images.train_images.dtype == torch.uint8
    first, second = (Reslab(config, images, CPU, compiled=False) for _ in range(2))
    assert first.task.source.batches.images.data_ptr() == second.task.source.batches.images.data_ptr()


def test_timed_runs_the_work_once():
    calls = []
    assert timed(lambda: calls.append(1), CPU) >= 0 and calls == [1]


# The machine


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_convolution_is_the_matrix_product(monkeypatch, precision):
    made = []
    monkeypatch.setattr(machine, "timed", lambda work, device: (made.append(work()), 0.25)[1])
    assert machine.matrix_rate(precision, CPU, side=64) == 2 * 64**3 / 0.25
    product, convolution = made[0], made[-1].permute(0, 2, 3, 1).reshape(64, 64)
    assert product.dtype == machine.DTYPES[precision] and product.shape == (64, 64)
    torch.testing.assert_close(convolution, product, rtol=0.02, atol=0.1)


def test_the_best_try_counts_and_a_copy_reads_and_writes(monkeypatch):
    seconds = iter([0.5, 0.25, 1.0])
    monkeypatch.setattr(machine, "timed", lambda work, device: (work(), next(seconds))[1])
    assert machine.copy_rate(CPU, size=1000) == 8000


def test_description_names_no_folder():
    text = json.dumps(machine.describe(CPU) | machine.source())
    assert sys.prefix not in text and torch.__version__ in text


# The baseline


def script(folder, body):
    path = folder / "trainer.py"
    path.write_text(f"import json, sys\noptions = dict(o.split('=') for o in sys.argv[1:])\n{body}\n")
    return path


def test_a_baseline_is_told_what_to_train_and_asked_for_some_seconds(tmp_path):
    log = tmp_path / "log"
    body = f"open({str(log)!r}, 'a').write(json.dumps(options) + '\\n')\n"
    body += "print('warming up'); print(json.dumps(dict(images_per_second=1000)))"
    baseline = Baseline(script(tmp_path, body), 56, tmp_path / "images.zip")
    baseline.warm_up()
    assert baseline.block() == 1000
    probe, block = map(json.loads, log.read_text().splitlines())
    assert probe["--iterations"] == "4"
    assert block == {
        "--depth": "56",
        "--iterations": "63",  # 8 s at 1,000 images/s, 128 a step
        "--warmup": "4",
        "--threads": str(torch.get_num_threads()),
        "--zip": str(tmp_path / "images.zip"),
    }


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("sys.exit('no images here')", "exit code 1: no images here"),
        ("sys.exit(3)", "exit code 3: it said nothing"),
        ("", "printed no line of JSON with images_per_second"),
        ("print('fast')", "last words: 'fast"),
        ("print('{}')", "printed no line of JSON"),
        ("print(json.dumps(dict(images_per_second=None)))", "printed no line of JSON"),
    ],
)
def test_a_baseline_that_does_not_work(tmp_path, body, sentence):
    with pytest.raises(BaselineFailed, match=sentence):
        Baseline(script(tmp_path, body), 20).warm_up()


# Regressions


def result(**ratios):
    """A recorded result: name=ratio, the name being precision and depth."""
    made = [dict(depth=int(name[4:]), precision=name[:4], over_eager=ratio) for name, ratio in ratios.items()]
    return dict(rows=made, commit="c0ffee")


def test_a_ratio_five_percent_below_the_recorded_one_is_a_regression():
    recorded = result(fp3220=2.0, bf1620=4.0, bf1656=5.0)
    assert slower(recorded, result(fp3220=1.91, bf1620=3.81)) == []
    (sentence,) = slower(recorded, result(fp3220=1.89, bf1620=9.0))
    assert all(word in sentence for word in ("depth 20", "fp32", "1.89", "2.00", "c0ffee"))


def test_only_results_can_be_compared_with(tmp_path):
    path = tmp_path / "bench.json"
    with pytest.raises(ValueError, match="no recorded result"):
        read_result(path, (20,))
    for text in ("{", "[]", '{"overheads": []}', '{"commit": "c0ffee", "rows": [{"depth": 20}]}'):
        path.write_text(text)
        with pytest.raises(ValueError, match="is not a result of reslab bench"):
            read_result(path, (20,))
    path.write_text(json.dumps(result(fp3220=2.0)))
    assert read_result(path, (20, 56))["commit"] == "c0ffee"
    with pytest.raises(ValueError, match="has depth 20 and nothing to compare"):
        read_result(path, (56,))

"""What a run records of itself: what it says, when, and that it changes nothing and comes out the same after a stop."""

import os
import shutil
import signal
import time

import pytest
import torch
from typer.testing import CliRunner

from reslab import Run, RunConfig, RunStore, train
from reslab.cli import app
from reslab.files import names, read
from reslab.probes import net_at, recorded_iterations, recorded_signals, signals, subject
from reslab.probes.recorded import recorded_weights
from reslab.threads import torch_threads
from reslab.training import checkpoint
from reslab.training.recording import IMAGES, RECORDS, due
from reslab.training.sources import opened

from .processes import result, start, torchrun, wait_until

CONFIG = RunConfig(depth=8, profile="smoke", iterations=240, log_every=20)
SHORT = RunConfig(depth=8, profile="smoke", iterations=60, log_every=20)


def recorded(run: Run) -> tuple[bytes | None, dict[str, bytes | None]]:
    """signals.csv and the files of weights, as they are."""
    folder = run.path / "weights"
    return read(run.path / "signals.csv"), {name: read(folder / name) for name in names(folder)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = tmp_path_factory.mktemp("undisturbed")
    process = start(CONFIG, store, record=RECORDS)
    process.join()
    assert process.exitcode == 0
    return RunStore(store).run(CONFIG)


# What is recorded, and when


def test_weights_are_those_of_the_iteration(undisturbed, tmp_path):
    assert recorded_iterations(undisturbed) == [0, 60, 120, 180, 240]
    first, last = recorded_weights(undisturbed, 0), recorded_weights(undisturbed, 240)
    assert all(torch.equal(value, last[name]) for name, value in undisturbed.weights().items())
    begun = net_at(undisturbed, "initial").state_dict()
    assert all(torch.equal(begun[name], value) for name, value in first.items())

    class Enough(Exception):
        pass

    def stop(progress):
        if progress.row and progress.iteration == 120:
            raise Enough

    with pytest.raises(Enough):
        train(CONFIG, tmp_path, progress=stop)
    then = checkpoint.load(RunStore(tmp_path).run(CONFIG).path)["net"]
    net = net_at(undisturbed, 120)
    assert not net.training and all(torch.equal(then[name], value) for name, value in net.state_dict().items())
    assert "running_mean" in str(list(then)) and subject(undisturbed, 120, images=3).name == "ResNet-8, iteration 120"


def test_signals_are_those_of_the_weights_on_the_first_pictures_of_the_first_batch(undisturbed):
    rows = recorded_signals(undisturbed)
    assert list(dict.fromkeys(row["iteration"] for row in rows)) == [0, 200, 240]
    assert len(rows) == 3 * 7 and list(rows[0]) == ["iteration", "layer", "variance", "gradient"]
    with opened(CONFIG, "cpu") as source:
        images, labels = (tensor[:IMAGES] for tensor in source.batch(0))
    for iteration in (0, 240):
        expected = signals(net_at(undisturbed, iteration), images, labels)
        found = [row for row in rows if row["iteration"] == iteration]
        assert [row["layer"] for row in found] == [each.name for each in expected]
        for name in ("variance", "gradient"):
            by_hand = [getattr(each, name) for each in expected]
            assert [row[name] for row in found] == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize(
    ("profile", "signals_at", "weights_at"), [("demo", 5, 11), ("short", 9, 9), ("paper", 161, 21), ("smoke", 2, 5)]
)
def test_records_come_at_log_points_and_seldom_enough(profile, signals_at, weights_at):
    config = RunConfig(profile=profile)
    for what, count in (("signals", signals_at), ("weights", weights_at)):
        at = [iteration for iteration in range(config.iterations + 1) if due(what, iteration, config)]
        assert len(at) == count and at[0] == 0 and at[-1] == config.iterations
        assert all(iteration % config.log_every == 0 for iteration in at[:-1])


# It changes nothing


KINDS = [
    dict(shortcut="A", precision="bf16", options=dict(compile="always")),
    dict(shortcut="dropout", precision="bf16", options=dict(compile="never")),
    dict(shortcut="stochastic-depth", precision="fp32", options={}),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["shortcut"])
def test_the_result_is_the_same_bit_for_bit(tmp_path, kind):
    options = kind["options"]
    config = RunConfig(**CONFIG.to_dict() | {name: value for name, value in kind.items() if name != "options"})
    before = torch.get_rng_state()
    with_it = train(config, tmp_path / "with", record=RECORDS, **options)
    assert torch.equal(torch.get_rng_state(), before)
    without = train(config, tmp_path / "without", **options)
    assert result(with_it) == result(without) and with_it.id == without.id
    assert recorded(without) == (None, {}) and recorded_signals(without) == [] == recorded_iterations(without)
    assert len(recorded_iterations(with_it)) == 5 and len(recorded_signals(with_it)) == 3 * 7


# Stopped and resumed


def test_kills_change_nothing_of_what_is_recorded(tmp_path, undisturbed):
    run = RunStore(tmp_path).run(CONFIG)
    for goal in (1, 5, 9):
        process = start(CONFIG, tmp_path, record=RECORDS)
        wait_until(lambda p=process, goal=goal: len(run.metrics) >= goal or not p.is_alive())
        time.sleep(0.02 * goal % 0.05)
        assert process.is_alive()
        process.kill()
        process.join()
    train(CONFIG, tmp_path, record=RECORDS)
    assert result(run) == result(undisturbed) and recorded(run) == recorded(undisturbed)


def test_what_is_newer_than_the_checkpoint_is_dropped(tmp_path, undisturbed):
    run = RunStore(tmp_path).run(CONFIG)

    def stop(progress):
        if progress.row and progress.iteration == 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, tmp_path, record=RECORDS, progress=stop)
    with open(run.path / "signals.csv", "a") as file:
        file.write("320,stem.conv,7.0,7.0\n")
    shutil.copy(run.path / "weights" / "000180.safetensors", run.path / "weights" / "000190.safetensors")
    shutil.copy(run.path / "weights" / "000180.safetensors", run.path / "weights" / "000240.safetensors")
    (run.path / "weights" / "000190.safetensors").rename(run.path / "weights" / "000390.safetensors")
    train(CONFIG, tmp_path, record=RECORDS)
    assert recorded(run) == recorded(undisturbed)


def test_a_run_that_was_begun_without_records_from_now_on(tmp_path, undisturbed):
    run = RunStore(tmp_path).run(CONFIG)
    process = start(CONFIG, tmp_path)
    wait_until(lambda: len(run.metrics) >= 2)
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    reached = run.status["iteration"]
    train(CONFIG, tmp_path, record=RECORDS)
    assert recorded_iterations(run) == [i for i in recorded_iterations(undisturbed) if i > reached]
    assert recorded_signals(run) == [row for row in recorded_signals(undisturbed) if row["iteration"] > reached]
    assert result(run) == result(undisturbed)


def test_a_run_that_is_done_says_that_it_was_not_recorded(tmp_path):
    train(SHORT, tmp_path, record="signals")
    told = []
    run = train(SHORT, tmp_path, record=RECORDS, progress=told.append)
    assert [progress.note for progress in told] == [
        "was done before, without recording weights: for that, train it again in another store"
    ]
    assert run.state == "done" and recorded_iterations(run) == []
    told.clear()
    train(SHORT, tmp_path, record=["signals"], progress=told.append)
    train(SHORT, tmp_path, progress=told.append)
    assert not told
    with pytest.raises(ValueError, match=r"at=20: .* train it in another store with record=\['weights'\]"):
        net_at(run, 20)


def test_an_object_store_takes_the_records(tmp_path):
    there, here = train(SHORT, "memory://recorded", record=RECORDS), train(SHORT, tmp_path, record=RECORDS)
    assert recorded(there) == recorded(here) and result(there) == result(here)
    assert recorded_iterations(there) == [0, 20, 40, 60] and net_at(there, 60).fc.bias is not None
    with pytest.raises(ValueError, match="did not record its weights then; it has those of 0, 20, 40, 60"):
        net_at(there, 10)


def test_of_two_processes_the_first_one_records(tmp_path):
    options = "--depth 8 --profile smoke --precision fp32 --iterations 60 --log-every 20 --record signals,weights"
    _, err = torchrun(2, "-m", "reslab", "train", *options.split(), "--store", tmp_path / "pair").communicate()
    config = RunConfig(**SHORT.to_dict() | dict(precision="fp32"))
    pair = RunStore(tmp_path / "pair").run(config)
    assert pair.state == "done", err
    with torch_threads(1):
        alone = train(config, tmp_path / "alone", device="cpu", compile="never", record=RECORDS)
    assert recorded_iterations(pair) == [0, 20, 40, 60]
    ours, theirs = recorded_signals(pair), recorded_signals(alone)
    assert [row["layer"] for row in ours] == [row["layer"] for row in theirs]
    # At the beginning the weights are the same, and the pictures: each process's share of the batch is eight.
    expected = signals(net_at(alone, 0), *_first(config, 8))
    assert [row["gradient"] for row in ours[:7]] == pytest.approx([each.gradient for each in expected], rel=1e-4)


def _first(config: RunConfig, count: int) -> list[torch.Tensor]:
    with opened(config, "cpu") as source:
        return [tensor[:count] for tensor in source.batch(0)]


# Asked for in other ways


def test_what_cannot_be_recorded_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="'signal' cannot be recorded; did you mean 'signals'"):
        train(SHORT, tmp_path, record=["signal"])
    for task in ("detection", "denoising"):
        with pytest.raises(ValueError, match=f"record='signals' is for runs of classification; .* one of {task}"):
            train(RunConfig(task=task, profile="smoke"), tmp_path, record="weights,signals")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_records(tmp_path):
    command = ["train", "--depth", "8", "--profile", "smoke", "--store", str(tmp_path)]
    refused = CliRunner().invoke(app, [*command, "--record", "wheights"])
    assert refused.exit_code == 2 and "did you mean 'weights'" in refused.output
    assert CliRunner().invoke(app, [*command, "--record", "signals, weights"]).exit_code == 0
    (run,) = RunStore(tmp_path)
    assert recorded_iterations(run) == [0, 3, 6, 9, 12] and len(recorded_signals(run)) == 2 * 7

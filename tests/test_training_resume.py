"""A run stopped in any way ends exactly as one that was not."""

import os
import random
import shutil
import signal
import time
import warnings
from dataclasses import replace

import pytest
import torch
from jupyter_client.manager import start_new_kernel

from reslab import RunConfig, RunStore, train
from reslab.training import checkpoint

from .processes import result, start, wait_until

CONFIG = RunConfig(depth=8, profile="smoke", iterations=300, log_every=20)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = tmp_path_factory.mktemp("undisturbed")
    process = start(CONFIG, store)
    process.join()
    assert process.exitcode == 0
    return result(RunStore(store).run(CONFIG))


def test_twenty_kills_change_nothing(tmp_path, undisturbed):
    chance, run, stopped_at = random.Random(0), RunStore(tmp_path).run(CONFIG), set()
    kills = 0
    while kills < 20:
        goal = len(run.metrics) + chance.choice([0, 1, 1, 2])  # spreads the kills over the run
        process = start(CONFIG, tmp_path)
        wait_until(lambda p=process, goal=goal: len(run.metrics) >= goal or not p.is_alive())
        time.sleep(chance.uniform(0, 0.3))
        if process.is_alive() and run.state != "done":
            process.kill()
            kills += 1
            stopped_at.add(len(run.metrics))
        process.join()
        if run.state == "done":  # finished before the last kill: once more from the start
            assert result(run) == undisturbed
            shutil.rmtree(run.path)
    process = start(CONFIG, tmp_path)
    process.join()
    assert process.exitcode == 0 and run.state == "done"
    assert len(stopped_at) >= 5, "the kills should fall into different parts of the run"
    assert result(run) == undisturbed


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 1)])
def test_signals_write_a_checkpoint_and_leave_the_run_resumable(tmp_path, undisturbed, number, exit_code):
    run = RunStore(tmp_path).run(CONFIG)
    process = start(CONFIG, tmp_path)
    wait_until(lambda: len(run.metrics) >= 2)
    time.sleep(0.03)
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == exit_code
    status = run.status
    assert status["state"] == "interrupted" and status["failure"] is None
    assert checkpoint.load(run.path)["iteration"] == status["iteration"] < CONFIG.iterations
    train(CONFIG, tmp_path)
    assert result(run) == undisturbed


def test_interrupt_kernel_in_jupyter_writes_a_checkpoint_and_the_cell_can_be_run_again(tmp_path, undisturbed):
    run = RunStore(tmp_path).run(CONFIG)
    cell = f"import reslab\nreslab.train(reslab.RunConfig.from_dict({CONFIG.to_dict()!r}), {str(tmp_path)!r})"
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        message = client.execute(cell)
        wait_until(lambda: len(run.metrics) >= 2)
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=30)
        while reply["parent_header"]["msg_id"] != message:  # a slow kernel was asked twice whether it is there
            reply = client.get_shell_msg(timeout=30)
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert run.state == "interrupted"
        assert checkpoint.load(run.path)["iteration"] == run.status["iteration"] < CONFIG.iterations
        assert client.execute_interactive(cell, timeout=60, output_hook=lambda _: None)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert result(run) == undisturbed


@pytest.mark.parametrize("damage", ["half", "flip"])
def test_a_damaged_checkpoint_costs_time_and_nothing_else(tmp_path, undisturbed, damage):
    run = RunStore(tmp_path).run(CONFIG)
    process = start(CONFIG, tmp_path)
    wait_until(lambda: len(run.metrics) >= 4)
    process.kill()
    process.join()
    # The kill may have come between a save's two renames.
    path = next(path for name in checkpoint.NEWEST_FIRST if (path := run.path / name).exists())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 8
    path.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    with pytest.warns(UserWarning, match="damaged"):
        train(CONFIG, tmp_path)
    assert result(run) == undisturbed


def test_a_finished_run_is_returned_untouched(tmp_path):
    config = RunConfig(depth=8, profile="smoke")
    first = train(config, tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in first.path.iterdir()}
    again = train(config, tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in again.path.iterdir()} == before


def test_a_run_goes_on_with_the_threads_it_began_with(tmp_path, undisturbed):
    run = RunStore(tmp_path).run(CONFIG)
    process = start(CONFIG, tmp_path)
    wait_until(lambda: len(run.metrics) >= 2)
    process.kill()
    process.join()
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        train(CONFIG, tmp_path)
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert result(run) == undisturbed
    assert "threads" not in run.provenance["resumed"][0]  # nothing that differs from the first sitting


@pytest.mark.gpu
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_resume_is_exact_on_the_gpu(tmp_path, optimizer):
    config = replace(CONFIG, optimizer=optimizer)
    whole = train(config, tmp_path / "whole", device="cuda")

    def stop_at_40(progress):
        if progress.row and progress.iteration == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), warnings.catch_warnings():
        train(config, tmp_path / "stopped", device="cuda", progress=stop_at_40)
    assert result(train(config, tmp_path / "stopped", device="cuda")) == result(whole)


@pytest.mark.parametrize("shortcut", ["dropout", "stochastic-depth"])
def test_what_a_net_draws_at_random_is_the_same_after_a_stop(tmp_path, shortcut):
    config = RunConfig(depth=8, shortcut=shortcut, profile="smoke", iterations=200, log_every=20)
    whole, other, run = tmp_path / "whole", tmp_path / "other", RunStore(tmp_path / "parts").run(config)
    process = start(config, tmp_path / "parts")
    wait_until(lambda: len(run.metrics) >= 3)
    process.kill()
    process.join()
    assert run.state == "interrupted"
    before = torch.get_rng_state()
    train(config, tmp_path / "parts", device="cpu")
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)  # neither does the state that the caller's random numbers are in matter
    process = start(config, whole)
    process.join()
    assert result(run) == result(RunStore(whole).run(config))
    seed = train(RunConfig(depth=8, shortcut=shortcut, profile="smoke", iterations=200, log_every=20, seed=1), other)
    assert seed.final["train_loss"] != run.final["train_loss"]

"""One run trained by several processes is the run that one process trains, and is stopped and goes on as that one."""

import copy
import json
import os
import shutil
import signal

import pytest
import torch
import torch.distributed as dist
from torch import nn

from reslab import RunConfig, RunStore, cifar_net, load_dataset, train
from reslab.data.tensors import TensorSource
from reslab.threads import torch_threads
from reslab.training import checkpoint
from reslab.training.parallel import SynchronisedNorm, parallel
from reslab.training.processes import SOLO, joined

from .picture_fixtures import folder  # noqa: F401
from .processes import TIME_COLUMNS, connected, result, torchrun, wait_until

CONFIG = RunConfig(depth=8, profile="smoke", precision="fp32", iterations=20, log_every=2)
OPTIONS = "--depth 8 --profile smoke --precision fp32 --iterations 20 --log-every 2"
RANDOM = RunConfig(depth=8, profile="smoke", precision="fp32", shortcut="stochastic-depth")


def command(store, options=OPTIONS):
    return torchrun(2, "-m", "reslab", "train", *options.split(), "--store", store)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    with torch_threads(1):
        return train(CONFIG, tmp_path_factory.mktemp("alone"), device="cpu", compile="never")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    store = tmp_path_factory.mktemp("pair")
    out, err = command(store).communicate()
    run = RunStore(store).run(CONFIG)
    assert run.state == "done", err
    return run, out, err


def difference(run, other):
    """The largest difference of weights and statistics, relative to the largest value of each tensor."""
    ours, theirs = run.weights(), other.weights()
    assert ours.keys() == theirs.keys()
    return max(float((ours[n] - theirs[n]).abs().max() / theirs[n].abs().max().clamp(min=1e-30)) for n in ours)


def test_two_processes_give_one_processs_parameters_after_20_iterations(alone, pair):
    # 9e-7 was measured: float32 rounds at 6e-8. With a batch norm of each share alone it was 0.3.
    assert difference(pair[0], alone) < 1e-5
    for ours, theirs in zip(pair[0].metrics, alone.metrics, strict=True):
        for name in ours.keys() - TIME_COLUMNS:
            assert ours[name] == pytest.approx(theirs[name], rel=1e-5), name


def test_one_of_them_speaks_and_writes(alone, pair):
    run, out, err = pair
    assert out.count("training error") == 1 and "Warning" not in err
    assert run.provenance["processes"] == 2 and not run.provenance["compiled"]
    assert alone.provenance["processes"] == 1


def test_killed_and_stopped_runs_end_as_the_one_that_was_not(tmp_path, pair):
    store = tmp_path / "store"
    run = RunStore(store).run(CONFIG)
    processes = command(store)
    wait_until(lambda: len(run.metrics) >= 2)
    os.kill(run.status["pid"], signal.SIGKILL)
    processes.communicate()
    assert processes.returncode != 0 and run.state == "interrupted"
    reached = checkpoint.load(run.path)["iteration"]
    assert reached < CONFIG.iterations
    shutil.copytree(store, tmp_path / "copy")

    processes = command(store)
    wait_until(lambda: len(run.metrics) > reached / CONFIG.log_every + 1)
    processes.terminate()
    processes.communicate()
    status = run.status
    assert status["state"] == "interrupted" and status["failure"] is None
    assert reached < checkpoint.load(run.path)["iteration"] == status["iteration"] < CONFIG.iterations

    command(store).communicate()
    assert result(run) == result(pair[0])
    with pytest.warns(UserWarning, match="by 2 processes up to here and goes on with 1: .* rounded differently"):
        other = train(CONFIG, tmp_path / "copy", device="cpu")
    assert difference(other, pair[0]) < 1e-5
    assert other.provenance["resumed"][-1]["processes"] == 1


# Of pictures as large as these a net of the ImageNet family leaves some 2 x 2 values for its last norms.
PICTURES = dict(profile="smoke", family="imagenet", depth=18, width=4, image_size=64, scale=(64, 80), batch=8)
PICTURES |= dict(precision="fp32", iterations=6, lr_drops=())

SCRIPT = """\
import json, os, sys
from pathlib import Path
from reslab import RunConfig, train
from reslab.training.loop import RunFailed

store, folder, rank = sys.argv[1], sys.argv[2], os.environ["RANK"]
config, said = dict(depth=8, profile="smoke", precision="fp32"), []
try:
    train(RunConfig(**config, seed=int(rank)), store)
except ValueError as error:
    said.append(str(error))
try:
    train(RunConfig(**config, lr=1e30), store)
except RunFailed as error:
    said.append(str(error))
for run in (
    train(RunConfig(**config, shortcut="stochastic-depth"), store),
    train(RunConfig(dataset=f"folder:{folder}", **PICTURES), store, workers=1),
):
    said.append(f"{run.id} {run.state}")
Path(store, f"said by {rank}").write_text(json.dumps(said))
""".replace("**PICTURES", ", ".join(f"{name}={value!r}" for name, value in PICTURES.items()))


def test_a_script_gets_the_run_or_the_error_in_every_process(tmp_path, folder):  # noqa: F811
    (tmp_path / "script.py").write_text(SCRIPT)
    processes = torchrun(2, tmp_path / "script.py", tmp_path / "store", folder)
    _, err = processes.communicate()
    assert processes.returncode == 0, err
    said, same = (json.loads((tmp_path / "store" / f"said by {rank}").read_text()) for rank in range(2))
    assert said == same
    other, failed, *done = said
    pictures = RunConfig(dataset=f"folder:{folder}", **PICTURES)
    assert "all processes must train the same run" in other
    assert "loss of iteration 1 (lr 1e+30) is not finite" in failed
    assert done == [f"{RANDOM.id} done", f"{pictures.id} done"]
    store = RunStore(tmp_path / "store")
    assert sorted(run.state for run in store) == ["done", "done", "failed"]
    for config in (RANDOM, pictures):  # it skips the same blocks, and sees the same pictures, as one process does
        alone = train(config, tmp_path / "alone", device="cpu", compile="never", workers=0)
        assert difference(store.run(config), alone) < 1e-4  # 3e-6 and 1.2e-5 were measured


def test_a_batch_that_cannot_be_shared_is_refused_in_one_sentence(tmp_path):
    processes = command(tmp_path / "store", "--depth 8 --profile smoke --batch 15")
    _, err = processes.communicate()
    assert processes.returncode == 1
    assert err.count("batch=15 cannot be shared equally by 2 processes") == 1
    assert err.count("Traceback") == 1  # torchrun's own
    assert not (tmp_path / "store").exists()


def test_without_torchrun_there_is_one_process():
    with joined() as processes:
        assert processes is SOLO and not dist.is_initialized()
    assert SOLO.lead(lambda: 3) == SOLO.together(lambda: 3) == SOLO.one_first(lambda: 3) == SOLO.largest(3) == 3


def test_the_shares_are_the_batch_of_one_process():
    data, arguments = load_dataset("shapes"), (8, 12, 0, 0, "cpu")
    whole, parts = TensorSource(data, *arguments), [TensorSource(data, *arguments, (r, 3)) for r in range(3)]
    for iteration in (0, 900):
        images, labels = zip(*(part.batch(iteration) for part in parts), strict=True)
        assert torch.equal(torch.cat(images), whole.batch(iteration)[0])
        assert torch.equal(torch.cat(labels), whole.batch(iteration)[1])
    held_out = [labels for part in parts for _, labels in part.held_out()]
    assert sum(map(len, held_out)) == len(data.test_labels)
    assert torch.equal(torch.cat(held_out).sort().values, data.test_labels.sort().values)


def norms_input():
    """Images [6, 5, 4, 4] of which no two thirds are alike, gradients of the output, and a norm with weights."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 5, 4, 4, generator=generator, dtype=torch.float64) + torch.arange(6.0).view(-1, 1, 1, 1)
    norm = nn.BatchNorm2d(5, dtype=torch.float64)
    nn.init.normal_(norm.weight, generator=generator)
    nn.init.normal_(norm.bias, generator=generator)
    return x.requires_grad_(), torch.randn(x.shape, generator=generator, dtype=torch.float64), norm


def after(norm, x, dy):
    """What a norm computes: output, gradients of input, weight and bias, and statistics."""
    y = norm(x)
    y.backward(dy)
    return dict(y=y.detach(), dx=x.grad, dw=norm.weight.grad, db=norm.bias.grad, state=copy.deepcopy(norm.state_dict()))


def third_of_a_norm(rank, _folder):
    """In float64, and in bf16 with float32 weights, as the profiles train."""
    x, dy, norm = norms_input()
    x, dy = x.detach().chunk(3)[rank], dy.chunk(3)[rank]
    exact = after(SynchronisedNorm(copy.deepcopy(norm)), x.clone().requires_grad_(), dy)
    return exact, after(SynchronisedNorm(norm.float()), x.bfloat16().requires_grad_(), dy.bfloat16())


def test_the_synchronised_norm_is_batch_norm_on_the_whole_batch(tmp_path):
    (thirds, rounded), (x, dy, norm) = zip(*connected(3, tmp_path, third_of_a_norm), strict=True), norms_input()
    own = after(copy.deepcopy(norm), x.detach().chunk(3)[0].requires_grad_(), dy.chunk(3)[0])
    whole = after(norm, x, dy)
    close = dict(rtol=1e-12, atol=1e-12)
    for name in ("y", "dx"):
        torch.testing.assert_close(torch.cat([third[name] for third in thirds]), whole[name], **close)
        assert (own[name] - thirds[0][name]).abs().max() > 0.1, "a norm of the share alone would not do"
    for name in ("dw", "db"):
        torch.testing.assert_close(sum(third[name] for third in thirds), whole[name], **close)
    for third in thirds:
        torch.testing.assert_close(dict(third["state"]), dict(whole["state"]), **close)
    for name in ("y", "dx"):  # bf16 has eight bits
        both = torch.cat([third[name] for third in rounded]).double(), whole[name]
        assert rounded[0][name].dtype == torch.bfloat16 and (both[0] - both[1]).abs().max() < 0.02 * both[1].abs().max()


def gradients_twice(rank, _folder):
    """Two passes over the same share, and the net's state before and after the first."""
    net = cifar_net(8, width=4, generator=torch.Generator().manual_seed(0))
    before = copy.deepcopy(net.state_dict())
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(rank))
    net = parallel(net, lambda model: model(images).square().sum())
    first, passes = copy.deepcopy(net.module.state_dict()), []
    for _ in range(2):
        net.zero_grad()
        net(images).square().sum().backward()
        passes.append([parameter.grad.clone() for parameter in net.parameters()])
    return before, first, passes


def test_the_first_gradients_of_a_sitting_are_rounded_as_all_others(tmp_path):
    results = connected(3, tmp_path, gradients_twice)  # of two processes there is one sum only
    for before, first, passes in results:
        assert before.keys() == first.keys() and all(torch.equal(before[name], first[name]) for name in before)
        assert all(map(torch.equal, *passes))
        assert all(map(torch.equal, passes[0], results[0][2][0]))


@pytest.mark.gpu
def test_a_norm_over_nccl_is_batch_norm(tmp_path):
    """With as many processes as one GPU allows, which is one: the kernels and the sums are those of several."""
    dist.init_process_group("cpu:gloo,cuda:nccl", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        x, dy, norm = (thing.to("cuda") for thing in norms_input())
        ours = after(SynchronisedNorm(copy.deepcopy(norm)), x.detach().clone().requires_grad_(), dy)
        theirs = after(norm, x.detach().requires_grad_(), dy)
        for name in ("y", "dx", "dw", "db"):
            torch.testing.assert_close(ours[name], theirs[name], rtol=1e-10, atol=1e-10)
        net = cifar_net(8).to("cuda")
        images = torch.randn(4, 3, 32, 32, device="cuda")
        parallel(net, lambda model: model(images).square().sum())(images).sum().backward()
        assert all(parameter.grad is not None for parameter in net.parameters())
    finally:
        dist.destroy_process_group()

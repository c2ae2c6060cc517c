"""train() against a loop written out by hand, and what it records."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from reslab import RunConfig, RunStore, cifar_net, load_dataset, precision, train
from reslab.data.batches import Batches, resize
from reslab.training import checkpoint
from reslab.training.loop import RunFailed, pick_device
from reslab.training.schedule import learning_rate
from reslab.training.task import Classification

CONFIG = RunConfig(depth=8, profile="smoke", precision="fp32")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(CONFIG, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def by_hand():
    """The same training, written out: plain SGD by its formula, contiguous tensors, every loss kept."""
    data = load_dataset("shapes")
    batches = Batches(resize(data.train_images, 8), data.train_labels, CONFIG.batch, CONFIG.seed, "cpu")
    net = cifar_net(8, "A", width=4, generator=torch.Generator().manual_seed(0))
    velocity = [torch.zeros_like(p) for p in net.parameters()]
    losses, errors = [], []
    for iteration in range(CONFIG.iterations):
        images, labels = batches(iteration)
        logits = net(images.contiguous())
        loss = F.cross_entropy(logits, labels)
        losses.append(loss.item())
        errors.append(100 * (logits.argmax(1) != labels).double().mean().item())
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p, v in zip(net.parameters(), velocity, strict=True):
                v.mul_(0.9).add_(p.grad + 1e-4 * p)
                p.sub_(learning_rate(CONFIG, iteration) * v)
    net.eval()
    with torch.no_grad():
        test = batches.normalise(resize(data.test_images, 8).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        logits = net(test.contiguous())
    test_loss = F.cross_entropy(logits, data.test_labels).item()
    return net.state_dict(), losses, errors, test_loss, 100 * (logits.argmax(1) != data.test_labels).double().mean()


def test_weights_are_those_of_the_loop_written_by_hand(run, by_hand):
    weights = run.weights()
    assert set(weights) == set(by_hand[0])
    for name, expected in by_hand[0].items():
        torch.testing.assert_close(weights[name], expected, rtol=2e-3, atol=2e-4, msg=lambda m, n=name: f"{n}: {m}")


def test_the_runs_net_is_the_trained_one_in_evaluation_mode(run):
    net = run.net()
    assert not net.training and all(torch.equal(net.state_dict()[name], w) for name, w in run.weights().items())


def test_recorded_numbers_are_those_of_the_loop_written_by_hand(run, by_hand):
    _, losses, errors, test_loss, test_error = by_hand
    every = CONFIG.log_every
    means = [sum(losses[i : i + every]) / every for i in range(0, len(losses), every)]
    error_means = [sum(errors[i : i + every]) / every for i in range(0, len(errors), every)]
    assert run.column("iteration") == [3, 6, 9, 12]
    assert run.column("train_loss") == pytest.approx(means, rel=1e-3)
    assert run.column("train_error") == pytest.approx(error_means, abs=100 / (every * CONFIG.batch) + 1e-3)
    assert run.final["test_loss"] == pytest.approx(test_loss, rel=1e-3)
    assert run.final["test_error"] == pytest.approx(float(test_error), abs=0.2)
    assert run.column("lr") == pytest.approx([0.03, 0.03, 0.003, 0.0003])
    assert run.final["epoch"] == pytest.approx(12 * 16 / 10_000)
    assert run.final["seconds"] > 0 and run.final["images_per_second"] > 0


def test_run_folder_is_complete(run):
    names = {path.name for path in run.path.iterdir()}
    assert {"config.json", "metrics.csv", "status.json", "provenance.json", "checkpoint.pt"} <= names
    assert "weights.safetensors" in names
    assert run.config == CONFIG and run.id == CONFIG.id
    provenance = run.provenance
    assert provenance["torch"] == torch.__version__ and provenance["precision"] == "fp32"
    assert provenance["dataset_fingerprint"] == load_dataset("shapes").fingerprint
    assert provenance["device"] == str(pick_device()) and provenance["threads"] == torch.get_num_threads()


def test_bf16_stays_near_fp32_and_keeps_float32_weights(run, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bf16", lambda device: True)  # or emulates it
    half = train(dataclasses.replace(CONFIG, precision="bf16"), tmp_path)
    assert {t.dtype for n, t in half.weights().items() if "num_batches" not in n} == {torch.float32}
    assert half.column("train_loss") == pytest.approx(run.column("train_loss"), rel=0.05)
    assert half.column("train_loss") != run.column("train_loss")
    assert half.provenance["precision"] == "bf16"


def test_without_products_of_bf16_a_run_in_bf16_computes_in_float32_and_says_so(run, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bf16", lambda device: False)
    half = train(dataclasses.replace(CONFIG, precision="bf16"), tmp_path)
    assert half.column("train_loss") == run.column("train_loss")
    assert half.config.precision == "bf16" and half.provenance["precision"] == "fp32"


def test_seeds_differ(run, tmp_path):
    other = train(dataclasses.replace(CONFIG, seed=1), tmp_path)
    assert other.column("train_loss") != run.column("train_loss")


def test_progress_reports_every_log_point(tmp_path):
    seen = []
    run = train(dataclasses.replace(CONFIG, seed=2), tmp_path, progress=seen.append)
    assert [p.row["iteration"] for p in seen if p.row] == run.column("iteration")
    assert {p.iterations for p in seen} == {CONFIG.iterations}


def test_val_split_evaluates_held_out_training_images():
    data = load_dataset("shapes")
    task = Classification(RunConfig(profile="smoke", val_split=500), data, "cpu")
    assert len(task.source.batches.images) == 9_500 and len(task.source.images) == 500
    assert RunConfig(profile="paper", val_split=5000).batches_per_epoch == 45_000 // 128


def test_depth_110_warms_up_until_the_error_falls(tmp_path):
    config = RunConfig(depth=110, profile="smoke", width=1, iterations=6, lr_drops=(), warmup_error=100.0)
    assert train(config, tmp_path).column("lr") == pytest.approx([0.003, 0.03])
    never = dataclasses.replace(config, warmup_error=0.0)
    assert train(never, tmp_path).column("lr") == pytest.approx([0.003, 0.003])


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    real = Classification.batch

    def poisoned(self, iteration):
        images, labels = real(self, iteration)
        return (images * math.nan if iteration >= 7 else images), labels

    monkeypatch.setattr(Classification, "batch", poisoned)
    with pytest.raises(RunFailed, match=r"iteration 7 \(lr 0.003\) is not finite"):
        train(CONFIG, tmp_path)
    run = RunStore(tmp_path).run(CONFIG)
    assert run.state == "failed" and "iteration 7 (lr 0.003)" in run.status["failure"]["message"]
    assert checkpoint.load(run.path)["iteration"] == 6 and run.column("iteration") == [3, 6]
    assert not (run.path / "weights.safetensors").exists()
    monkeypatch.undo()
    assert train(CONFIG, tmp_path).state == "done"


def test_divergence_is_noticed(tmp_path):
    with pytest.raises(RunFailed, match=r"lr 1e\+30"):
        train(dataclasses.replace(CONFIG, lr=1e30), tmp_path)


@pytest.mark.parametrize(("device", "words"), [("cuda", "no CUDA device"), ("gpu", "not a device")])
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(tmp_path, monkeypatch, device, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=words):
        train(CONFIG, tmp_path / "store", device=device)
    assert not (tmp_path / "store").exists()


@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_nothing_in_the_inner_loop_waits_for_the_gpu(compiled):
    from reslab.training.state import State, step

    config = RunConfig(depth=8, profile="smoke", iterations=1000)
    task = Classification(config, load_dataset("shapes"), "cuda")
    state = State.fresh(task, config, torch.device("cuda"), compiled)
    state.iteration = config.batches_per_epoch - 10  # so that a new epoch begins under watch
    for _ in range(5):  # what is compiled and recorded is so by then
        step(state, task, config)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(20):
            step(state, task, config)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert state.iteration == config.batches_per_epoch + 15  # past the epoch's end, and nothing has raised

"""The timing benchmark: a clock that only nets move, counts of the papers and of torchvision, mistakes."""

import math

import pytest
import torch
from torch import nn
from torch.utils.benchmark import Timer
from torchvision.models import get_model_weights

from reslab.bench import running, timing
from reslab.bench.named import Named, named_net, with_rivals
from reslab.bench.running import BOTH, FORWARD, RunningNet
from reslab.bench.times import Timing, ratio_to_twin, timing_of, timing_row
from reslab.bench.timing import TimingPlan, time_nets
from reslab.fast.norm import FusedNorm
from reslab.precision import computed_in

CPU = torch.device("cpu")


def one(seconds, net="resnet-18", twin="torchvision:resnet18", mode=FORWARD, batch=4, **other):
    values = dict(size=224, precision="fp32", channels_last=False, depth=18, parameters=1, multiply_adds=2)
    return Timing(net, twin, mode, batch, **values | other, seconds=tuple(seconds))


# Clocks


class Clock:
    """Seconds that pass only in nets; `runs` are (net, whether it trained, images) of each."""

    def __init__(self):
        self.now, self.runs = 0.0, []


class Tick(nn.Module):
    """A net that takes `seconds` of the clock, a second more in each timed batch, and twice that in training."""

    def __init__(self, clock, name, seconds):
        super().__init__()
        self.clock, self.name, self.seconds, self.layer = clock, name, seconds, nn.Linear(3, 10)

    def forward(self, images):
        self.clock.runs.append((self.name, self.training, len(images)))
        self.clock.now += self.seconds * (1 + self.training)
        self.seconds += 0.5  # each timed batch comes after one that is not
        return self.layer(images.mean((2, 3)))


@pytest.fixture
def clock(monkeypatch):
    """named_net knows "a", which takes 1 s at first, and "b", which takes 10 s and is the twin of "c", 20 s."""
    clock, costs = Clock(), dict(a=1.0, b=10.0, c=20.0)

    def make(name):
        return Named(name, lambda: Tick(clock, name, costs[name]), 8, twin="b" if name == "c" else None)

    monkeypatch.setattr(timing, "named_net", make)
    monkeypatch.setattr(running, "Timer", lambda *a, **more: Timer(*a, timer=lambda: clock.now, **more))
    return clock


def test_times_mean_and_spread_by_a_clock_that_the_net_moves(clock):
    (result,) = time_nets(["a"], batch=5, batches=3, warm_up=4, mode="forward", device="cpu")
    # Two runs count operations, four warm up, and each timed one comes after one that is not: 8th, 10th and 12th.
    assert result.seconds == (4.5, 5.5, 6.5)
    assert (result.n, result.mean, result.std) == (3, 5.5, 1.0)
    assert result.images_per_second == pytest.approx(5 / 5.5)
    assert clock.runs[2:] == [("a", False, 5)] * (4 + 2 * 3)


def test_forward_is_evaluation_and_both_trains(clock):
    forward, both = time_nets(["a"], batch=2, batches=2, warm_up=0, device="cpu")
    assert (forward.mode, both.mode) == ("forward", "forward + backward")
    # Rounds: forward, both; then backwards: both, forward. Two runs each, the first two of all having counted.
    assert [trained for _, trained, _ in clock.runs[2:]] == [False] * 2 + [True] * 4 + [False] * 2
    assert forward.seconds == (1 + 3 * 0.5, 1 + 9 * 0.5)
    assert both.seconds == (2 * (1 + 5 * 0.5), 2 * (1 + 7 * 0.5))


def test_everyone_has_a_batch_in_each_round_and_twins_are_neighbours(clock):
    told = []
    results = time_nets(
        ["b", "a", "c"], lambda *said: told.append(said), batch=2, batches=2, warm_up=0, mode="forward", device="cpu"
    )
    assert [result.net for result in results] == ["b", "a", "c"]
    timed = [name for name, _, images in clock.runs if images == 2]
    assert timed == [name for name in "bcaacb" for _ in range(2)]  # the second round goes backwards
    assert [done for _, done, _ in told] == list(range(9)) and {total for *_, total in told} == {9}
    assert told[-1][0] == "b, forward, batch 2: 2 of 2"


def test_every_batch_size_is_timed(clock):
    results = time_nets(["a", "c"], batch=(2, 4, 2), batches=2, warm_up=0, mode="forward", device="cpu")
    assert [(result.net, result.batch) for result in results] == [("a", 2), ("a", 4), ("c", 2), ("c", 4)]


def test_the_callers_random_numbers_and_threads_stay():
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    time_nets(["cifar-8"], batch=2, size=8, batches=2, warm_up=0, threads=threads + 1, device="cpu")
    assert torch.equal(torch.random.get_rng_state(), state) and torch.get_num_threads() == threads


# Ratios


def test_a_ratio_is_that_of_the_same_round():
    theirs = one([1, 1, 4], net="torchvision:resnet18", twin=None)
    mine = one([2, 3, 4])  # ratios 2, 3 and 1; those of the means or medians would be 1.5 and 3
    assert ratio_to_twin(mine, [theirs, mine]) == (2, None, None)
    assert ratio_to_twin(theirs, [theirs, mine]) is None
    assert ratio_to_twin(mine, [mine, one([1, 1, 1], net="torchvision:resnet18", mode=BOTH)]) is None
    assert ratio_to_twin(mine, [mine, one([1, 1, 1], net="torchvision:resnet18", batch=8)]) is None


@pytest.mark.parametrize(("n", "rank"), [(6, 1), (20, 6), (100, 40)])
def test_the_interval_of_the_median_is_between_order_statistics(n, rank):
    """The median is outside of the k-th smallest and largest of n with twice the chance of fewer than k heads."""
    outside = [2 * sum(math.comb(n, i) for i in range(k)) / 2**n for k in (rank, rank + 1)]
    assert outside[0] <= 0.05 < outside[1]
    shuffled = [1 + 7 * i % n for i in range(n)]  # 1 to n: 7 divides none of them
    mine, theirs = one(shuffled), one([1] * n, net="torchvision:resnet18")
    assert ratio_to_twin(mine, [mine, theirs]) == ((n + 1) / 2, rank, n + 1 - rank)


def test_a_row_says_it_all_and_can_be_read_back():
    mine, theirs = one([0.5, 1.5]), one([0.25, 0.5], net="torchvision:resnet18", twin=None)
    row = timing_row(mine, [mine, theirs])
    assert (row["n"], row["mean"], row["images_per_second"], row["ratio"]) == (2, 1.0, 4.0, 2.5)
    assert row["std"] == pytest.approx(math.sqrt(0.5)) and row["ratio_low"] is None
    assert timing_of(row) == mine
    assert timing_row(theirs, [mine, theirs])["ratio"] is None


# Nets


@pytest.mark.parametrize(
    ("name", "depth", "parameters", "billions"),
    [  # FACTS: He et al. 2015, tables 1 and 6, and torchvision's counts; VGG as the paper gives it
        ("resnet-18", 18, 11_689_512, 1.8),
        ("plain-34", 34, None, 3.6),
        ("resnet-50", 50, 25_557_032, None),
        ("cifar-56", 56, 853_018, None),
        ("cifar-20-none", 20, 269_722, None),
        ("torchvision:vgg16", 16, None, 15.3),
    ],
)
def test_depth_parameters_and_multiply_adds(name, depth, parameters, billions):
    net = RunningNet(named_net(name), CPU, None, "fp32", False)
    assert net.depth == depth and net.size == (32 if "cifar" in name else 224)
    assert parameters is None or net.parameters == parameters
    assert billions is None or net.multiply_adds / 1e9 == pytest.approx(billions, rel=0.03)


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "mobilenet_v3_small", "swin_t"])
def test_multiply_adds_are_those_that_torchvision_publishes(name):
    net = RunningNet(named_net(f"torchvision:{name}"), CPU, None, "fp32", False)
    published = get_model_weights(name)["IMAGENET1K_V1"].meta
    assert net.multiply_adds / 1e9 == pytest.approx(published["_ops"], abs=0.001)
    assert net.parameters == published["num_params"]
    if name == "resnet50":
        assert net.multiply_adds == RunningNet(named_net("resnet-50"), CPU, None, "fp32", False).multiply_adds


def test_forward_keeps_nothing_and_both_has_gradients_but_no_update():
    net = RunningNet(named_net("cifar-8"), CPU, 8, "fp32", False)
    before = {name: tensor.clone() for name, tensor in net.model.state_dict().items()}
    assert net.prepared(2, FORWARD, 1, 1)() > 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.model.state_dict().items())
    assert all(parameter.grad is None for parameter in net.model.parameters())
    assert net.prepared(2, BOTH, 0, 1)() > 0
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.model.parameters())
    assert all(torch.equal(parameter, before[name]) for name, parameter in net.model.named_parameters())


def test_fast_is_the_same_net_as_it_trains():
    torch.manual_seed(0)
    fast = RunningNet(named_net("fast:cifar-8"), CPU, 16, "fp32", False)
    assert (fast.precision, fast.channels_last, fast.named.twin) == (computed_in("bf16", CPU), True, None)
    assert any(isinstance(module, FusedNorm) for module in fast.model.modules())
    assert fast.model.stem.conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert fast.prepared(2, BOTH, 0, 1)() > 0
    assert named_net("fast:resnet-50").twin == "torchvision:resnet50"


def test_fast_without_kernels_is_refused(monkeypatch):
    monkeypatch.setattr(running, "accelerate", lambda net, device: net)
    with pytest.raises(ValueError, match="fast:cifar-8 cannot be had here"):
        RunningNet(named_net("fast:cifar-8"), CPU, 8, "fp32", False)


def test_only_the_same_net_is_a_twin():
    assert named_net("resnet-34").twin == named_net("resnet-34-B").twin == "torchvision:resnet34"
    assert {named_net(name).twin for name in ("resnet-34-A", "plain-34", "cifar-56", "torchvision:resnet34")} == {None}


def test_rivals_come_after_each_net():
    assert with_rivals(["resnet-18", "plain-18"], torchvision=True, fast=True) == [
        *("resnet-18", "torchvision:resnet18", "fast:resnet-18"),
        *("plain-18", "fast:plain-18"),
    ]
    assert with_rivals(["torchvision:vgg16", "fast:resnet-18"], torchvision=True, fast=True) == [
        *("torchvision:vgg16", "fast:resnet-18", "torchvision:resnet18")
    ]
    assert with_rivals(["resnet-18"]) == ["resnet-18"]


# Mistakes


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet50", "no net 'resnet50'; did you mean torchvision:resnet50 or resnet-50"),
        ("vgg16", "did you mean torchvision:vgg16"),
        ("torchvision:resnet-50", "did you mean torchvision:resnet50"),
        ("plain-34-A", "did you mean plain-34"),
        ("zzzzzz", r"no net 'zzzzzz'\. Names are resnet-DEPTH"),
        ("fast:torchvision:vgg16", "goes before one of ours"),
        ("fast:fast:resnet-18", "goes before one of ours"),
    ],
)
def test_an_unknown_name_is_answered_with_the_closest(name, sentence):
    with pytest.raises(ValueError, match=sentence):
        TimingPlan((name,), device="cpu")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(names=()), "there is nothing to time"),
        (dict(batch=0), r"batch=\(0,\) is not possible; it must be at least 1"),
        (dict(batch=()), r"batch=\(\) is not possible"),
        (dict(size=0), "size=0 is not possible; it must be at least 1"),
        (dict(batches=1), "batches=1 is not possible; it must be at least 2"),
        (dict(warm_up=-1), "warm_up=-1 is not possible; it must be at least 0"),
        (dict(threads=0), "threads=0 is not possible"),
        (dict(precision="fp16"), "precision='fp16' is not possible; allowed: "),
        (dict(mode="backward"), "mode='backward' is not possible; allowed: forward, both"),
        (dict(device="tpu"), "device='tpu' is not a device"),
    ],
)
def test_a_plan_that_is_not_possible(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        TimingPlan(**dict(names=("resnet-18",), device="cpu") | options)


def test_what_is_not_given_suits_the_device():
    plan = TimingPlan(("cifar-8", "cifar-8"), device="cpu", batches=7)
    assert (plan.names, plan.batch, plan.batches, plan.warm_up) == (("cifar-8",), (4,), 7, 2)
    assert plan.threads == torch.get_num_threads()


@pytest.mark.parametrize(
    ("names", "options", "kind", "sentence"),
    [
        ("resnet-51", {}, ValueError, "depth=51 is none of the ImageNet family's"),
        ("resnet-18-X", {}, ValueError, "shortcut='X' is unknown"),
        ("plain-50", {}, ValueError, "depth=50 has no plain twin"),
        ("torchvision:alexnet", dict(size=8), ValueError, "torchvision:alexnet with 1 image of 8x8 does not work: "),
        ("cifar-8", dict(size=1, batch=1), ValueError, "cifar-8 with 1 image of 1x1 does not work: Expected more than"),
        ("cifar-8", dict(batch=10**12), MemoryError, "cifar-8 with 1000000000000 images of 32x32 does not fit"),
    ],
)
def test_what_a_net_does_not_take(names, options, kind, sentence):
    with pytest.raises(kind, match=sentence):
        time_nets([names], **dict(batches=2, warm_up=0, device="cpu") | options)


def test_a_gpu_that_is_full_says_what_to_do(clock, monkeypatch):
    def forward(self, images):
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB.")
        return self.layer(images.mean((2, 3)))

    monkeypatch.setattr(Tick, "forward", forward)
    with pytest.raises(MemoryError, match="a with 64 images of 8x8 does not fit into memory; make the batch or"):
        time_nets(["a"], batch=64, batches=2, device="cpu")


@pytest.mark.gpu
def test_on_a_gpu_the_clock_waits_for_the_device():
    results = time_nets(["resnet-18", "fast:resnet-18"], batch=16, batches=6, warm_up=3, device="cuda")
    eager = next(r for r in results if r.net == "resnet-18" and r.mode == BOTH)
    assert 2 * 3 * eager.multiply_adds * eager.batch / eager.mean < 2e15  # operations a second: no GPU does more

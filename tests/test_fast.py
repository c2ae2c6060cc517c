"""Building the kernels, choosing to, falling back, and the heap."""

import copy
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

import reslab.fast.build as build
from reslab import RunConfig, RunStore, cifar_net, train
from reslab.fast import Compiled, Recorded, accelerate, wanted
from reslab.fast.choice import cost, saving
from reslab.nets.shortcuts import SHORTCUTS, IdentityPadded, register

from .processes import result

CPU = torch.device("cpu")
CONFIG = RunConfig(depth=8, profile="smoke", precision="fp32")


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A machine that has built nothing yet; as it was, afterwards."""
    monkeypatch.setenv("RESLAB_CACHE", str(tmp_path / "cache"))
    build.kernels.cache_clear()
    yield tmp_path / "cache"
    build.kernels.cache_clear()


class TestBuild:
    def test_the_library_is_built_once_and_found_again(self, fresh):
        build.kernels()
        (library,) = fresh.iterdir()
        built = library.stat().st_mtime_ns
        build.kernels.cache_clear()
        build.kernels()
        assert [(p, p.stat().st_mtime_ns) for p in fresh.iterdir()] == [(library, built)]

    def test_other_flags_make_another_library(self, fresh, monkeypatch):
        build.kernels()
        monkeypatch.setattr(build, "FLAGS", (*build.FLAGS, "-fno-math-errno"))
        build.kernels.cache_clear()
        build.kernels()
        assert len(list(fresh.iterdir())) == 2

    @pytest.mark.parametrize(
        ("compiler", "words"),
        [("no-such-compiler", "no C.. compiler .no-such-compiler.*install"), ("false", "ended with 1")],
    )
    def test_a_compiler_that_does_not_work_is_one_warning_and_the_net_as_it_is(
        self, fresh, monkeypatch, compiler, words
    ):
        monkeypatch.setenv("CXX", compiler)
        net = cifar_net(8)
        with pytest.warns(UserWarning, match=f"without compiled kernels.*{words}") as caught:
            assert accelerate(net, CPU) is net
        assert len(caught) == 1

    def test_training_goes_on_without(self, fresh, monkeypatch, tmp_path):
        monkeypatch.setenv("CXX", "no-such-compiler")
        with pytest.warns(UserWarning, match="slower"):
            run = train(CONFIG, tmp_path / "a", compile="always")
        assert result(run) == result(train(CONFIG, tmp_path / "b", compile="never"))

    def test_a_damaged_library_is_built_again(self, fresh):
        fresh.mkdir()
        path = fresh / f"kernels-{build._fingerprint(build._compiler())}.so"
        path.write_bytes(b"no library")
        build.kernels()
        assert path.stat().st_size > 1000

    def test_a_cache_that_cannot_be_written_to_is_a_sentence(self, fresh):
        fresh.write_text("a file, where a folder should be")
        with pytest.warns(UserWarning, match="RESLAB_CACHE"):
            accelerate(cifar_net(8), CPU)

    def test_a_compiler_with_arguments(self, fresh, monkeypatch):
        monkeypatch.setenv("CXX", f"{build._compiler()[0]} -DLANES_UNUSED")
        build.kernels()
        assert "LANES_UNUSED" in build._run([*build._compiler(), "-dM", "-E", "-x", "c++", "/dev/null"])
        assert len(list(fresh.iterdir())) == 1

    def test_a_run_that_began_without_goes_on_without(self, fresh, monkeypatch, tmp_path):
        def stop_at_6(progress):
            if progress.row and progress.iteration == 6:
                raise KeyboardInterrupt

        with monkeypatch.context() as patched, pytest.warns(UserWarning, match="no C.. compiler"):
            patched.setenv("CXX", "no-such-compiler")
            with pytest.raises(KeyboardInterrupt):
                train(CONFIG, tmp_path / "a", compile="always", progress=stop_at_6)
        build.kernels.cache_clear()
        run = train(CONFIG, tmp_path / "a", compile="always")
        assert run.provenance["compiled"] is False
        assert result(run) == result(train(CONFIG, tmp_path / "b", compile="never"))


class TestChoice:
    def test_auto_compiles_where_the_saving_exceeds_the_cost(self):
        assert not wanted("auto", CONFIG, CPU)
        assert all(wanted("auto", RunConfig(20, profile=p), CPU) for p in ("demo", "short", "paper"))

    def test_a_longer_run_is_worth_it_where_a_short_one_is_not(self):
        worth = [n for n in range(1, 3000) if wanted("auto", replace(CONFIG, iterations=n, lr_drops=()), CPU)]
        assert worth and worth == list(range(worth[0], 3000))
        assert saving(replace(CONFIG, iterations=worth[0], lr_drops=()), "cpu") > cost(CONFIG, "cpu")

    def test_always_and_never(self):
        assert wanted("always", CONFIG, CPU) and not wanted("never", RunConfig(56, profile="paper"), CPU)

    def test_anything_else_is_refused_before_anything_is_written(self, tmp_path):
        with pytest.raises(ValueError, match="compile='yes' is not possible; allowed: auto, always, never"):
            train(CONFIG, tmp_path / "store", compile="yes")
        assert not (tmp_path / "store").exists()


class TestTraining:
    def test_compiled_training_differs_by_rounding_only(self, tmp_path):
        fast, plain = train(CONFIG, tmp_path / "a", compile="always"), train(CONFIG, tmp_path / "b", compile="never")
        assert fast.provenance["compiled"] and not plain.provenance["compiled"]
        assert fast.id == plain.id
        for name, weights in plain.weights().items():
            torch.testing.assert_close(fast.weights()[name], weights, rtol=2e-3, atol=2e-4)
        assert fast.column("train_loss") == pytest.approx(plain.column("train_loss"), rel=1e-4)

    def test_a_run_goes_on_as_it_began(self, tmp_path):
        config = RunConfig(depth=8, profile="smoke", iterations=60, log_every=10)  # bf16

        def stop_at_30(progress):
            if progress.row and progress.iteration == 30:
                raise KeyboardInterrupt

        whole = train(config, tmp_path / "whole", compile="always")
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped", compile="always", progress=stop_at_30)
        resumed = train(config, tmp_path / "stopped", compile="never")
        assert result(resumed) == result(whole)
        assert result(train(config, tmp_path / "other", compile="never")) != result(whole)  # there is a choice to keep


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_a_kept_heap_maps_memory_once_and_gives_it_back_at_the_end():
    code = """
import psutil, resource, torch
from reslab.fast import kept_heap

def used():
    return psutil.Process().memory_info().rss >> 20

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(16 << 20)  # 64 MiB, 16,384 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = used()
print(faults())
with kept_heap():
    faults(), faults()  # until the heap has holes into which all fit
    print(faults(), used() - before)
print(used() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    default, kept, inside, outside = map(int, done.stdout.split())
    assert default > 100_000 and kept < 2_000
    assert inside > 60 and outside < 16


class TestCompiled:
    """The GPU's wrapper of torch.compile, with a compiler that a test makes up."""

    @pytest.fixture(autouse=True)
    def keeps_the_environment(self, monkeypatch, tmp_path):
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))

    def test_only_training_is_compiled(self, monkeypatch):
        calls = []
        monkeypatch.setattr(torch, "compile", lambda net, dynamic: lambda x: calls.append(1) or net(x))
        net = cifar_net(8)
        model, images = Compiled(net), torch.randn(2, 3, 8, 8)
        model(images)
        assert calls == [1, 1]  # the rehearsal and the batch
        model.eval()
        assert not net.training
        model(images)
        assert calls == [1, 1] and model.works

    def test_the_rehearsal_leaves_no_trace(self, monkeypatch):
        monkeypatch.setattr(torch, "compile", lambda net, dynamic: net)
        net, images = cifar_net(8), torch.randn(2, 3, 8, 8)
        twin = copy.deepcopy(net)
        logits = Compiled(net)(images)
        assert torch.equal(logits, twin(images)) and all(p.grad is None for p in net.parameters())
        assert all(torch.equal(a, b) for a, b in zip(net.buffers(), twin.buffers(), strict=True))

    @pytest.mark.parametrize("where", ["forward", "backward"])
    def test_a_failing_compiler_is_one_warning(self, monkeypatch, where):
        class Broken(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                if where == "forward":
                    raise RuntimeError("no Triton here\nand more")
                return x.clone()

            @staticmethod
            def backward(ctx, grad):
                raise RuntimeError("no Triton here\nand more")

        monkeypatch.setattr(torch, "compile", lambda net, dynamic: lambda images: Broken.apply(net(images)))
        net, images = cifar_net(8), torch.randn(4, 3, 8, 8)
        twin, model = copy.deepcopy(net), Compiled(net)
        with pytest.warns(UserWarning, match="rounded differently: no Triton here$") as caught:
            logits = model(images)
        assert len(caught) == 1 and not model.works
        assert torch.equal(logits, twin(images))  # once, statistics included
        assert torch.equal(net.stem.bn.running_mean, twin.stem.bn.running_mean)
        model(images)  # and no second warning, which would be an error

    def test_memory_that_runs_out_is_not_the_compilers_fault(self, monkeypatch):
        def full(_images):
            raise torch.OutOfMemoryError("none left")

        monkeypatch.setattr(torch, "compile", lambda net, dynamic: full)
        with pytest.raises(torch.OutOfMemoryError):
            Compiled(cifar_net(8))(torch.randn(2, 3, 8, 8))


@pytest.mark.gpu
class TestGpu:
    def state(self, compiled, shortcut="A"):
        from reslab import load_dataset
        from reslab.training.state import State
        from reslab.training.task import Classification

        config = RunConfig(8, shortcut, profile="smoke", iterations=1000)
        device = torch.device("cuda")
        task = Classification(config, load_dataset("shapes"), device)
        return State.fresh(task, config, device, compiled), task, config

    def weights_after(self, steps, state, task, config):
        from reslab.training.loop import repeatable
        from reslab.training.state import step

        with repeatable(1):
            for _ in range(steps):
                step(state, task, config)
        return {name: tensor.clone() for name, tensor in state.net.state_dict().items()}, state.window.means()

    def test_a_recorded_step_is_the_same_step(self):
        recorded, task, config = self.state(compiled=True)
        direct, *_ = self.state(compiled=True)
        direct.update = direct.update.function
        mine, my_means = self.weights_after(12, recorded, task, config)
        theirs, their_means = self.weights_after(12, direct, task, config)
        assert isinstance(recorded.update, Recorded) and recorded.update.graph is not None
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs) and my_means == their_means

    def test_a_recorded_step_follows_the_learning_rate(self):
        state, task, config = self.state(compiled=True)
        before, _ = self.weights_after(6, state, task, config)
        slow = replace(config, lr=1e-30)
        after, _ = self.weights_after(1, state, task, slow)
        moved = [(after[n] - before[n]).abs().max() for n, p in state.net.named_parameters()]
        assert max(moved) < 1e-20

    def test_compiled_and_eager_steps_agree_but_for_rounding(self):
        compiled, task, config = self.state(compiled=True)
        eager, *_ = self.state(compiled=False)
        mine, my_means = self.weights_after(8, compiled, task, config)
        theirs, their_means = self.weights_after(8, eager, task, config)
        assert my_means == pytest.approx(their_means, rel=0.02)
        for name, tensor in theirs.items():
            torch.testing.assert_close(mine[name], tensor, rtol=0.05, atol=5e-3)

    def test_a_users_shortcut_is_not_recorded(self, monkeypatch):
        monkeypatch.setattr("reslab.nets.shortcuts.SHORTCUTS", dict(SHORTCUTS))

        @register("moody")
        class Moody(IdentityPadded):
            def merge(self, x, fx):
                return super().merge(x, fx) if float(x.detach().mean()) > -1e9 else fx

        state, task, config = self.state(compiled=True, shortcut="moody")
        assert not isinstance(state.update, Recorded)
        self.weights_after(5, state, task, config)

    def test_a_recording_that_fails_is_one_warning(self):
        total = torch.zeros((), device="cuda")

        def update(x):
            total.add_(x.sum().item())  # waits for the device, which a recording cannot

        recorded = Recorded(update)
        with pytest.warns(UserWarning, match="without compiled kernels"):
            for _ in range(6):
                recorded(torch.ones(2, device="cuda"))
        assert total == 12

    def test_resume_is_exact(self, tmp_path):
        config = RunConfig(depth=8, profile="smoke", iterations=60, log_every=10)

        def stop_at_30(progress):
            if progress.row and progress.iteration == 30:
                raise KeyboardInterrupt

        whole = train(config, tmp_path / "whole", device="cuda", compile="always")
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped", device="cuda", compile="always", progress=stop_at_30)
        assert RunStore(tmp_path / "stopped").run(config).state == "interrupted"
        assert result(train(config, tmp_path / "stopped", device="cuda")) == result(whole)

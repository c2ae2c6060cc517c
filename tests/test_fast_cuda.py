"""The GPU's half of a fast step: torch.compile with made-up compilers, and CUDA graphs where there is a GPU."""

import copy
from dataclasses import replace

import pytest
import torch

from reslab import RunConfig, RunStore, cifar_net, train
from reslab.fast import Compiled, Recorded
from reslab.nets import SHORTCUTS, IdentityPadded, register

from .processes import result


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

    @pytest.mark.parametrize("shortcut", ["A", "dropout", "stochastic-depth"])
    def test_the_rehearsal_leaves_no_trace(self, monkeypatch, shortcut):
        monkeypatch.setattr(torch, "compile", lambda net, dynamic: net)
        net, images = cifar_net(8, shortcut), torch.randn(2, 3, 8, 8)
        twin = copy.deepcopy(net)
        torch.manual_seed(0)
        logits = Compiled(net)(images)
        torch.manual_seed(0)
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
    def state(self, compiled, shortcut="A", **own):
        from reslab import load_dataset
        from reslab.training.state import State
        from reslab.training.task import Classification

        config = RunConfig(8, shortcut, profile="smoke", iterations=1000, **own)
        device = torch.device("cuda")
        task = Classification(config, load_dataset("shapes"), device)
        return State.fresh(task, config, device, compiled), task, config

    def weights_after(self, steps, state, task, config):
        from reslab.training.loop import repeatable
        from reslab.training.state import step

        with repeatable(1, torch.device("cuda")):
            for _ in range(steps):
                step(state, task, config)
        return {name: tensor.clone() for name, tensor in state.net.state_dict().items()}, state.window.means()

    @pytest.mark.parametrize(
        "own", [*[dict(shortcut=name) for name in ("A", "dropout", "stochastic-depth")], dict(optimizer="adamw")]
    )
    def test_a_recorded_step_is_the_same_step(self, own):
        recorded, task, config = self.state(compiled=True, **own)
        direct, *_ = self.state(compiled=True, **own)
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
        monkeypatch.setattr("reslab.nets.registry.SHORTCUTS", dict(SHORTCUTS))

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

    @pytest.mark.parametrize("shortcut", ["A", "dropout", "stochastic-depth"])
    def test_resume_is_exact(self, tmp_path, shortcut):
        config = RunConfig(depth=8, shortcut=shortcut, profile="smoke", iterations=60, log_every=10)

        def stop_at_30(progress):
            if progress.row and progress.iteration == 30:
                raise KeyboardInterrupt

        whole = train(config, tmp_path / "whole", device="cuda", compile="always")
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped", device="cuda", compile="always", progress=stop_at_30)
        assert RunStore(tmp_path / "stopped").run(config).state == "interrupted"
        assert result(train(config, tmp_path / "stopped", device="cuda")) == result(whole)

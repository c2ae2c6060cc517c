"""Building the kernels, choosing to, falling back, and the heap."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

import reslab.fast.build as build
from reslab import RunConfig, cifar_net, train
from reslab.fast import accelerate, wanted
from reslab.fast.choice import cost, saving

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

    def test_a_compiler_that_is_no_program_is_one_warning(self, fresh, monkeypatch, tmp_path):
        program = tmp_path / "compiler"
        program.write_bytes(b"\x7fELF of another machine")
        program.chmod(0o755)
        monkeypatch.setenv("CXX", str(program))
        net = cifar_net(8)
        with pytest.warns(UserWarning, match="cannot be run"):
            assert accelerate(net, CPU) is net

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

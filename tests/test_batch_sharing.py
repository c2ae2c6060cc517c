"""What one copies out of the explorer gives the same config again, in every form."""

import shlex
from importlib import import_module

import pytest
import yaml
from typer.testing import CliRunner

from reslab import RunConfig
from reslab.batch.queue import train_command
from reslab.batch.sharing import as_command, as_experiment, as_python, settings
from reslab.batch.spec import Experiment
from reslab.cli import app

PLUGIN = """\
from reslab.nets import Shortcut, register


@register("mine")
class Mine(Shortcut):
    def merge(self, x, fx):
        return fx
"""
CONFIGS = dict(
    usual=dict(),
    gated=dict(depth=56, shortcut="exclusive-gating", gate_bias=-3, seed=4),
    gated_as_usual=dict(shortcut="shortcut-gating"),
    other=dict(depth=29, shortcut="C", block="bottleneck", activation_order="full-preactivation", profile="paper"),
    longer=dict(profile="short", iterations=1000),
    longer_with_drops=dict(profile="short", iterations=1000, lr_drops=[3, 5], lr=3e-05, precision="fp32"),
    no_drops=dict(lr_drops=[], dataset="cifar10"),
    mine=dict(shortcut="mine", plugins=["a file.py"]),
)


@pytest.fixture(params=CONFIGS)
def config(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a file.py").write_text(PLUGIN)
    return RunConfig(**CONFIGS[request.param])


def parsed(words, monkeypatch):
    """What `reslab train` makes of a command line."""
    given = []

    def train(config, *_store, **_options):
        given.append(config)
        raise SystemExit(0)

    monkeypatch.setattr(import_module("reslab.cli.train"), "train", train)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return given[0]


def test_python(config, monkeypatch):
    trained = []
    monkeypatch.setattr("reslab.train", trained.append, raising=False)
    monkeypatch.setattr("reslab.figures.error_curves", lambda runs: runs)
    exec(compile(as_python(config), "copied", "exec"), {})
    assert trained == [config] and trained[0].id == config.id


def test_command_line(config, monkeypatch, tmp_path):
    program, *words = shlex.split(as_command(config))
    assert program == "reslab" and parsed(words, monkeypatch) == config
    assert parsed(train_command(config, tmp_path)[3:], monkeypatch).id == config.id  # the queue's, which says all


def test_experiment_file(config, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(as_experiment(config, seeds=2))
    configs = Experiment.load(path).configs()
    assert RunConfig(**settings(config) | dict(seed=1)) in configs
    if "gate_bias" not in settings(config):  # a field that the others do not have
        others = [RunConfig(**settings(config) | dict(shortcut=s, plugins=[], seed=0)) for s in ("none", "A")]
        assert set(others) <= set(configs)
    assert len(configs) == len(set(configs)) and {c.seed for c in configs} == {0, 1}


def test_only_what_differs_from_the_profile_is_said():
    assert list(settings(RunConfig())) == ["depth", "shortcut", "profile", "seed"]
    assert settings(RunConfig(profile="short", iterations=1000))["iterations"] == 1000
    assert "lr_drops" not in settings(RunConfig(profile="short", iterations=1000))
    assert yaml.safe_load(as_experiment(RunConfig(shortcut="B")))["grid"]["shortcut"] == ["none", "A", "B"]

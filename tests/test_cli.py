"""The command line: options that follow RunConfig, sentences instead of tracebacks, exit codes."""

import subprocess
import sys
from dataclasses import fields
from importlib import import_module

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from reslab import RunConfig, RunStore
from reslab.cli import FIELD_HELP, app

from .batch_fixtures import write_study


def reslab(*arguments: object):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_every_field_is_an_option_of_train():
    command = typer.main.get_command(app).commands["train"].load()
    options = {parameter.name: parameter for parameter in command.params}
    given = [field for field in fields(RunConfig) if field.name != "found"]  # that one is found by looking
    for field in given:
        assert f"--{field.name.replace('_', '-')}" in options[field.name].opts
        assert options[field.name].default == field.default and options[field.name].help
    assert set(FIELD_HELP) == {field.name for field in given}


def test_train_trains_the_config_and_says_how_it_ended(tmp_path):
    options = ["--depth", 8, "--shortcut", "none", "--profile", "smoke", "--seed", 1, "--lr_drops", "4,5"]
    options += ["--log-every", 6, "--lr", 0.02, "--store", tmp_path, "--device", "cpu", "--threads", 1]
    done = reslab("train", *options)
    config = RunConfig(8, "none", "smoke", 1, lr_drops=(4, 5), log_every=6, lr=0.02)
    run = RunStore(tmp_path).run(config)
    assert done.exit_code == 0 and run.state == "done" and run.provenance["threads"] == 1
    assert f"test error {run.final['test_error']:.2f} % after 12 iterations" in done.stdout
    assert str(run.path) in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "--depth", "21"], "depth=21 is not 6n+2"),
        (["train", "--lr-drops", "a,b"], "lr_drops='a,b' should be whole numbers"),
        (["train", "--device", "cuda"], "no CUDA device"),
        (["train", "--store", "sftp://host/runs"], "neither a folder nor an object store's URL"),
        (["data", "mnist"], "no data set 'mnist'"),
        (["data", "--data", "nowhere"], "nowhere"),
        (["runs", "--state", "dnoe"], "allowed: new, running, interrupted, failed, done"),
        (["reproduce", "degradatoin"], "did you mean 'degradation'"),
        (["reproduce", "degradation", "-p", "dpeth=20"], "did you mean 'depth'"),
        (["reproduce", "degradation", "-p", "depth"], "NAME=VALUE"),
        (["reproduce", "degradation", "--profile", "dmo"], "profile='dmo'"),
    ],
)
def test_mistakes_are_one_sentence_and_write_nothing(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("reslab.data.cifar10._download", refuse)
    done = reslab(*arguments)
    assert done.exit_code == 2 and sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def refuse(root):
    from reslab import DataError

    raise DataError(f"nothing in {root} and no network")


def test_a_run_that_fails_ends_with_its_reason(tmp_path):
    options = ["--depth", 8, "--profile", "smoke", "--store", tmp_path, "--iterations", 40]
    done = reslab("train", *options, "--lr", "1e30")
    assert done.exit_code == 1 and "is not finite" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_is_busy_says_who_has_it(tmp_path):
    from reslab.training.owner import Owner

    owner = Owner(RunStore(tmp_path).create(RunConfig(8, profile="smoke")))
    try:
        done = reslab("train", "--depth", 8, "--profile", "smoke", "--store", tmp_path, "--no-wait")
    finally:
        owner.release("interrupted")
    assert done.exit_code == 1 and "is being trained by process" in done.stderr


def test_data_prints_counts_and_fingerprints():
    from reslab.data.shapes import TEST_SHA256, TRAIN_SHA256

    done = reslab("data", "shapes")
    assert done.exit_code == 0 and "10,000 images of 3x32x32" in done.stdout
    assert TRAIN_SHA256 in done.stdout and TEST_SHA256 in done.stdout


def test_data_writes_a_folder_of_pictures(tmp_path):
    done = reslab("data", "shapes", "--export", tmp_path / "shapes", "--size", 40, "--train", 20, "--test", 10)
    assert done.exit_code == 0 and f"Written: {tmp_path / 'shapes'}" in done.stdout
    files = sorted((tmp_path / "shapes").rglob("*.png"))
    with Image.open(files[0]) as picture:
        assert len(files) == 30 and picture.size == (40, 40)
    assert "name its folder" in reslab("data", "shapes", "--size", 40).stderr


def test_reproduce_shows_its_plan(tmp_path):
    study = write_study(tmp_path)
    options = ["--seeds", 2, "--store", tmp_path / "runs", "--jobs", 1, "-p", "depth=[8, 14]", "--dry-run"]
    done = reslab("reproduce", study, *options)
    assert done.exit_code == 0 and "8 runs of profile smoke" in done.stdout and "1 at a time" in done.stdout
    assert not (tmp_path / "runs").exists()


def test_the_list_of_commands_says_what_each_says_itself():
    group = typer.main.get_command(app)
    commands = group.commands | typer.main.get_command(import_module("reslab.cli.runs").app).commands
    expected = {"train", "reproduce", "runs", "claims", "data", "evaluate", "time", "bench", "probe", "surface"}
    assert set(group.commands) == expected
    listed = reslab("--help").stdout
    for name, command in commands.items():
        said = command.load().help.splitlines()[0]
        assert command.help == said, name
        assert name not in group.commands or said[:40] in listed


def test_a_command_that_is_not_there_is_told_the_closest():
    done = reslab("rnus")
    assert done.exit_code == 2 and "Did you mean 'runs'" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["runs"], ["runs", "--help"], ["runs", "--state", "done"]])
def test_help_and_listing_do_without_torch(tmp_path, monkeypatch, arguments):
    code = "import sys; from reslab.cli import app; app(standalone_mode=False); print('torch' in sys.modules)"
    RunStore(tmp_path).create(RunConfig(8, profile="smoke"))
    monkeypatch.setenv("RESLAB_STORE", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_python_m_reslab_is_reslab():
    done = subprocess.run([sys.executable, "-m", "reslab", "--help"], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in ("reslab", "train", "reproduce", "runs", "data"))

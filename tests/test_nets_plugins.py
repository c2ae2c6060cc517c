"""Shortcuts of a user's own, from a file: found, part of the run's id, kept with the run, and named where they err."""

import json
from dataclasses import replace

import pytest
import torch

from reslab import RunConfig, RunStore, cifar_net, train
from reslab.nets import SHORTCUTS, PluginError
from reslab.training.config import RunConfig as Config

HALF = """\
from reslab.nets import Shortcut, register


@register("mine")
class Mine(Shortcut):
    def merge(self, x, fx):
        return fx + 0.5 * self.identity(x)
"""


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "my_shortcut.py"
    path.write_text(HALF)
    return path


def config(plugin, **values):
    return RunConfig(depth=8, shortcut="mine", profile="smoke", plugins=[plugin], **values)


def test_a_plugin_gives_a_shortcut_to_nets_and_configs_that_name_it(plugin):
    x, fx = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    assert torch.equal(cifar_net(8, "mine", 4, plugins=[plugin]).stage1.block1.shortcut(x, fx), fx + 0.5 * x)
    assert config(plugin).net_name == "res8-mine" and "mine" not in SHORTCUTS
    with pytest.raises(ValueError, match=r"'mine' is unknown; .*plugins="):
        RunConfig(shortcut="mine")


def test_the_files_content_is_in_the_id_and_its_place_is_not(plugin, tmp_path):
    first = config(plugin)
    other = tmp_path / "elsewhere" / "other_name.py"
    other.parent.mkdir()
    other.write_text(HALF)
    assert config(other).id == first.id and config(other) == first and hash(config(other)) == hash(first)
    plugin.write_text(HALF.replace("0.5", "0.25"))
    assert config(plugin).id != first.id and config(plugin) != first
    assert replace(first, seed=1).plugins == first.plugins  # as it was read


def test_a_plugin_that_the_shortcut_does_not_come_from_changes_nothing(plugin):
    assert RunConfig(shortcut="A", plugins=[str(plugin)]) == RunConfig(shortcut="A")


def test_a_run_keeps_its_plugin(plugin, tmp_path):
    run = train(config(plugin), tmp_path / "runs", device="cpu")
    plugin.write_text("this is no Python any more")
    (read,) = RunStore(tmp_path / "runs").find(shortcut="mine")
    assert read.state == "done" and read.config == run.config and read.config.id == run.id
    (copy,) = (run.path / "plugins").iterdir()
    assert copy.read_text() == HALF
    assert json.loads((run.path / "config.json").read_text())["plugins"] == [copy.name]
    assert train(read.config, tmp_path / "runs").final == run.final


def test_two_versions_live_side_by_side(plugin):
    old = config(plugin)
    plugin.write_text(HALF.replace("0.5 *", "0.0 *"))
    new, x = config(plugin), torch.ones(1, 4, 8, 8)
    halves = [c.make_net().stage1.block1.shortcut(x, 0 * x).mean().item() for c in (old, new)]
    assert halves == [0.5, 0.0]


def test_a_config_goes_through_json(plugin):
    made = config(plugin)
    assert Config.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_the_seed_fixes_the_weights_of_a_plugin_too(plugin, tmp_path):
    plugin.write_text(
        HALF.replace(
            "    def merge", "    def build(self):\n        self.w = nn.Parameter(torch.randn(3))\n\n    def merge"
        )
        .replace("0.5", "self.w.sum()")
        .replace("from reslab", "import torch\nfrom torch import nn\nfrom reslab", 1)
    )
    first = train(config(plugin), tmp_path / "first", device="cpu")
    torch.rand(3)  # what the caller drew before is nobody's business
    second = train(config(plugin), tmp_path / "second", device="cpu")
    assert first.id == second.id and first.final["train_loss"] == second.final["train_loss"]
    other = config(plugin, seed=1).make_net(torch.Generator().manual_seed(1))
    mine = config(plugin).make_net(torch.Generator().manual_seed(0))
    assert not torch.equal(other.stage1.block1.shortcut.w, mine.stage1.block1.shortcut.w)


def test_a_copy_that_was_changed_is_refused(plugin, tmp_path):
    run = RunStore(tmp_path / "runs").create(config(plugin))
    (copy,) = (run.path / "plugins").iterdir()
    copy.write_text(HALF.replace("0.5", "0.6"))
    with pytest.raises(PluginError, match="was changed after its run"):
        _ = RunStore(tmp_path / "runs").run(config(plugin)).config
    values = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(values | dict(plugins=["../../my_shortcut.py"])))
    with pytest.raises(PluginError, match="not one of the run's own files"):
        _ = RunStore(tmp_path / "runs").run(config(plugin)).config


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HALF.replace("(self, x, fx)", "(self, x, fx"), ["my_shortcut.py, line 6", "SyntaxError"]),
        (HALF + "\n\nundefined_name\n", ["my_shortcut.py, line 10", "NameError", "undefined_name"]),
        (HALF + "\nraise SystemExit(3)\n", ["my_shortcut.py, line 9", "SystemExit"]),
        (HALF.replace('@register("mine")\n', ""), ["registers no shortcut", "@register"]),
        (HALF.replace('"mine"', '"A"'), ["my_shortcut.py, line 4", "'A' is already registered"]),
        (HALF.replace('"mine"', '"my shortcut"'), ["my_shortcut.py, line 4", "cannot be called"]),
        (HALF.replace("class Mine(Shortcut)", "class Mine"), ["'mine' is not a Shortcut"]),
    ],
)
def test_an_error_in_the_file_names_the_line(plugin, text, words):
    plugin.write_text(text)
    with pytest.raises(PluginError) as error:
        config(plugin)
    assert all(word in str(error.value) for word in words), error.value


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PluginError, match=r"nothing\.py cannot be read"):
        config(tmp_path / "nothing.py")


def test_an_error_while_training_names_the_line_and_is_kept(plugin, tmp_path):
    plugin.write_text(HALF.replace("self.identity(x)", "x[0, 0, 0]"))
    wrong = config(plugin, width=3)
    with pytest.raises(PluginError, match=r"my_shortcut\.py, line 7 in merge: RuntimeError"):
        train(wrong, tmp_path / "runs", device="cpu")
    run = RunStore(tmp_path / "runs").run(wrong)
    assert run.state == "failed" and "line 7" in run.status["failure"]["message"]


def test_the_command_line_takes_a_plugin(plugin, tmp_path):
    from typer.testing import CliRunner

    from reslab.cli import app

    command = ["train", "--depth", "8", "--shortcut", "mine", "--profile", "smoke", "--store", str(tmp_path / "runs")]
    done = CliRunner().invoke(app, [*command, "--plugins", str(plugin), "--activation-order", "full-preactivation"])
    assert done.exit_code == 0, done.output
    (run,) = RunStore(tmp_path / "runs")
    assert run.config == config(plugin, activation_order="full-preactivation") and run.state == "done"
    plugin.write_text("import nothing_of_that_name")
    refused = CliRunner().invoke(app, [*command, "--plugins", str(plugin)])
    assert refused.exit_code == 2 and "my_shortcut.py, line 1: ModuleNotFoundError" in refused.output


@pytest.mark.parametrize(
    ("merge", "words"),
    [
        ("        fx + 0.5 * x\n", ["my_shortcut.py, line 6", "Mine returns nothing", "return"]),
        ("        return fx[:, :1] + 0 * x[:, :1]\n", ["my_shortcut.py, line 6", "Mine returns [16, 1, 8, 8]"]),
    ],
)
def test_a_merge_that_returns_the_wrong_thing_is_named(plugin, tmp_path, merge, words):
    plugin.write_text(HALF[: HALF.index("        return")] + merge)
    with pytest.raises(ValueError) as error:
        train(config(plugin), tmp_path / "runs", device="cpu")
    assert all(word in str(error.value) for word in words), error.value

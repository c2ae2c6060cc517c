"""The design panel driven by its controls' values, its numbers and drawings against the nets themselves."""

import re
import threading
import time
import xml.etree.ElementTree as ET

import pytest

from reslab import RunConfig, cifar_net
from reslab.figures import net_colour
from reslab.nets import ORDERS, SHORTCUTS, Shortcut, register
from reslab.widgets.design import Design, view
from reslab.widgets.explorer import explorer

PLUGIN = """\
from reslab.nets import Shortcut, register


@register("mine")
class Mine(Shortcut):
    formula = "y = 7"
    sentence = "A sentence <of mine>."

    def merge(self, x, fx):
        return fx + 0.25 * self.identity(x)
"""


@pytest.fixture
def panel():
    return Design(RunConfig(), live=True)


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "my_shortcut.py"
    path.write_text(PLUGIN)
    return path


def shown(panel):
    return panel._view.value


def numbers(html):
    """{"parameters": [this net's, the plain twin's, the difference], ...}"""
    rows = re.findall(r"<tr><th>([\w -]+)</th>(.*?)</tr>", html)
    return {name: re.findall(r"<td>(.*?)</td>", cells) for name, cells in rows}


def operations(html):
    """The operations of each drawn block, in order: [(name, kind), ...]"""
    svgs = re.findall(r"<svg.*?</svg>", html, re.S)
    groups = [[g.attrib for g in ET.fromstring(svg).iter() if g.get("class") == "reslab-op"] for svg in svgs[:-1]]
    return [[(g["data-op"], g["data-kind"]) for g in group] for group in groups]


def trouble(panel):
    return panel._trouble.value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("shortcut", name) for name in SHORTCUTS if name != "A"),
        *(("activation_order", order) for order in list(ORDERS)[1:]),
        ("depth", 56),
        ("width", 16),
        ("seed", 3),
        ("dataset", "cifar10"),
    ],
)
def test_a_control_changes_one_field_and_the_drawing(panel, field, value):
    before = shown(panel)
    panel.controls[field].value = value
    assert panel.config == RunConfig(**{field: value})
    assert (shown(panel) != before) == (field not in ("seed", "dataset"))


@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("order", ["original", "full-preactivation"])
def test_numbers_are_those_of_the_net_and_its_plain_twin(shortcut, order):
    config = RunConfig(depth=20, shortcut=shortcut, activation_order=order, profile="paper")
    plain = cifar_net(20, "none", activation_order=order)
    mine, theirs, _ = numbers(view(config))["parameters"]
    counts = [sum(p.numel() for p in net.parameters()) for net in (config.make_net(), plain)]
    assert [int(text.replace(",", "")) for text in (mine, theirs)] == counts
    assert numbers(view(config))["weighted layers"][:2] == ["20", "20"]


def test_the_drawing_has_the_modules_own_layers(panel):
    panel.controls["shortcut"].value = "B"
    stays, changes = operations(shown(panel))
    layers = ["conv1", "bn1", "relu1", "conv2", "bn2", "relu2"]
    assert [name for name, _ in stays if name in layers] == layers
    assert not any(name.startswith("shortcut.conv") for name, _ in stays)
    assert ("shortcut.conv", "conv") in changes and ("shortcut.bn", "bn") in changes


def test_says_formula_sentence_and_source_and_has_the_nets_colour(panel):
    panel.controls["shortcut"].value = "rezero"
    html = shown(panel)
    assert "<math" in html and SHORTCUTS["rezero"].sentence in html and "2003.04887" in html
    assert f"background:{net_colour(panel.config)}" in html
    panel.controls["activation_order"].value = "relu-before-addition"
    assert ORDERS["relu-before-addition"].sentence in shown(panel)


def test_the_gate_bias_is_there_where_there_is_a_gate(panel):
    slider = panel.controls["gate_bias"]
    assert slider.layout.display == "none"
    panel.controls["shortcut"].value = "shortcut-gating"
    assert slider.layout.display != "none" and slider.value == -6 and panel.config.gate_bias == -6
    slider.value = -2.5
    assert panel.config == RunConfig(shortcut="shortcut-gating", gate_bias=-2.5)
    panel.controls["shortcut"].value = "none"
    assert panel.config == RunConfig(shortcut="none") and slider.layout.display == "none"


def test_bottlenecks_keep_the_number_of_blocks(panel):
    panel.controls["depth"].value = 56
    panel.controls["block"].value = "bottleneck"
    assert panel.config.depth == 83 and panel.controls["depth"].value == 83
    assert all((depth - 2) % 9 == 0 for depth in panel.controls["depth"].options)
    panel.controls["block"].value = "basic"
    assert panel.config == RunConfig(depth=56)


def test_a_profile_brings_its_own_width_and_data_and_keeps_the_net(panel):
    panel.controls["shortcut"].value = "exclusive-gating"
    panel.controls["gate_bias"].value = -3
    panel.controls["width"].value = 32
    panel.controls["profile"].value = "short"
    assert panel.config == RunConfig(shortcut="exclusive-gating", gate_bias=-3, profile="short")
    assert (panel.controls["width"].value, panel.controls["dataset"].value) == (16, "cifar10")


def test_unusual_values_that_it_begins_with_stay():
    panel = Design(RunConfig(depth=1202, width=5, lr=0.01), live=True)
    assert 1202 in panel.controls["depth"].options and 5 in panel.controls["width"].options
    panel.controls["shortcut"].value = "C"
    assert panel.config == RunConfig(depth=1202, width=5, lr=0.01, shortcut="C")


def test_two_controls_moved_at_once_both_count(panel):
    """JupyterLab hands moves to the kernel in several threads: the second comes while the first is being drawn."""
    tried = threading.Event()

    def draws_slowly():
        tried.wait(5)

    panel.changed.append(draws_slowly)
    first = threading.Thread(target=lambda: setattr(panel.controls["profile"], "value", "smoke"))
    first.start()
    second = threading.Thread(target=lambda: setattr(panel.controls["shortcut"], "value", "conv1x1"))
    second.start()
    while panel.controls["shortcut"].value != "conv1x1":
        time.sleep(0.01)
    tried.set()
    assert panel.settled() == RunConfig(profile="smoke", shortcut="conv1x1")  # what is on the screen
    first.join()
    second.join()
    assert panel.config == RunConfig(profile="smoke", shortcut="conv1x1")
    assert panel.controls["shortcut"].value == "conv1x1"


def test_listeners_hear_of_a_change(panel):
    heard = []
    panel.changed.append(lambda: heard.append(panel.config.depth))
    panel.controls["depth"].value = 32
    assert heard == [32]


def test_a_plugin_is_in_the_menu_and_an_edited_one_is_another(panel, plugin):
    panel.add_plugin(plugin)
    assert panel.config == RunConfig(shortcut="mine", plugins=[plugin]) and panel.controls["shortcut"].value == "mine"
    first = shown(panel)
    assert "A sentence &lt;of mine&gt;." in first and "0.25" in first
    plugin.write_text(PLUGIN.replace("0.25", "0.75"))
    before = panel.config.id
    panel.add_plugin(plugin)
    assert "0.75" in shown(panel) and panel.config.id != before
    panel.controls["shortcut"].value = "A"
    panel.controls["shortcut"].value = "mine"
    assert panel.config == RunConfig(shortcut="mine", plugins=[plugin])


def test_an_error_in_a_plugin_is_shown_with_its_line_and_the_design_stays(panel, plugin, caplog):
    panel.add_plugin(plugin)
    panel.controls["shortcut"].value = "none"
    plugin.write_text(PLUGIN.replace("0.25 *", "0.25 @"))
    before = shown(panel)
    panel.controls["shortcut"].value = "mine"
    assert "my_shortcut.py, line 10 in merge: TypeError" in trouble(panel)
    assert panel.config.shortcut == "none" and shown(panel) == before
    assert "my_shortcut.py, line 10" in caplog.text
    caplog.clear()
    plugin.write_text(PLUGIN)
    panel.add_plugin(plugin)
    assert panel.config.shortcut == "mine" and trouble(panel) == ""


def test_a_file_that_cannot_be_added_leaves_the_panel_as_it_was(panel, plugin, tmp_path):
    panel.add_plugin(plugin)
    other = tmp_path / "copy.py"
    other.write_text(PLUGIN + "\n# another file, the same name\n")
    with pytest.raises(ValueError, match=r"'mine' of .* is registered elsewhere too"):
        panel.add_plugin(other)
    plugin.write_text("this is no Python")
    other.write_text(PLUGIN.replace('"mine"', '"other"'))
    with pytest.raises(ValueError, match=r"my_shortcut\.py, line 1"):
        panel.add_plugin(other)
    panel.controls["shortcut"].value = "B"
    panel.controls["depth"].value = 56
    assert panel.config == RunConfig(depth=56, shortcut="B")
    plugin.write_text(PLUGIN)
    panel.add_plugin(other)
    assert panel.config.shortcut == "other" and panel.controls["depth"].value == 56


def test_a_pre_activated_block_is_drawn_that_is_like_the_others(panel):
    panel.controls["activation_order"].value = "full-preactivation"
    stays, _ = operations(shown(panel))
    assert [name for name, _ in stays][:3] == ["bn1", "relu1", "conv1"] and "stage1.block2" in shown(panel)


def test_weights_are_counted_once_wherever_a_shortcut_keeps_them(panel, plugin):
    build = "    def build(self):\n        self.w = nn.ParameterList([torch.ones(7)])\n\n    def merge"
    plugin.write_text("import torch\nfrom torch import nn\n" + PLUGIN.replace("    def merge", build))
    panel.add_plugin(plugin)
    mine, plain, _ = numbers(shown(panel))["parameters"]
    assert int(mine.replace(",", "")) == sum(p.numel() for p in panel.config.make_net().parameters())
    assert int(mine.replace(",", "")) == int(plain.replace(",", "")) + 9 * 7


def test_a_shortcut_registered_again_is_drawn_again(monkeypatch):
    monkeypatch.setattr("reslab.nets.registry.SHORTCUTS", dict(SHORTCUTS))

    @register("mine")
    class Mine(Shortcut):
        def merge(self, x, fx):
            return fx + 0.25 * self.identity(x)

    assert "0.25" in view(RunConfig(shortcut="mine"))

    @register("mine")  # the same cell, edited and run again
    class Mine(Shortcut):  # noqa: F811
        def merge(self, x, fx):
            return fx + 0.75 * self.identity(x)

    assert "0.75" in view(RunConfig(shortcut="mine"))


def test_values_beyond_the_controls_ranges_stay():
    panel = Design(RunConfig(shortcut="shortcut-gating", gate_bias=-10, seed=10**7), live=True)
    assert (panel.controls["gate_bias"].value, panel.controls["seed"].value) == (-10, 10**7)


def test_a_plugin_that_has_gone_does_not_keep_one_from_the_others(panel, plugin, caplog):
    panel.add_plugin(plugin)
    plugin.unlink()
    panel.controls["shortcut"].value = "B"
    assert panel.config == RunConfig(shortcut="B") and trouble(panel) == ""
    panel.controls["shortcut"].value = "mine"
    assert "cannot be read" in trouble(panel) and panel.controls["shortcut"].value == "B"
    caplog.clear()


def test_without_a_front_end_it_is_a_picture(plugin, tmp_path):
    room = explorer(tmp_path, live=False, shortcut="mine", plugins=[plugin], depth=56)
    (picture,) = room.design.still()
    assert view(room.config) in picture.data and "ResNet-56 (mine)" in picture.data
    assert not hasattr(room.design, "widget")

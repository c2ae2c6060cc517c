"""Panel 1: a net put together by its controls, and drawn at once from the module that they make."""

from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as ipw
from latex2mathml.converter import convert as mathml

from ..data import DATASETS
from ..figures.drawing import block_drawing
from ..figures.strip import net_strip
from ..figures.style import net_colour, net_label
from ..figures.svg import beside
from ..nets import ORDERS, SHORTCUTS, Anatomy, CifarNet, anatomy
from ..nets.blocks import BLOCKS
from ..nets.cifar import check_depth
from ..nets.plugins import Plugin, load_plugin, naming_lines
from ..nets.registry import shortcut_class, shortcuts
from ..training.config import RunConfig
from ..training.profiles import PROFILES
from .panel import Panel, html

DEEPEST = 110  # of the slider; a config may be deeper
WIDTHS = (4, 8, 16, 32, 64)
CONTROLS = ("shortcut", "gate_bias", "depth", "block", "activation_order", "width", "profile", "dataset", "seed")
NAMES = dict(activation_order="order", dataset="data set", gate_bias="gate bias")


class Design(Panel):
    """Controls for depth, shortcut, block, activation order, width, profile, data set and seed; `config` is the choice.

    Fields without a control keep the values of the config that the panel began with while the profile is the same.
    Each control is `controls[field]`, so `design.controls["depth"].value = 56` is what moving it does.
    """

    name = "design"

    def __init__(self, config: RunConfig, plugins: Iterable[str | Path] = (), live: bool | None = None):
        super().__init__(live)
        if config.family != "cifar":
            raise ValueError(f"family={config.family!r} has no controls here; allowed: cifar")
        self.plugins = list(plugins)
        self.config = config
        self.changed: list[Callable[[], None]] = []  # called when `config` has become another one
        if self.live:
            self._view = ipw.HTML(view(config))
            self._view.add_class("reslab-view")
            self.controls = {name: self._control(name) for name in CONTROLS}
            self._watching = True
            for name, control in self.controls.items():
                control.observe(self.guarded(self._moved(name)), "value")
            side = ipw.VBox(list(self.controls.values()))
            side.add_class("reslab-controls")
            body = ipw.HBox([side, self._view])
            body.add_class("reslab-body")
            self.widget = self.wrapped(body)

    def still(self):
        return [html(view(self.config))]

    def add_plugin(self, path: str | Path) -> None:
        """Makes the shortcuts of a file of your own choosable, and chooses the first of them.

        Raises PluginError, with the line, for a file that does not work.
        """
        name = next(iter(load_plugin(path).shortcuts))
        plugins = [*(other for other in self.plugins if str(other) != str(path)), path]
        options = _shortcut_options([load_plugin(plugin) for plugin in plugins])
        self.plugins = plugins
        if self.live:
            self._watching = False
            try:
                self.controls["shortcut"].options = options
            finally:
                self._watching = True
        self._set(shortcut=name)

    def _loaded(self) -> list[Plugin]:
        return [load_plugin(path) for path in self.plugins]

    def _control(self, name: str) -> ipw.Widget:
        value, style = getattr(self.config, name), dict(description_width="76px")
        common = dict(description=NAMES.get(name, name), style=style, layout=dict(width="auto"))
        if name == "depth":
            options = _depths(self.config.block, value)
            return ipw.SelectionSlider(options=options, value=value, **common)
        if name == "width":
            return ipw.SelectionSlider(options=sorted({*WIDTHS, value}), value=value, **common)
        if name == "seed":
            return ipw.BoundedIntText(value=value, min=0, max=max(value, 10**6), **common)
        if name == "gate_bias":
            at = -6 if value is None else value
            slider = ipw.FloatSlider(value=at, min=min(-8, at), max=max(2, at), step=0.5, **common)
            slider.layout.display = "none" if value is None else ""
            return slider
        profiles = [profile for profile, values in PROFILES.items() if values["family"] == "cifar"]
        datasets = [dataset for dataset, facts in DATASETS.items() if facts.size]
        options: Any = dict(block=BLOCKS, activation_order=ORDERS, profile=profiles, dataset=datasets).get(name)
        options = _shortcut_options(self._loaded()) if name == "shortcut" else list(options)
        return ipw.Dropdown(options=options, value=value, **common)

    def _moved(self, name: str) -> Callable[..., None]:
        def moved(_change: object = None) -> None:
            if not self._watching:
                return
            values = {name: self.controls[name].value}
            if name == "block":  # keeps the number of blocks, and so changes the depth
                n = check_depth(self.config.depth, self.config.block)
                values["depth"] = 3 * len(BLOCKS[values["block"]].kernels) * n + 2
            self._set(**values)

        moved.__name__ = "design"
        return moved

    def settled(self) -> RunConfig:
        """The choice, with every control that has been moved taken over: JupyterLab may hand a press of a button to the
        kernel in another thread than a move before it.
        """
        with self.lock:
            shown = {name: self.controls[name].value for name in CONTROLS if getattr(self.config, name) is not None}
            moved = {name: value for name, value in shown.items() if value != getattr(self.config, name)}
            if moved:
                self._set(**moved)
            return self.config

    def _set(self, **values: Any) -> None:
        """Takes over new values, with all that follows from them, and shows the result; or, if that cannot be drawn,
        stays with the old ones.
        """
        before = self.config
        try:
            ours = values.get("shortcut", self.config.shortcut) in SHORTCUTS
            # A plugin that is broken by now is no reason not to look at another shortcut.
            config = changed(self.config, [] if ours else self._loaded(), values)
            drawn = view(config)
            self.config = config
        except Exception:
            if self.live:
                self._follow(values)
            raise
        if self.live:
            self._follow(name for name in CONTROLS if getattr(before, name) != getattr(config, name))
            self._view.value = drawn
            self.tell("design", None)
        for tell in self.changed:
            tell()

    def _follow(self, names: Iterable[str]) -> None:
        """Sets these controls to what the config says. Not the others: one may have been moved since, and its turn
        comes.
        """
        self._watching = False
        try:
            for name in names:
                self._show(name, getattr(self.config, name))
        finally:
            self._watching = True

    def _show(self, name: str, value: Any) -> None:
        control = self.controls[name]
        if name == "depth" and (options := _depths(self.config.block, value)) != control.options:
            control.options = options
        if name == "width" and value not in control.options:
            control.options = sorted({*control.options, value})
        if name == "gate_bias":
            control.layout.display = "none" if value is None else ""
        if value is not None and control.value != value:
            control.value = value


def changed(config: RunConfig, plugins: list[Plugin], values: dict[str, Any]) -> RunConfig:
    """`config` with other values, and what depends on them left to follow: the rest of a new profile, a gate's bias."""
    old = {field.name: getattr(config, field.name) for field in fields(config)}
    if "profile" in values:
        keep = ("depth", "shortcut", "block", "activation_order", "norm", "seed", "gate_bias")
        old = {name: old[name] for name in keep}
    new = old | values | dict(plugins=plugins)
    if "shortcut" in values:
        new["gate_bias"] = None
    if "dataset" in values and values["dataset"] != config.dataset:
        new["val_split"] = 0
    return RunConfig(**new)


def _depths(block: str, depth: int) -> tuple[int, ...]:
    step = 3 * len(BLOCKS[block].kernels)
    return tuple(sorted({*range(step + 2, DEEPEST + 1, step), depth}))


def _shortcut_options(plugins: list[Plugin]) -> list[tuple[str, str]]:
    known = shortcuts(plugins)
    return [(f"{name}: {cls.title}" if cls.title else name, name) for name, cls in known.items()]


def view(config: RunConfig) -> str:
    """The net as HTML: formula, drawings of its blocks, strip of stages, and its numbers beside its plain twin's.

    Raises PluginError, with the line, where a shortcut of one's own cannot be built or run.
    """
    return _view(config.id, config)


@lru_cache(maxsize=64)
def _view(_id: str, config: RunConfig) -> str:
    """Kept by id: it tells versions of a shortcut apart that was registered in this kernel."""
    with naming_lines(config.plugins):
        net, colour = config.make_net(), net_colour(config)
        layers = anatomy(net, (3, config.image_size, config.image_size))
        first, *others = [item for item in net.named_modules() if isinstance(item[1], BLOCKS[config.block])]
        shapes: dict[bool, tuple[str, Any]] = {}
        for name, block in [*others, first]:  # the first block of a pre-activation net is not like the others
            shapes.setdefault(block.shortcut.changes_shape, (name, block))
        drawings = [
            block_drawing(block, colour, f"{name}: the shape {'changes' if changes else 'stays'}")
            for changes, (name, block) in sorted(shapes.items())
        ]
        strip = net_strip(net, layers, colour)
    dot = f'<span class="reslab-dot" style="background:{colour}"></span>'
    headline = f'<div class="reslab-headline">{dot}<h3>{escape(net_label(config))}</h3></div>'
    return (
        f'<div class="reslab-top"><div>{headline}{_words(config)}</div>{_numbers(config, net, layers)}</div>'
        f'<div class="reslab-blocks">{beside(*drawings)}</div>'
        f'<div class="reslab-strip">{strip}</div>'
    )


def _words(config: RunConfig) -> str:
    """Formula, sentence and source of the shortcut and, if it is not the original, of the order."""
    told: list[Any] = [shortcut_class(config.shortcut, config.plugins)]
    told += [ORDERS[config.activation_order]] * (config.activation_order != "original")
    rows = ""
    for it in told:
        if it is not told[0] and config.shortcut != "A":
            rows += '<p class="reslab-hint">and with the order, for the identity:</p>'
        formula = mathml(it.formula) if it.formula else ""
        source = f" <cite>{escape(it.source)}</cite>" if it.source else ""
        rows += f'<p class="reslab-formula">{formula}</p><p>{escape(it.sentence)}{source}</p>'
    return f'<div class="reslab-words">{rows}</div>'


def _numbers(config: RunConfig, net: CifarNet, layers: Anatomy) -> str:
    """What the net weighs and costs. The plain twin is the same net without the layers of its shortcuts."""
    plain = [layer for layer in layers if ".shortcut" not in layer.name]
    weights = {name: parameter.numel() for name, parameter in net.named_parameters()}
    rows = ""
    for name, mine, theirs in (
        ("parameters", sum(weights.values()), sum(n for name, n in weights.items() if ".shortcut." not in name)),
        ("multiply-adds", layers.multiply_adds, sum(layer.multiply_adds for layer in plain)),
        ("weighted layers", layers.weighted_layers, max(layer.weighted_layers for layer in plain)),
    ):
        more = f"{mine - theirs:+,} ({100 * (mine / theirs - 1):.1f} %)" if mine != theirs else "the same"
        rows += f"<tr><th>{name}</th><td>{mine:,}</td><td>{theirs:,}</td><td>{more}</td></tr>"
    facts = f"{config.image_size}×{config.image_size} images, width {config.width}, {config.iterations:,} iterations"
    facts += f" of batch {config.batch}. Layers count on the main path only."
    head = "<tr><th></th><th>this net</th><th>plain twin</th><th></th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
    return f'<div class="reslab-numbers reslab-figures">{table}<p>{facts}</p></div>'

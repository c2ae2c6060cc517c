"""One config as others can use it: Python, a command line, an experiment file."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from ..nets.registry import shortcut_class
from ..training.config import RunConfig
from ..training.tasks import CLASSIFY

ALWAYS = ("depth", "shortcut", "profile", "seed")


def settings(config: RunConfig) -> dict[str, Any]:
    """The fewest fields that give this config again, JSON-ready: those of ALWAYS, and what is not their profile's."""
    values = {name: value for name, value in config.to_dict().items() if name != "found"}  # by looking, again
    of = dict(profile=config.profile, task=config.task)
    usual = RunConfig(**of, iterations=config.iterations).to_dict() | dict(task=CLASSIFY)
    usual |= dict(iterations=RunConfig(**of).iterations)
    usual |= dict(gate_bias=shortcut_class(config.shortcut, config.plugins).gate_bias)
    return {name: value for name, value in values.items() if name in ALWAYS or value != usual[name]}


def as_python(config: RunConfig) -> str:
    """Lines that train this config and draw its curves."""
    given = ",\n    ".join(f"{name}={json.dumps(value)}" for name, value in settings(config).items())
    return (
        f"import reslab\n\nconfig = reslab.RunConfig(\n    {given},\n)\nrun = reslab.train(config)\n"
        "reslab.figures.error_curves([run])\n"
    )


def as_command(config: RunConfig) -> str:
    """The command line that trains this config."""
    return shlex.join(["reslab", "train", *(word for o in options(settings(config)) for word in o.split("=", 1))])


def options(values: Mapping[str, Any]) -> list[str]:
    """Options of `reslab train` for these fields, such as --lr-drops=240,340; those that are None are left out."""
    words = []
    for name, value in values.items():
        if isinstance(value, list) and name != "plugins":
            value = ",".join(map(str, value))
        several = value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}={item}" for item in several if item is not None]
    return words


def as_experiment(config: RunConfig, seeds: int = 3) -> str:
    """An experiment file, YAML, that holds this config against its plain twin and the identity, with error bars."""
    values = {name: value for name, value in settings(config).items() if name not in ("profile", "seed")}
    question = "What does this shortcut do to training?"
    if "gate_bias" not in values:  # the other shortcuts have no gate
        values["shortcut"] = list(dict.fromkeys(["none", "A", config.shortcut]))
        question = "What does this shortcut do to training, against no shortcut and the identity?"
    title = f"The shortcut {config.shortcut} at depth {config.depth}"
    if config.shortcut in ("none", "A"):
        title, question = f"Plain and residual at depth {config.depth}", "What does the identity do to training?"
    study = dict(
        title=title,
        question=question,
        notebook="train.ipynb",
        report="02_shortcut_explorer.ipynb",
        profile=config.profile,
        seeds=seeds,
        grid=values,
    )
    return yaml.safe_dump(study, sort_keys=False, default_flow_style=None, width=120)

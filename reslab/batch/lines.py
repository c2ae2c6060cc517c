"""YAML of which every name and every item of a list knows its line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml


class Loader(yaml.SafeLoader):
    """YAML with 1e-3 read as the number that it is; YAML 1.1 wants 1.0e-3 and takes the rest for text."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def yaml_value(text: str) -> Any:
    """What `text` means in YAML: 20, 1e-3, [20, 56], A. Raises ValueError if it is not YAML."""
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"{text!r} is not a YAML value: {_problem(error)}") from None


def first_word(message: object) -> str:
    """The name that a message is about, such as depth of "depth=21 is not 6n+2": they all begin with it."""
    begins = re.match(r"\W*(\w+)", str(message))
    return begins[1] if begins else ""


class Lines:
    """A YAML mapping: its nodes, and the line of each name. Its errors name the file and a line."""

    def __init__(self, path: Path, node: yaml.Node, what: str):
        """Raises ValueError for a node that is no mapping, called `what`, and for a name that is there twice."""
        self.path, self.line = path, node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode):
            raise self.error(f"{what} should be a mapping, `name: value` line by line")
        self.nodes: dict[str, yaml.Node] = {}
        self.lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in self.nodes:
                raise self.error(f"{name!r} is there twice; it is also in line {self.lines[name]}", line)
            self.nodes[name], self.lines[name] = value, line

    @classmethod
    def of(cls, path: Path, what: str) -> "Lines":
        """The file's. Raises ValueError, also for what is not YAML, and for an empty file."""
        try:
            node = yaml.compose(path.read_text(), Loader)
        except yaml.YAMLError as error:
            raise ValueError(f"{path}: {_problem(error)}") from None
        if node is None:
            raise ValueError(f"{path} is empty; {what} goes there")
        return cls(path, node, what)

    def mapping(self, name: str) -> "Lines":
        """The mapping that is this name's value."""
        return Lines(self.path, self.nodes[name], name)

    def mappings(self, name: str) -> list["Lines"]:
        """The mappings in the list that is this name's value, or the one mapping that it is."""
        node = self.nodes[name]
        several = node.value if isinstance(node, yaml.SequenceNode) else [node]
        return [Lines(self.path, item, f"a part of {name}" if item is not node else name) for item in several]

    def item_lines(self, name: str) -> list[int]:
        """The line of each item of a list, the name's own for anything else."""
        node = self.nodes[name]
        items = node.value if isinstance(node, yaml.SequenceNode) else []
        return [item.start_mark.line + 1 for item in items] or [self.lines[name]]

    def error(self, message: object, line: int | None = None) -> ValueError:
        return ValueError(f"{self.path}, line {line or self.line}: {message}")

    def check(self, check: Callable, *arguments: Any, line: int | None = None) -> Any:
        """`check(*arguments)`; its ValueError is given `line`, or that of the name which its message begins with."""
        try:
            return check(*arguments)
        except ValueError as error:
            raise self.error(error, line or self.lines.get(first_word(error))) from None

    def values(self) -> dict[str, Any]:
        loader = Loader("")
        try:
            return {name: loader.construct_object(node, deep=True) for name, node in self.nodes.items()}
        except yaml.YAMLError as error:
            raise ValueError(f"{self.path}: {_problem(error)}") from None


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {what}" if mark else what

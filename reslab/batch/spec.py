"""An experiment file: which runs a study has. Checked whole, with line numbers, before anything starts."""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_origin

import yaml

from ..names import check_names
from ..training.config import PROFILES, RunConfig

ROOT = Path(__file__).resolve().parents[2]  # the checkout: experiments/ and notebooks/ are not part of the package
EXPERIMENTS, NOTEBOOKS = ROOT / "experiments", ROOT / "notebooks"

KEYS = {"title": str, "question": str, "notebook": str, "report": str, "profile": str, "seeds": int, "grid": dict}
WORDS = {str: "text", int: "a whole number", dict: "a mapping of RunConfig fields to values"}
FIELDS = [field.name for field in fields(RunConfig)]
LISTS = {field.name for field in fields(RunConfig) if get_origin(field.type) is tuple}  # a list is one value of these
BY_OPTION = {"profile": "--profile", "seed": "--seeds"}  # fields that a grid does not hold, and what sets them

Grid = dict[str, tuple[Any, ...]]  # field -> its values, in order


class _Loader(yaml.SafeLoader):
    """YAML with 1e-3 read as the number that it is; YAML 1.1 wants 1.0e-3 and takes the rest for text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def yaml_value(text: str) -> Any:
    """What `text` means in YAML: 20, 1e-3, [20, 56], A. Raises ValueError if it is not YAML."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"{text!r} is not a YAML value: {_problem(error)}") from None


def parse_parameters(assignments: Iterable[str]) -> dict[str, Any]:
    """{"depth": 20} from "depth=20", values read as YAML. Raises ValueError for what is not NAME=VALUE or is twice."""
    parameters = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not (name and equals):
            raise ValueError(f"-p {assignment!r} is not NAME=VALUE; write -p lr=0.05")
        if name in parameters:
            raise ValueError(f"-p {name}=... is there twice; for several values write -p '{name}=[..., ...]'")
        parameters[name] = yaml_value(text)
    return parameters


def as_axis(name: str, value: Any) -> tuple[Any, ...]:
    """The values that `name: value` gives a field: a list's items, or it. Raises ValueError for an empty list."""
    several = isinstance(value, list) and (name not in LISTS or any(isinstance(item, list) for item in value))
    if several and not value:
        raise ValueError(f"{name}=[] leaves nothing to run; give at least one value")
    return tuple(value) if several else (value,)


def check_fields(names: Iterable[str]) -> None:
    """Raises ValueError for a name that is no RunConfig field, or is one that an option sets."""
    for name in names:
        if name in BY_OPTION:
            raise ValueError(f"{name!r} is not for the grid; set it with {BY_OPTION[name]}")
        check_names([name], [field for field in FIELDS if field not in BY_OPTION], "RunConfig")


@dataclass(frozen=True)
class Experiment:
    """A study: `notebook` for every combination of the grid's values and every seed, then `report` over the runs."""

    name: str
    title: str
    question: str
    notebook: Path
    report: Path
    grid: Grid
    profile: str = "demo"
    seeds: int = 1
    file: Path | None = None  # that it was read from

    @property
    def called(self) -> str:
        """What `reslab reproduce` finds it by: the name of one in experiments/, or the file."""
        return self.name if self.file is None or self.file.parent == EXPERIMENTS else str(self.file)

    @classmethod
    def load(cls, name_or_path: str | Path) -> "Experiment":
        """The experiment of this name in experiments/, or the file at this path.

        Raises ValueError, with file and line, for anything in it that cannot be, and for a name that is not there.
        """
        path = Path(name_or_path)
        if path.suffix not in (".yaml", ".yml"):
            path = _by_name(str(name_or_path))
        if not path.is_file():
            raise ValueError(f"there is no experiment file {path}")
        return _read(path)

    def configs(
        self, profile: str | None = None, seeds: int | None = None, overrides: Mapping[str, Any] | None = None
    ) -> list[RunConfig]:
        """One config a run, seed by seed and then in the grid's order.

        `overrides` gives fields other values than the grid or the profile; a list makes an axis. Raises ValueError for
        a name that is no field and for a value that cannot be trained.
        """
        seeds = self.seeds if seeds is None else seeds
        if seeds < 1:
            raise ValueError(f"seeds={seeds} leaves nothing to run; allowed: 1 or more")
        check_fields(overrides or {})
        grid = self.grid | {name: as_axis(name, value) for name, value in (overrides or {}).items()}
        points = itertools.product(range(seeds), _points(grid))
        configs = [RunConfig(profile=profile or self.profile, seed=seed, **values) for seed, values in points]
        return list(dict.fromkeys(configs))  # a value given twice is still one run


def _by_name(name: str) -> Path:
    known = sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))
    if name not in known:
        close = get_close_matches(name, known, n=1, cutoff=0.0)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"there is no experiment {name!r}; {hint}{EXPERIMENTS} has: {', '.join(known)}")
    return EXPERIMENTS / f"{name}.yaml"


def _points(grid: Grid) -> list[dict[str, Any]]:
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


class _Lines:
    """What a YAML mapping says, and in which line it says it."""

    def __init__(self, path: Path, node: yaml.Node, what: str):
        self.path, self.line = path, node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode):
            raise self.error(f"{what} should be a mapping, `name: value` line by line")
        self.nodes: dict[str, yaml.Node] = {}
        self.lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in self.nodes:
                raise self.error(f"{key.value!r} is there twice; it is also in line {self.lines[key.value]}", line)
            self.nodes[key.value], self.lines[key.value] = value, line

    def error(self, message: object, line: int | None = None) -> ValueError:
        return ValueError(f"{self.path}, line {line or self.line}: {message}")

    def check(self, check, *arguments: Any) -> Any:
        """`check(*arguments)`, its ValueError with the line of the name that its message begins with."""
        try:
            return check(*arguments)
        except ValueError as error:
            begins = re.match(r"\W*(\w+)", str(error))
            raise self.error(error, self.lines.get(begins[1] if begins else "")) from None

    def values(self) -> dict[str, Any]:
        loader = _Loader("")
        try:
            return {name: loader.construct_object(node, deep=True) for name, node in self.nodes.items()}
        except yaml.YAMLError as error:
            raise ValueError(f"{self.path}: {_problem(error)}") from None


def _read(path: Path) -> Experiment:
    try:
        node = yaml.compose(path.read_text(), _Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {_problem(error)}") from None
    if node is None:
        raise ValueError(f"{path} is empty; it needs {', '.join(KEYS)}")
    spec = _Lines(path, node, "an experiment")
    spec.check(check_names, spec.nodes, list(KEYS), "an experiment")
    values = spec.values()
    for name, kind in KEYS.items():
        if name not in values and name not in ("profile", "seeds"):
            raise spec.error(f"{name!r} is missing; an experiment needs title, question, notebook, report and grid")
        if name in values and type(values[name]) is not kind:
            raise spec.error(f"{name} should be {WORDS[kind]}, not {values[name]!r}", spec.lines[name])
    if values.get("profile", "demo") not in PROFILES:
        raise spec.error(f"profile={values['profile']!r}; allowed: {', '.join(PROFILES)}", spec.lines["profile"])
    if values.get("seeds", 1) < 1:
        raise spec.error(f"seeds={values['seeds']}; allowed: 1 or more", spec.lines["seeds"])
    for name in ("notebook", "report"):
        values[name] = _notebook(values[name], spec, name)
    lines = _Lines(path, spec.nodes["grid"], "the grid")
    lines.check(check_fields, lines.nodes)
    grid = lines.values()
    if "plugins" in grid:
        grid["plugins"] = _beside(path, grid["plugins"])
    values["grid"] = {name: lines.check(as_axis, name, value) for name, value in grid.items()}
    for point in _points(values["grid"]):
        lines.check(lambda point: RunConfig(profile=values.get("profile", "demo"), **point), point)
    return Experiment(path.stem, **values, file=path)


def _beside(path: Path, plugins: Any) -> Any:
    """Plugin files that lie beside the experiment file, by their full path; the rest as it is."""
    if isinstance(plugins, list):
        return [_beside(path, item) for item in plugins]
    beside = isinstance(plugins, str) and (path.parent / plugins).is_file()
    return str((path.parent / plugins).resolve()) if beside else plugins


def _notebook(name: str, spec: _Lines, key: str) -> Path:
    """Beside the experiment file, or in the checkout's notebooks/."""
    places = [spec.path.parent / name, NOTEBOOKS / name]
    for place in places:
        if place.is_file():
            return place.resolve()
    raise spec.error(f"{key}: there is no {' nor '.join(map(str, places))}", spec.lines[key])


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {what}" if mark else what

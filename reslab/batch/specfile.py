"""Experiment files: read, and checked whole, with line numbers, before anything starts.

title: Degradation
question: Does a plain net get worse with depth?
notebook: train.ipynb                # runs once for every point of the grid
report: 01_degradation.ipynb         # runs once over the finished run folders
profile: demo                        # unless --profile says otherwise
seeds: 1                             # unless --seeds says otherwise
grid:                                # or a list of such mappings, whose union is run
  depth: [20, 56]                    # any RunConfig field; a list makes an axis
  shortcut: [none, A]
profiles:                            # what a profile has different: seeds, report, fields of the grid
  paper: {seeds: 5, grid: {depth: [20, 32, 44, 56]}}
claims: [degradation-training]       # that it feeds, of reslab.claims.CLAIMS
probes: [responses]                  # that look into its nets before the report, of reslab.probes.probing.PROBES
opt_in: {depth: 1202, shortcut: A}   # a grid, or several, that only --opt-in runs
record: [signals]                    # what each run keeps of its course, for probes: signals, weights
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..names import check_names
from ..training.config import RunConfig
from ..training.profiles import PROFILES
from .grid import Grid, as_axis, check_fields, points
from .lines import Lines, first_word
from .listed import claims, probes, record
from .parameters import declared
from .spec import NOTEBOOKS, Change, Experiment

NEEDED = {"title": str, "question": str, "notebook": str, "report": str, "grid": dict | list}
OPTIONAL = {"profile": str, "seeds": int, "profiles": dict, "opt_in": dict | list}
OPTIONAL |= dict.fromkeys(("claims", "probes", "record"), list)
OF_A_PROFILE = {"seeds": int, "report": str, "grid": dict | list}
WORDS = {
    str: "text",
    int: "a whole number",
    list: "a list",
    dict: "a mapping of profiles to what they have different",
    dict | list: "a mapping of RunConfig fields to values, or a list of such mappings",
}
TRAINS, REPORTS = ("profile", "seed", "store"), ("profile", "seeds", "store")  # parameters that every one is given


@dataclass(frozen=True)
class _Axis:
    """A field's values, and the line that each is in."""

    values: tuple[Any, ...]
    lines: tuple[int, ...]


_Axes = dict[str, _Axis]  # a grid that knows its lines


def read(path: Path) -> Experiment:
    """The experiment in this file. Raises ValueError, with file and line, for anything in it that cannot be."""
    spec = Lines.of(path, "an experiment")
    values = _typed(spec, NEEDED | OPTIONAL, "an experiment")
    missing = [name for name in NEEDED if name not in values]
    if missing:
        raise spec.error(f"{missing[0]!r} is missing; an experiment needs {', '.join(NEEDED)}")
    profile = values.get("profile", "demo")
    if profile not in PROFILES:
        raise spec.error(f"profile={profile!r}; allowed: {', '.join(PROFILES)}", spec.lines["profile"])
    notebook, report = (_notebook(spec, name) for name in ("notebook", "report"))
    takes = _check_takes(spec, "notebook", notebook, TRAINS)
    _check_takes(spec, "report", report, REPORTS)
    base, opt_in = _grids(spec, "grid"), _grids(spec, "opt_in") if "opt_in" in values else []
    grids, changes = {profile: base}, {}
    for name in values.get("profiles", {}):
        changes[name], grids[name] = _change(spec.mapping("profiles"), name, base)
    for name, parts in grids.items():
        for part in [*parts, *opt_in]:
            _check_points(spec, part, name)
            _check_reaches(spec, part, notebook.name, takes)
    return Experiment(
        path.stem,
        values["title"],
        values["question"],
        notebook,
        report,
        _plain(base),
        profile,
        values.get("seeds", 1),
        changes,
        claims(spec, values.get("claims", [])),
        _plain(opt_in),
        probes(spec, values.get("probes", [])),
        record(spec, values.get("record", []), notebook, takes),
        file=path,
    )


def _typed(lines: Lines, kinds: dict[str, Any], what: str) -> dict[str, Any]:
    """The mapping's values, if they are of these kinds and there are no others."""
    lines.check(check_names, lines.nodes, list(kinds), what)
    values = lines.values()
    for name, value in values.items():
        if not isinstance(value, kinds[name]) or isinstance(value, bool):
            raise lines.error(f"{name} should be {WORDS[kinds[name]]}, not {value!r}", lines.lines[name])
    if values.get("seeds", 1) < 1:
        raise lines.error(f"seeds={values['seeds']}; allowed: 1 or more", lines.lines["seeds"])
    return values


def _change(profiles: Lines, profile: str, base: list[_Axes]) -> tuple[Change, list[_Axes]]:
    """What a profile has different, and its grids. A mapping changes fields in every grid, a list is other grids."""
    if profile not in PROFILES:
        message = f"there is no profile {profile!r}; allowed: {', '.join(PROFILES)}"
        raise profiles.error(message, profiles.lines[profile])
    lines = profiles.mapping(profile)
    values = _typed(lines, OF_A_PROFILE, f"profile {profile!r} in an experiment")
    report = _notebook(lines, "report") if "report" in values else None
    if report:
        _check_takes(lines, "report", report, REPORTS)
    grids = base
    if "grid" in values:
        own = _grids(lines, "grid")
        grids = own if isinstance(values["grid"], list) else [{**grid, **own[0]} for grid in base]
    return Change(values.get("seeds"), _plain(grids), report), grids


def _grids(lines: Lines, name: str) -> list[_Axes]:
    parts = lines.mappings(name)
    if not parts:
        raise lines.error(f"{name}=[] leaves nothing to run; give at least one grid", lines.lines[name])
    grids = []
    for part in parts:
        if not part.nodes:
            raise lines.error(f"{name}: {{}} names no field; give at least one, such as depth: [20, 56]", part.line)
        grids.append(_axes(part))
        for grid, other in zip(grids[:-1], parts, strict=False):
            if _same(grid, grids[-1]):
                raise lines.error(f"{name} has this part twice; it is also in line {other.line}", part.line)
    return grids


def _same(grid: _Axes, other: _Axes) -> bool:
    """Whether both have the same points; no axis has a value twice."""
    return grid.keys() == other.keys() and all(
        len(axis.values) == len(other[name].values) and all(value in other[name].values for value in axis.values)
        for name, axis in grid.items()
    )


def _axes(lines: Lines) -> _Axes:
    lines.check(check_fields, lines.nodes)
    values, axes = lines.values(), {}
    if "plugins" in values:
        values["plugins"] = _beside(lines.path, values["plugins"])
    for name, value in values.items():
        axis, where = lines.check(as_axis, name, value), lines.item_lines(name)
        where = where if len(where) == len(axis) else [lines.lines[name]]  # of a list that is one value
        for place, item in enumerate(axis):
            if item in axis[:place]:
                also = where[axis.index(item)]
                raise lines.error(f"{name}={item!r} is there twice; it is also in line {also}", where[place])
        axes[name] = _Axis(axis, tuple(where))
    return axes


def _plain(grids: list[_Axes]) -> tuple[Grid, ...]:
    return tuple({name: axis.values for name, axis in grid.items()} for grid in grids)


def _check_points(spec: Lines, grid: _Axes, profile: str) -> None:
    """Raises ValueError for a point that is no RunConfig, with the line of the value that its message begins with."""
    for point in points({name: axis.values for name, axis in grid.items()}):
        try:
            RunConfig(profile=profile, **point)
        except ValueError as error:
            name = first_word(error)
            axis = grid.get(name) or next(iter(grid.values()))
            line = axis.lines[axis.values.index(point[name])] if name in grid else axis.lines[0]
            raise spec.error(f"{error} (in profile {profile})", line) from None


def _check_takes(lines: Lines, key: str, notebook: Path, names: Sequence[str]) -> list[str]:
    """What the notebook that `key` names declares. Raises ValueError unless all of `names` are among it."""
    line = lines.lines[key]
    takes = lines.check(declared, notebook, line=line)
    lines.check(check_names, names, takes, notebook.name, line=line)
    return takes


def _check_reaches(spec: Lines, grid: _Axes, notebook: str, takes: list[str]) -> None:
    """Raises ValueError for a field that the notebook cannot be told: neither by its name nor among `settings`."""
    for name, axis in grid.items():
        if name not in takes and "settings" not in takes:
            raise spec.error(
                f"{name}: 'settings' is not a parameter of {notebook} (line {spec.lines['notebook']}), nor is "
                f"{name!r}; declare one of them in its parameters cell. It has: {', '.join(takes)}",
                axis.lines[0],
            )


def _beside(path: Path, plugins: Any) -> Any:
    """Plugin files that lie beside the experiment file, by their full path; the rest as it is."""
    if isinstance(plugins, list):
        return [_beside(path, item) for item in plugins]
    beside = isinstance(plugins, str) and (path.parent / plugins).is_file()
    return str((path.parent / plugins).resolve()) if beside else plugins


def _notebook(lines: Lines, key: str) -> Path:
    """Beside the experiment file, or in the checkout's notebooks/."""
    name = lines.values()[key]
    places = [lines.path.parent / name, NOTEBOOKS / name]
    for place in places:
        if place.is_file():
            return place.resolve()
    raise lines.error(f"{key}: there is no {' nor '.join(map(str, places))}", lines.lines[key])

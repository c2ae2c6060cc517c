"""A study: which runs it has in which profile, which notebook trains them, which shows them, which claims they test."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..training.config import RunConfig
from ..training.profiles import PROFILES
from .grid import FIELDS, Grid, as_axis, check_fields, parse_parameters, points, told
from .lines import yaml_value

__all__ = [
    "EXPERIMENTS",
    "FIELDS",
    "NOTEBOOKS",
    "ROOT",
    "Change",
    "Experiment",
    "as_axis",
    "check_fields",
    "parse_parameters",
    "yaml_value",
]

ROOT = Path(__file__).resolve().parents[2]  # the checkout: experiments/ and notebooks/ are not part of the package
EXPERIMENTS, NOTEBOOKS = ROOT / "experiments", ROOT / "notebooks"


@dataclass(frozen=True)
class Change:
    """What a study has different in one profile; None where nothing is."""

    seeds: int | None = None
    grids: tuple[Grid, ...] | None = None  # whole: what was there before, and what is different
    report: Path | None = None


@dataclass(frozen=True)
class Experiment:
    """A study: `notebook` for every point of the grids and every seed, then `report` over the runs.

    A grid is every combination of its fields' values; several grids are a union, for what is no full product: a gate's
    bias exists only where there is a gate. Each may be another in another profile. `opt_in` are grids that are run only
    when asked for, since they cost more than the rest together.
    """

    name: str
    title: str
    question: str
    notebook: Path
    report: Path
    grids: tuple[Grid, ...]
    profile: str = "demo"
    seeds: int = 1
    profiles: Mapping[str, Change] = field(default_factory=dict)
    claims: tuple[str, ...] = ()  # names in reslab.claims.CLAIMS
    opt_in: tuple[Grid, ...] = ()
    probes: tuple[str, ...] = ()  # names in reslab.probes.probing.PROBES: they look into its nets before the report
    record: tuple[str, ...] = ()  # what its runs keep of their course: of reslab.training.recording.RECORDS
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
        from .specfile import read  # here, because it makes Experiments

        path = Path(name_or_path)
        if path.suffix not in (".yaml", ".yml"):
            path = _by_name(str(name_or_path))
        if not path.is_file():
            raise ValueError(f"there is no experiment file {path}")
        return read(path)

    def seeds_in(self, profile: str | None = None) -> int:
        """How many seeds a net has in this profile, the study's own without one."""
        return self._change(profile).seeds or self.seeds

    def report_in(self, profile: str | None = None) -> Path:
        """The notebook that shows the study in this profile."""
        return self._change(profile).report or self.report

    def grids_in(
        self, profile: str | None = None, overrides: Mapping[str, Any] | None = None, opt_in: bool = False
    ) -> list[Grid]:
        """The grids in this profile, and those of `opt_in` if asked for, with `overrides` in each of them.

        Raises ValueError for an override that is no field.
        """
        check_fields(overrides or {})
        changed = {name: as_axis(name, value) for name, value in (overrides or {}).items()}
        grids = (self._change(profile).grids or self.grids) + (self.opt_in if opt_in else ())
        return [{**grid, **changed} for grid in grids]

    def axis(self, name: str, profile: str | None = None, opt_in: bool = False) -> tuple[Any, ...] | None:
        """All values that this field has in the grids, in order; None if it is in none of them."""
        values = [value for grid in self.grids_in(profile, opt_in=opt_in) for value in grid.get(name, ())]
        return tuple(value for place, value in enumerate(values) if value not in values[:place]) or None

    def _change(self, profile: str | None) -> Change:
        profile = profile or self.profile
        if profile not in PROFILES:
            raise ValueError(f"profile={profile!r} is not possible; allowed: {', '.join(PROFILES)}")
        return self.profiles.get(profile, Change())

    def configs(
        self,
        profile: str | None = None,
        seeds: int | None = None,
        overrides: Mapping[str, Any] | None = None,
        opt_in: bool = False,
    ) -> list[RunConfig]:
        """One config a run, seed by seed and then in the grids' order; what is in two grids is one run.

        `overrides` gives fields other values than the grids or the profile, in every grid; a list makes an axis. Raises
        ValueError for a name that is no field and for a value that cannot be trained, in one of the grids at least.
        """
        seeds = self.seeds_in(profile) if seeds is None else seeds
        if seeds < 1:
            raise ValueError(f"seeds={seeds} leaves nothing to run; allowed: 1 or more")
        grids = self.grids_in(profile, overrides, opt_in)
        expanded = [points(grid) for grid in grids]
        configs = []
        for seed in range(seeds):
            for grid, its_points in zip(grids, expanded, strict=True):
                try:
                    configs += [RunConfig(profile=profile or self.profile, seed=seed, **point) for point in its_points]
                except ValueError as error:
                    if not overrides or len(grids) == 1:
                        raise
                    part = f"what -p says is for every part of the grid, and makes one of them {told(grid)}"
                    raise ValueError(f"{error} ({part})") from None
        return list(dict.fromkeys(configs))

    def command(
        self,
        profile: str | None = None,
        seeds: int | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
        opt_in: bool = False,
        store: str | Path | None = None,
    ) -> str:
        """The command line that runs it: what is missing, then the report."""
        seeds = self.seeds_in(profile) if seeds is None else seeds
        words = ["reslab", "reproduce", self.called, "--profile", profile or self.profile, "--seeds", str(seeds)]
        words += ["--opt-in"] * opt_in + (["--store", str(store)] if store else [])
        for name, value in (overrides or {}).items():
            words += ["-p", f"{name}={json.dumps(value)}"]
        return shlex.join(words)


def _by_name(name: str) -> Path:
    known = sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))
    if name not in known:
        close = get_close_matches(name, known, n=1, cutoff=0.0)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"there is no experiment {name!r}; {hint}{EXPERIMENTS} has: {', '.join(known)}")
    return EXPERIMENTS / f"{name}.yaml"

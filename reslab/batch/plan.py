"""What a study will do, checked to the last parameter before anything is written or runs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..names import check_names
from ..remote import sentences
from ..runs import PLUGINS, Run, RunStore, states
from ..training.config import RunConfig
from ..training.estimate import measure_all
from ..training.tasks import CLASSIFY
from .engines import EngineOptions
from .jobs import Job
from .parameters import declared
from .spec import FIELDS, NOTEBOOKS, Experiment, as_axis, check_fields

GENERAL = NOTEBOOKS / "study.ipynb"  # the report of any study
NOTEBOOK = "notebook.ipynb"  # in the run folder
STARTING = 8.0  # seconds until a kernel has imported torch and read the data
# Parameters of notebooks that have an option of their own.
OPTIONS = {
    "experiment": "the name or file of another study",
    "store": "--store",
    "seeds": "--seeds",
    "data": "--data",
    "opt_in": "--opt-in",
    "settings": "-p NAME=VALUE for each field",
}


@dataclass(frozen=True)
class Planned:
    """One run of the study as it was when the plan was made."""

    config: RunConfig
    run: Run
    label: str
    parameters: dict[str, Any]  # of the notebook that trains it
    state: str  # one of reslab.runs.STATES, or "unshown": done, but without its notebook
    iteration: int  # where it will go on from, about

    def kept_parameters(self) -> dict[str, Any]:
        """The parameters with the run folder's own copy of a plugin, made now: the file may be edited meanwhile."""
        if not self.config.plugins:
            return self.parameters
        folder = RunStore(self.run.path.parent).create(self.config).path / PLUGINS
        kept = [str(folder / plugin.copy_name) for plugin in self.config.plugins]  # a URL in an object store
        if "plugins" in self.parameters:
            return self.parameters | dict(plugins=kept)
        return self.parameters | dict(settings=self.parameters["settings"] | dict(plugins=kept))


@dataclass(frozen=True)
class Report:
    """A notebook that shows a study, and what it is told."""

    notebook: Path
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A study that has passed every check."""

    experiment: Experiment
    profile: str
    seeds: int
    runs: tuple[Planned, ...]
    store: str  # folder or URL
    data: str  # "" where the usual places are meant
    engine: EngineOptions
    overrides: Mapping[str, Any]  # RunConfig fields that -p gave other values
    others: Mapping[str, Any]  # parameters of the report notebook that -p gave
    opt_in: bool
    report: Report  # of the study, or the general one where that cannot show this grid
    general: Report  # which reads run folders and nothing else: for a study that is not complete

    @property
    def missing(self) -> list[Planned]:
        return [planned for planned in self.runs if planned.state != "done"]

    @property
    def command(self) -> str:
        """The command line that repeats this study, in any store."""
        options = dict(overrides={**self.overrides, **self.others}, opt_in=self.opt_in)
        return self.experiment.command(self.profile, self.seeds, **options)

    def seconds(self) -> dict[RunConfig, float]:
        """What each missing run will still take on this machine, from a few steps of training."""
        speeds = measure_all([p.config for p in self.missing], threads=self.engine.threads(len(self.runs)))
        return {p.config: STARTING + speeds[p.config].seconds(p.config, p.iteration) for p in self.missing}

    def jobs(self, seconds: Mapping[RunConfig, float]) -> list[Job]:
        """The missing runs, the longest first, so that the last ones to end are short."""
        notebook = self.experiment.notebook
        return [
            Job(p.label, notebook, p.run.path / NOTEBOOK, p.kept_parameters(), p.run, seconds[p.config])
            for p in sorted(self.missing, key=lambda p: -seconds[p.config])
        ]


def make_plan(
    experiment: str | Path,
    *,
    profile: str | None = None,
    seeds: int | None = None,
    store: str | Path | None = None,
    data: str | Path | None = None,
    engine: EngineOptions | None = None,
    opt_in: bool = False,
    parameters: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan of an experiment, by name or file, with the nets that it has only when asked if `opt_in`.

    `parameters` are RunConfig fields, for the grid, or parameters of the report notebook. Raises ValueError for an
    experiment, a name or a value that cannot be, naming the closest that can.
    """
    study = Experiment.load(experiment)
    if opt_in and not study.opt_in:
        raise ValueError(f"{study.called} has no opt_in: leave out --opt-in")
    profile, seeds = profile or study.profile, study.seeds_in(profile) if seeds is None else seeds
    shows = study.report_in(profile)
    takes, reports = declared(study.notebook), declared(shows)
    given = _fields_among(parameters or {}, reports, shows.name)
    others = {name: value for name, value in (parameters or {}).items() if name not in given}
    configs = study.configs(profile, seeds, given, opt_in)
    shelf = RunStore(store)
    where = dict(store=shelf.url) | (dict(data=str(Path(data).expanduser().resolve())) if data else {})
    check_names(where, takes, study.notebook.name)
    told = dict(profile=profile, seeds=seeds) | where
    general = Report(GENERAL, told | _any_study(study, given, opt_in))
    report = general
    if (own := _report_parameters(study, reports, given, opt_in, told | others)) is not None:
        check_names(own, reports, shows.name)
        report = Report(shows, own)
    runs = tuple(_planned(configs, RunStore(shelf.url), study, takes, where))
    engine = engine or EngineOptions()
    data = where.get("data", "")
    return Plan(study, profile, seeds, runs, shelf.url, data, engine, given, others, opt_in, report, general)


def _fields_among(parameters: Mapping[str, Any], reports: list[str], report: str) -> dict[str, Any]:
    """Those of `parameters` that are RunConfig fields. Raises ValueError for what the report does not take either."""
    for name in parameters:
        if name in OPTIONS:
            raise ValueError(f"{name!r} is not set with -p; use {OPTIONS[name]}")
        check_names([name], [*FIELDS, *(n for n in reports if n not in {*OPTIONS, *FIELDS})], f"RunConfig or {report}")
    fields = {name: value for name, value in parameters.items() if name in FIELDS}
    check_fields(fields)
    return fields


def _any_study(study: Experiment, given: Mapping[str, Any], opt_in: bool) -> dict[str, Any]:
    """What tells a notebook that declares `experiment` which study to show."""
    return (
        dict(experiment=study.called)
        | (dict(settings=dict(given)) if given else {})
        | (dict(opt_in=True) if opt_in else {})
    )


def _report_parameters(
    study: Experiment, reports: list[str], given: Mapping[str, Any], opt_in: bool, rest: dict[str, Any]
) -> dict[str, Any] | None:
    """What the report notebook gets: a changed axis if it declares one of that name, any other field as a setting.

    None if an axis was changed that it does not declare: it would train and show the grid it knows. One that declares
    `experiment` shows any study, with whatever was changed.
    """
    if "experiment" in reports:
        return rest | _any_study(study, given, opt_in)
    if opt_in:
        return None
    direct, settings = {}, {}
    for name, value in given.items():
        axis = as_axis(name, value)
        if name in reports:
            direct[name] = value
        elif study.axis(name, rest["profile"]) or len(axis) > 1:
            if axis != study.axis(name, rest["profile"]):
                return None
        else:
            settings[name] = value
    return rest | direct | (dict(settings=settings) if settings else {})


def _planned(
    configs: list[RunConfig], store: RunStore, study: Experiment, takes: list[str], where: dict[str, str]
) -> Iterable[Planned]:
    labels = Counter(_label(config) for config in configs)
    runs = [store.run(config) for config in configs]
    for config, run, state in zip(configs, runs, with_notebooks(runs, states(runs)), strict=True):
        label = _label(config) if labels[_label(config)] == 1 else config.id
        parameters = run_parameters(config, takes, study.notebook.name) | where
        if study.record:
            parameters["record"] = list(study.record)
        if "wait" in takes:  # whoever waits could train another run meanwhile
            parameters["wait"] = False
        at = {"new": 0, "done": config.iterations, "unshown": config.iterations}.get(state)
        yield Planned(config, run, label, parameters, state, run.status.get("iteration", 0) if at is None else at)


def with_notebooks(runs: Sequence[Run], found: Sequence[str]) -> list[str]:
    """The states `found`, "unshown" where a run is done and has no notebook: somebody trained it without one, or died
    before it was written.
    """
    if runs and not isinstance(runs[0].path, Path):  # one listing instead of a question for each
        store = runs[0].path.parent
        with sentences(store):
            shown = {name.split("/")[-2] for name in store.fs.glob(f"{store.path}/*/{NOTEBOOK}")}
    else:
        shown = {run.id for run in runs if (run.path / NOTEBOOK).exists()}
    states = zip(runs, found, strict=True)
    return ["unshown" if state == "done" and run.id not in shown else state for run, state in states]


def _label(config: RunConfig) -> str:
    return f"{config.net_name} seed {config.seed}"


def run_parameters(config: RunConfig, takes: list[str], notebook: str) -> dict[str, Any]:
    """How a notebook that declares `takes` is told to train `config`: by fields, and by `settings` for the rest.

    Raises ValueError for a notebook that cannot be told all of it.
    """
    values = config.to_dict()
    direct = {name: values[name] for name in FIELDS if name in takes or name in ("profile", "seed")}
    rest = {name: value for name, value in values.items() if name not in direct}
    usual = RunConfig(profile=config.profile, task=config.task).to_dict() | dict(task=CLASSIFY)
    settings = {name: value for name, value in rest.items() if value != usual[name]}
    if RunConfig.from_dict(direct | settings) != config:  # a field that moves others, as iterations does
        settings = rest
    parameters = direct | (dict(settings=settings) if settings else {})
    check_names(parameters, takes, notebook)
    return parameters

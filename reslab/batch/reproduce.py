"""A study from its plan to its report: what `reslab reproduce` does."""

import json
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from ..data import load_dataset
from ..data.verifying import verified_pictures
from ..files import place, remove, write_atomically
from ..probes.probing import Probed, lacking
from ..runs import RunStore
from ..training.config import RunConfig
from ..training.estimate import together
from ..training.sources import opened
from ..training.tasks import CLASSIFY
from .engine import run_all
from .inside import done_runs, look_inside
from .jobs import Interrupted, Job, Outcome, failed_name
from .local import LocalEngine
from .plan import Plan, Report
from .progress import duration, watch
from .results import export

Say = Callable[[str], None]
PROBE, PROBE_SIZE = ".probe", 1 << 16  # a file that tells whether the store takes one, and its bytes


@dataclass(frozen=True)
class Options:
    """What does not change a study's result: where its report goes, whether anything runs, who else looks on.

    Raises ValueError for event files where nothing can write them.
    """

    out: Path = Path("reports")
    dry_run: bool = False
    tensorboard: bool = False

    def __post_init__(self):
        if self.tensorboard and not find_spec("tensorboard"):
            raise ValueError("--tensorboard needs a package that is not there: pip install 'reslab[tensorboard]'")


def reproduce(plan: Plan, console: Console, options: Options | None = None) -> int:
    """Trains what is missing, looks into the nets with the study's probes, runs the report notebook over the run
    folders, writes its page and says how to go on.

    A study of which something failed gets a report too, of what there is. Returns the exit code: 0, 1 if something
    failed, 128 + signal if stopped. Raises DataError, before anything is trained, if the data cannot be had.
    """
    options = options or Options()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    if not options.dry_run:
        configs = [planned.config for planned in plan.missing]
        configs += [run.config for run, _ in lacking(done_runs(plan), plan.experiment.probes)]
        needed = {(config.task == "detection", config.dataset): config for config in configs}
        for _, config in sorted(needed.items()):  # a download, or an error, comes once and now
            _have(config, plan.data or None)
    seconds = _announce(plan, say, every_run=options.dry_run)
    if options.dry_run:
        return 0
    try:
        failed = _train(plan, console, say, seconds, options) if plan.missing else []
        unprobed = look_inside(plan, say)
        reported = _report(plan, console, say, options.out, failed, unprobed)
    except Interrupted as stopped:
        say("Stopped. What is done is kept and checkpoints are written: the same command goes on from there.")
        return 128 + stopped.signal
    return 0 if reported and not failed and not unprobed else 1


def _have(config: RunConfig, data: str | Path | None) -> None:
    """Finds the config's data set, or downloads it. Raises DataError if it cannot be had."""
    if config.task == "detection":
        with opened(config, "cpu", data, workers=0):
            return
    get = load_dataset if config.facts.size is not None else verified_pictures
    get(config.dataset, root=data)


def _announce(plan: Plan, say: Say, every_run: bool) -> Mapping[RunConfig, float]:
    """Says what is asked, what is there and how long the rest will take. Returns the seconds of each missing run."""
    say(f"{plan.experiment.title}: {plan.experiment.question}")
    names = {"done": "done", "new": "missing", "unshown": "trained, but without its notebook"}
    kinds = {"done": "done", "new": "missing"}
    states = Counter(kinds.get(planned.state, "unfinished") for planned in plan.runs)
    counts = ", ".join(f"{states[state]} {state}" for state in ("done", "unfinished", "missing") if states[state])
    datasets = " and ".join(sorted({planned.config.dataset for planned in plan.runs}))
    say(f"{len(plan.runs)} runs of profile {plan.profile} on {datasets}: {counts}; in {plan.store}")
    seconds = plan.seconds() if plan.missing else {}
    if every_run:
        for p in plan.runs:
            state = names.get(p.state, p.state)
            time_left = f", about {duration(seconds[p.config])}" if p.config in seconds else ""
            say(f"  {p.config.id}  {state}{time_left}")
    if seconds:
        at_once, threads = plan.engine.at_once(len(plan.runs)), plan.engine.threads(len(plan.runs))
        total = duration(together(sorted(seconds.values(), reverse=True), at_once))
        how = f"{at_once} at a time with {threads} thread{'s' * (threads > 1)} each"
        say(f"Training will take about {total} on this machine, {how} (measured over a few iterations).")
    if plan.experiment.probes:
        say(f"Then its nets are looked into: {', '.join(plan.experiment.probes)}.")
    return seconds


def _train(
    plan: Plan, console: Console, say: Say, seconds: Mapping[RunConfig, float], options: Options
) -> list[Outcome]:
    """Trains what is missing and tells what could not be. Returns the outcomes of those."""
    with ExitStack() as stack:
        events = options.out / "tensorboard"
        if options.tensorboard:
            from .tensorboard import EventFiles, Recording

            files = stack.enter_context(EventFiles(events))
            say(f"To watch it there: tensorboard --logdir {events}")
        engine = plan.engine.make(len(plan.runs))
        show = watch(console, engine.at_once)
        if options.tensorboard:
            show = Recording(show, files, [planned.run for planned in plan.runs])
        outcomes = run_all(plan.jobs(seconds), engine, show, lambda: _check_store(plan.store))
    failed = [outcome for outcome in outcomes if outcome.state != "done"]
    if failed:
        say(f"{len(failed)} of {len(plan.runs)} runs could not be finished; the others are kept.")
        for outcome in failed:
            say(f"  {outcome.job.label}: {outcome.state}: {outcome.reason}")
            say(f"    see {failed_name(outcome.job.out)}")
        say("The same command tries again what is not done.")
    return failed


def _check_store(store: str) -> None:
    """Writes a file and takes it away again. Raises OSError if the store does not take it."""
    probe = place(store) / PROBE
    if isinstance(probe, Path):
        probe.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_atomically(probe, bytes(PROBE_SIZE))
        remove(probe)
    except OSError as error:
        if isinstance(probe, Path):  # a sentence, whatever was being done
            raise OSError(error.errno, f"{store} cannot be written: {error.strerror}") from None
        raise


def _report(
    plan: Plan, console: Console, say: Say, out: Path, failed: list[Outcome], unprobed: Sequence[Probed]
) -> bool:
    """Runs the report notebook over the store, writes page, summary and numbers, and says what came out.

    Returns whether there is a page. Where something failed the report is the general one: it trains nothing.
    """
    from ..claims import ledger  # here, because plotly and scipy take a second to load
    from .facts import StudyFacts
    from .report import write_report

    report = plan.general if failed else plan.report
    stem = (out / f"{plan.experiment.name}-{plan.profile}").resolve()
    notebook = Path(f"{stem}.ipynb")
    if not _execute(report, notebook, console, say):
        return False
    runs = [planned.run for planned in plan.runs]
    begun = [run for run in runs if run.state != "new"]
    verdicts = ledger(begun, names=list(plan.experiment.claims))
    failures = [(outcome.job.run.id, outcome.reason) for outcome in failed if outcome.job.run]
    failures += [(one.run.id, f"{one.probe}: {one.failure}") for one in unprobed]
    again = [(plan.command, "this study: what is done is found again")]
    facts = StudyFacts(plan.experiment, plan.profile, runs, verdicts, again, failures)
    page, text = write_report(notebook, facts, stem)
    numbers, _ = export([run for run in begun if run.metrics], stem, plan.experiment.probes)
    say(f"\n{facts.table}\n")
    if plan.experiment.claims:
        say(f"{verdicts}\n")
    say(f"Numbers: {numbers}")
    say(f"Summary: {text}")
    say(f"Report: {page}")
    say("To go on:")
    for command, why in _next_commands(plan):
        say(f"  {command}\n      {why}")
    return True


def _execute(report: Report, out: Path, console: Console, say: Say) -> bool:
    job = Job(report.notebook.name, report.notebook, out, report.parameters)
    (outcome,) = run_all([job], LocalEngine(1), watch(console, 1))
    if outcome.state != "done":
        say(f"The report {report.notebook.name} {outcome.state}: {outcome.reason}\n  see {failed_name(out)}")
    return outcome.state == "done"


def _next_commands(plan: Plan) -> list[tuple[str, str]]:
    where = [] if plan.store == RunStore().url else ["--store", plan.store]
    where += ["--data", plan.data] if plan.data else []
    given = where + (["--engine", plan.engine.name] if plan.engine.name != "local" else [])
    given += ["--address", plan.engine.address] if plan.engine.address else []
    given += ["--opt-in"] * plan.opt_in
    for name, value in {**plan.overrides, **plan.others}.items():
        given += ["-p", f"{name}={json.dumps(value)}"]

    def again(profile: str, seeds: int) -> str:
        if plan.experiment.called == "degradation" and not given:  # make needs no activated environment
            return f"make reproduce PROFILE={profile} SEEDS={seeds}"
        options = [plan.experiment.called, "--profile", profile, "--seeds", str(seeds), *given]
        return f"reslab reproduce {shlex.join(options)}"

    commands = [
        ("make lab", "the notebooks, to change something and look"),
        (again(plan.profile, plan.seeds + 2), "the same with more seeds: error bars"),
    ]
    tasks = {planned.config.task for planned in plan.runs}
    if not plan.experiment.probes and tasks == {CLASSIFY}:
        look = shlex.join(["reslab", "probe", "--profile", plan.profile, *where])
        commands.append((look, "looks into these nets, and `reslab claims` says more"))
    larger = {"smoke": "demo", "demo": "short", "short": "paper"}.get(plan.profile)
    what = {
        "demo": "minutes instead of seconds",
        "short": "real CIFAR-10",
        "paper": "the paper's own schedule",
    }
    if "detection" in tasks:
        what |= dict(short="a longer schedule, and larger pictures", paper="Pascal VOC, with the published schedule")
    if larger:
        commands.append((again(larger, plan.experiment.seeds_in(larger)), what[larger]))
    return commands

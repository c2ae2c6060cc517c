"""A study from its plan to its report: what `reslab reproduce` does."""

import json
import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from ..data import load_dataset
from ..runs import RunStore
from ..training.config import RunConfig
from ..training.estimate import together
from .engine import run_all
from .jobs import Job, Outcome
from .local import LocalEngine
from .notebook import Interrupted
from .plan import Plan
from .progress import duration, watch
from .results import export

Say = Callable[[str], None]


def reproduce(plan: Plan, console: Console, out: str | Path = "reports", dry_run: bool = False) -> int:
    """Trains what is missing, runs the report notebook over the run folders, writes its page and says how to go on.

    Returns the exit code: 0, 1 if something failed, 128 + signal if stopped. Raises DataError, before anything is
    trained, if the data cannot be had.
    """

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    if not dry_run:
        for name in sorted({planned.config.dataset for planned in plan.missing}):
            load_dataset(name, root=plan.data or None)  # a download, or an error, comes once and now
    seconds = _announce(plan, say, every_run=dry_run)
    if dry_run:
        return 0
    try:
        if plan.missing:
            engine = plan.engine.make(len(plan.runs))
            outcomes = run_all(plan.jobs(seconds), engine, watch(console, engine.at_once))
            failed = [outcome for outcome in outcomes if outcome.state != "done"]
            if failed:
                _tell_failures(failed, plan, say)
                return 1
        return _report(plan, console, say, Path(out))
    except Interrupted as stopped:
        say("Stopped. What is done is kept and checkpoints are written: the same command goes on from there.")
        return 128 + stopped.signal


def _announce(plan: Plan, say: Say, every_run: bool) -> Mapping[RunConfig, float]:
    """Says what is asked, what is there and how long the rest will take. Returns the seconds of each missing run."""
    say(f"{plan.experiment.title}: {plan.experiment.question}")
    names = {"done": "done", "new": "missing"}
    states = Counter(names.get(planned.state, "unfinished") for planned in plan.runs)
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
    return seconds


def _tell_failures(failed: list[Outcome], plan: Plan, say: Say) -> None:
    say(f"{len(failed)} of {len(plan.runs)} runs could not be finished; the others are kept.")
    for outcome in failed:
        say(f"  {outcome.job.label}: {outcome.state}: {outcome.reason}")
        say(f"    see {outcome.job.out}")
    say("The report needs all of them. The same command tries again what is not done.")


def _report(plan: Plan, console: Console, say: Say, out: Path) -> int:
    """Runs the report notebook over the store, writes the page, and says what came out."""
    from ..figures import summary_table  # here, because plotly takes a second to load

    source, page = plan.experiment.report, None
    if plan.report is not None:
        notebook = (out / f"{plan.experiment.name}-{plan.profile}.ipynb").resolve()
        (outcome,) = run_all([Job(source.name, source, notebook, plan.report)], LocalEngine(1), watch(console, 1))
        if outcome.state != "done":
            say(f"The runs are done, but {source.name} {outcome.state}: {outcome.reason}\n  see {notebook}")
            return 1
        from .report import write_html

        page = write_html(notebook, notebook.with_suffix(".html"), title=plan.experiment.title)
    runs = [planned.run for planned in plan.runs]
    numbers, _ = export(runs, (out / f"{plan.experiment.name}-{plan.profile}").resolve())
    say(f"\n{summary_table(runs)}\n")
    say(f"Numbers: {numbers}")
    if page:
        say(f"Report: {page}")
    else:
        say(f"{source.name} was left out: it shows the grid of {plan.experiment.name}, and this is another one.")
    say("To go on:")
    for command, why in _next_commands(plan):
        say(f"  {command}\n      {why}")
    return 0


def _next_commands(plan: Plan) -> list[tuple[str, str]]:
    given = [] if plan.store == RunStore().root.resolve() else ["--store", str(plan.store)]
    for name, value in plan.parameters.items():
        given += ["-p", f"{name}={json.dumps(value)}"]

    def again(profile: str, seeds: int) -> str:
        if plan.experiment.name == "degradation" and not given:  # make needs no activated environment
            return f"make reproduce PROFILE={profile} SEEDS={seeds}"
        options = [plan.experiment.called, "--profile", profile, "--seeds", str(seeds), *given]
        return f"reslab reproduce {shlex.join(options)}"

    commands = [
        ("make lab", "the notebooks, to change something and look"),
        (again(plan.profile, plan.seeds + 2), "the same with more seeds: error bars"),
    ]
    larger = {"smoke": "demo", "demo": "short", "short": "paper"}.get(plan.profile)
    what = {"demo": "minutes instead of seconds", "short": "real CIFAR-10", "paper": "the paper's own schedule"}
    if larger:
        commands.append((again(larger, 1), what[larger]))
    return commands

"""The step between a study's runs and its report: its probes look into the nets that are done."""

from collections.abc import Callable

from ..probes.probing import Probed, lacking, probe
from ..runs import Run
from ..training.stop import StopRequest
from .jobs import Interrupted
from .plan import Plan


def done_runs(plan: Plan) -> list[Run]:
    """Those of the study that can be looked into, as of now."""
    return [planned.run for planned in plan.runs if planned.run.state == "done"]


def look_inside(plan: Plan, say: Callable[[str], None]) -> list[Probed]:
    """Puts the runs that are done to the study's probes and tells how it goes. Returns what could not be.

    What was measured before, by this study or by anybody, is not measured again, so it does not matter which engine
    trained the runs, when, or where this was stopped. SIGINT and SIGTERM end it after the measurement that they meet,
    with Interrupted.
    """
    runs, names = done_runs(plan), plan.experiment.probes
    missing = len(lacking(runs, names))
    if not missing:
        return []
    say(f"Looking into the nets, {', '.join(names)}: {missing} of {len(runs) * len(names)} results are still missing.")
    labels = {planned.run.id: planned.label for planned in plan.runs}
    failed = []
    with StopRequest() as stop:
        for one in probe(runs, names, plan.data or None):
            if one.seconds is None:
                continue
            failed += [one] * bool(one.failure)
            say(f"  {labels[one.run.id]}, {one.probe}: {one.failure or f'{one.seconds:.1f} s'}")
            if stop.signal is not None:
                raise Interrupted(stop.signal)
    return failed

"""Runs in, verdicts out."""

from collections.abc import Iterable
from dataclasses import replace
from statistics import stdev
from typing import TYPE_CHECKING

from ..names import check_names
from .catalogue import CLAIMS
from .claim import Part
from .measures import measure_label
from .reading import CONTRADICTED, INDICATIVE, SUPPORTED, UNDECIDED, judge
from .statistics import difference, seeds_needed, simultaneous, welch
from .verdict import Finding, Number, Verdict

if TYPE_CHECKING:  # evaluate() itself brings torch, whoever only lists claims does not wait for it
    from ..runs import Run
    from ..training.config import RunConfig
    from .arms import Comparison, Net

ENOUGH = 3  # seeds of a net: the fewest whose spread is worth an interval
MORE = 5  # seeds of a net that are asked for at a time
WORST_FIRST = (CONTRADICTED, UNDECIDED, INDICATIVE, SUPPORTED)


def evaluate(runs: "Iterable[Run]", names: Iterable[str] | None = None, level: float = 0.95) -> list[Verdict]:
    """The verdicts of these runs on the claims called `names`, or on all: one for each setting that has all the runs it
    takes, or one that is undecided and says what is missing.

    Only done runs count, at their final iteration; one that has not begun is as good as absent. A difference of two
    nets, each with two seeds or more, has Welch's interval; the intervals of all differences looked at hold at once
    with `level` or more, so that among studies without a true difference at most 1 - level find one. Raises ValueError
    for a name that is no claim and a level that is not between 0 and 1.
    """
    from .arms import comparisons, nets_of
    from .exact import count

    names = list(CLAIMS if names is None else names)
    check_names(names, list(CLAIMS), "reslab.claims.CLAIMS")
    if not 0 < level < 1:
        raise ValueError(f"level={level} is not possible; allowed: between 0 and 1, such as 0.95")
    nets = nets_of(runs)
    found = {name: comparisons(CLAIMS[name], nets) for name in dict.fromkeys(names) if not CLAIMS[name].exact}
    tests = len({test for some in found.values() for comparison in some for test in comparison.tests})
    verdicts = []
    for name in dict.fromkeys(names):
        if CLAIMS[name].exact:
            verdicts.append(count(CLAIMS[name]))
        else:
            verdicts += [_verdict(comparison, level, tests) for comparison in found[name]]
    return verdicts


def _verdict(comparison: "Comparison", level: float, tests: int) -> Verdict:
    claim, nets = comparison.claim, comparison.nets
    common = dict(
        setting=comparison.setting,
        numbers=tuple(_numbers(comparison)),
        runs=tuple(run for net in nets.values() for run in net.runs),
        tests=tests,
        level=level,
    )
    if comparison.absent:
        wanted = tuple(config for net in comparison.absent for config in _next(net, ENOUGH))
        return Verdict(claim, UNDECIDED, missing=_absent(comparison), to_run=wanted, **common)
    each = simultaneous(level, tests)
    findings = [_finding(comparison, part, each) for part in comparison.parts]
    outcome = claim.reading(findings)
    deciding = min(findings, key=lambda finding: WORST_FIRST.index(finding.verdict))
    missing, more = (outcome.because, ()) if outcome.because else _missing(comparison, findings, outcome.verdict, each)
    return Verdict(
        claim,
        outcome.verdict,
        outcome.direction,
        deciding.effect,
        deciding.interval,
        tuple(len(net.runs) for net in nets.values()),
        missing=missing,
        to_run=more,
        findings=tuple(findings),
        **common,
    )


def _finding(comparison: "Comparison", part: Part, level: float) -> Finding:
    nets = [comparison.nets[index] for index in (part.first, part.second)]
    first, second = (net.values(part.measure) for net in nets)
    effect, interval, margin = difference(first, second), welch(first, second, level), comparison.claim.margin
    verdict, direction, _ = judge(effect, interval, part.expected, margin)
    names = [comparison.label(net.config) for net in nets]
    measure = measure_label(part.measure, nets[0].config)
    margin = margin if part.expected == "same" else None
    n = len(first), len(second)
    return Finding(*names, measure, part.expected, effect, interval, n, verdict, direction, margin)


def _numbers(comparison: "Comparison") -> Iterable[Number]:
    """What each net got, measure by measure."""
    from ..figures.published import published_text

    for measure in dict.fromkeys(part.measure for part in comparison.claim.parts):
        for net in comparison.nets.values():
            values, words = net.values(measure), measure_label(measure, net.config)
            spread = stdev(values) if len(values) > 1 else None
            others = published_text(net.config, measure)
            yield Number(comparison.label(net.config), words, sum(values) / len(values), spread, len(values), others)


def _absent(comparison: "Comparison") -> str:
    started = [f" ({net.unfinished} unfinished)" * bool(net.unfinished) for net in comparison.absent]
    names = [comparison.label(net.config) + rest for net, rest in zip(comparison.absent, started, strict=True)]
    return f"No finished run of {' and '.join(names)}" + ("." if comparison.example else ", in any one profile.")


def _missing(
    comparison: "Comparison", findings: list[Finding], verdict: str, level: float
) -> "tuple[str, tuple[RunConfig, ...]]":
    """What would decide an undecided or indicative verdict, in words and as runs."""
    nets = list(comparison.nets.values())
    if verdict in (SUPPORTED, CONTRADICTED):
        return "", ()
    if any(finding.interval is None for finding in findings):
        few = [net for net in nets if len(net.runs) < 2]
        if few:
            names = " and ".join(comparison.label(net.config) for net in few)
            said = f"One seed of {names} shows nothing of the spread."
            return said, tuple(config for net in nets for config in _next(net, ENOUGH))
        said = "All seeds of both nets ended with the same number, which shows nothing of the spread."
        return said, tuple(config for net in nets for config in _next(net, len(net.runs) + 1))
    part, finding = next(pair for pair in zip(comparison.parts, findings, strict=True) if pair[1].verdict == UNDECIDED)
    pair = [comparison.nets[index] for index in (part.first, part.second)]
    margin = finding.margin or 0.0
    edge = f"the margin of {margin:g} points" if margin else "0"
    values = [net.values(part.measure) for net in pair]
    needed = seeds_needed(*values, level, abs(margin - abs(finding.effect)))
    often = f"about {needed} seeds of each net" if needed else "more seeds than anyone will train"
    said = f"The interval holds {edge} ({finding.what}). At this spread an effect of this size takes {often}."
    target = min(needed or 0, max(finding.n) + MORE)
    return said, tuple(config for net in pair for config in _next(net, target))


def _next(net: "Net", target: int) -> "list[RunConfig]":
    """The seeds that are not done yet, until there are `target`."""
    done = {run.config.seed for run in net.runs}
    free = [seed for seed in range(target + len(done)) if seed not in done]
    return [replace(net.config, seed=seed) for seed in free[: max(target - len(done), 0)]]

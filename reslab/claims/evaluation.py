"""Runs in, verdicts out."""

from collections.abc import Iterable
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from ..names import check_names
from .catalogue import CLAIMS
from .claim import Part
from .measures import MEASURES, measure_label
from .missing import Missing, absent, undecided
from .reading import CONTRADICTED, INDICATIVE, SUPPORTED, UNDECIDED, judge
from .statistics import difference, simultaneous, student, welch
from .verdict import Finding, Number, Verdict

if TYPE_CHECKING:  # evaluate() itself brings torch, whoever only lists claims does not wait for it
    from ..runs import Run
    from .arms import Comparison

WORST_FIRST = (CONTRADICTED, UNDECIDED, INDICATIVE, SUPPORTED)


def evaluate(runs: "Iterable[Run]", names: Iterable[str] | None = None, level: float = 0.95) -> list[Verdict]:
    """The verdicts of these runs on the claims called `names`, or on all: one for each setting that has all the runs it
    takes, or one that is undecided and says what is missing.

    Only done runs of a claim's own task count, at their final iteration; one that has not begun is as good as absent.
    For a claim about what goes on inside a net so is one that was not probed. A difference of two nets, each with two
    seeds or more, has Welch's interval, a net against a number Student's; the intervals of all differences looked at
    hold at once with `level` or more, so that among studies without a true difference at most 1 - level find one.
    Raises ValueError for a name that is no claim and a level that is not between 0 and 1.
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
        return Verdict(claim, UNDECIDED, **absent(comparison)._asdict(), **common)
    each = simultaneous(level, tests)
    findings = [_finding(comparison, part, each) for part in comparison.parts]
    outcome = claim.reading(findings)
    deciding = min(findings, key=lambda finding: WORST_FIRST.index(finding.verdict))
    because = Missing(outcome.because) if outcome.because else undecided(comparison, findings, outcome.verdict, each)
    return Verdict(
        claim,
        outcome.verdict,
        outcome.direction,
        deciding.effect,
        deciding.interval,
        tuple(len(net.runs) for net in nets.values()),
        findings=tuple(findings),
        unit=deciding.unit,
        **because._asdict(),
        **common,
    )


def _finding(comparison: "Comparison", part: Part, level: float) -> Finding:
    nets = [comparison.nets[index] for index in part.arms]
    values = [net.values(part.measure) for net in nets]
    names, unit = [comparison.label(net.config) for net in nets], MEASURES[part.measure].unit
    if part.against is None:
        effect, interval = difference(*values), welch(*values, level)
    else:
        names = [unit.amount(part.against), *names]
        effect, interval = fmean(values[0]) - part.against, _less(student(values[0], level), part.against)
    verdict, direction, _ = judge(effect, interval, part.expected, comparison.claim.margin)
    measure = measure_label(part.measure, nets[0].config)
    margin = comparison.claim.margin if part.expected in ("same", "not lower") else None
    n = tuple(map(len, values))
    return Finding(*names, measure, part.expected, effect, interval, n, verdict, direction, margin, unit)


def _less(interval: tuple[float, float] | None, number: float) -> tuple[float, float] | None:
    return interval and (interval[0] - number, interval[1] - number)


def _numbers(comparison: "Comparison") -> Iterable[Number]:
    """What each net got, measure by measure."""
    from ..figures.published import published_text

    for measure in dict.fromkeys(part.measure for part in comparison.claim.parts):
        looked_at = {index for part in comparison.claim.parts if part.measure == measure for index in part.arms}
        for net in (net for index, net in comparison.nets.items() if index in looked_at):
            values, words = net.values(measure), measure_label(measure, net.config)
            mean, spread = sum(values) / len(values), stdev(values) if len(values) > 1 else None
            others, unit = published_text(net.config, measure), MEASURES[measure].unit
            yield Number(comparison.label(net.config), words, mean, spread, len(values), others, unit)

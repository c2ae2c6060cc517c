"""From findings to a verdict: what one interval says, and what several say together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .verdict import Finding

SUPPORTED, CONTRADICTED, UNDECIDED, INDICATIVE = "supported", "contradicted", "undecided", "indicative"
FOR, AGAINST = "for", "against"


class Outcome(NamedTuple):
    verdict: str  # one of the four above
    direction: str | None = None  # of an indicative verdict: "for" or "against"
    because: str = ""  # why it is undecided, where the intervals alone do not say


def judge(effect: float, interval: tuple[float, float] | None, expected: str, margin: float) -> Outcome:
    """What one difference says for an expectation: "higher", "lower", "same", which is within ± `margin`, or
    "not lower", which is above -`margin`.

    Supported if the whole interval is as expected, contradicted if none of it is. Without an interval nothing is more
    than indicative.
    """
    if interval is None:
        gain = _gain(effect, expected, margin)
        return Outcome(INDICATIVE, FOR if gain > 0 else AGAINST) if gain else Outcome(UNDECIDED)
    low, high = interval
    if expected == "same":
        inside, outside = -margin < low and high < margin, low > margin or high < -margin
    elif expected == "not lower":
        inside, outside = -margin < low, high < -margin
    else:
        inside, outside = (low > 0, high < 0) if expected == "higher" else (high < 0, low > 0)
    return Outcome(SUPPORTED if inside else CONTRADICTED if outside else UNDECIDED)


def _gain(effect: float, expected: str, margin: float) -> float:
    """How far the effect is on the expected side; negative on the other."""
    return {"higher": effect, "lower": -effect, "same": margin - abs(effect), "not lower": margin + effect}[expected]


def all_hold(findings: Sequence["Finding"]) -> Outcome:
    """A claim of several parts holds if every part does (an intersection-union test, which needs no correction of its
    own) and fails if one fails.
    """
    verdicts = {finding.verdict for finding in findings}
    for worst in (CONTRADICTED, UNDECIDED):
        if worst in verdicts:
            return Outcome(worst)
    if INDICATIVE in verdicts:
        against = any(finding.direction == AGAINST for finding in findings)
        return Outcome(INDICATIVE, AGAINST if against else FOR)
    return Outcome(SUPPORTED)


def not_overfitting(findings: Sequence["Finding"]) -> Outcome:
    """Of the deeper net's training and test error. Overfitting is a lower training error with a higher test error;
    where the test error is not higher there is nothing that it could explain.
    """
    test = findings[1]
    if test.verdict == CONTRADICTED or test.direction == AGAINST:
        return Outcome(UNDECIDED, because="the deeper net's test error is not higher: there is nothing to explain")
    return Outcome(UNDECIDED) if test.verdict == UNDECIDED else all_hold(findings)

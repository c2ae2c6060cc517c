"""What it would take to say more: in words, as runs to look into, and as runs to train."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from .reading import CONTRADICTED, SUPPORTED, UNDECIDED
from .statistics import seeds_needed
from .verdict import Finding

if TYPE_CHECKING:
    from ..runs import Run
    from ..training.config import RunConfig
    from .arms import Comparison, Net

ENOUGH = 3  # seeds of a net: the fewest whose spread is worth an interval
MORE = 5  # seeds of a net that are asked for at a time


class Missing(NamedTuple):
    missing: str = ""  # in words
    to_probe: "tuple[Run, ...]" = ()
    to_run: "tuple[RunConfig, ...]" = ()


def absent(comparison: "Comparison") -> Missing:
    """What a comparison lacks of which a net has no run that counts."""
    unprobed = [net for net in comparison.absent if net.unprobed]
    untrained = [net for net in comparison.absent if not net.unprobed]
    said = []
    if unprobed:
        names = " and ".join(comparison.label(net.config) for net in unprobed)
        said.append(f"{names} not probed yet: {_command(comparison)}.")
    if untrained:
        names = [comparison.label(net.config) + _rest(net) for net in untrained]
        no_setting = "" if comparison.example else ", in any one profile"
        said.append(f"No finished run of {' and '.join(names)}{no_setting}.")
    return Missing(" ".join(said), *_wanted(comparison, comparison.absent, ENOUGH))


def _rest(net: "Net") -> str:
    """What there is of a net none of whose runs counts."""
    if net.in_fp32:
        return f" ({len(net.in_fp32)} computed in fp32; in another store, train on a device with bf16)"
    return f" ({net.unfinished} unfinished)" * bool(net.unfinished)


def undecided(comparison: "Comparison", findings: Sequence[Finding], verdict: str, level: float) -> Missing:
    """What would decide an undecided or indicative verdict whose intervals are at this level; nothing for another."""
    nets = list(comparison.nets.values())
    if verdict in (SUPPORTED, CONTRADICTED):
        return Missing()
    if any(finding.interval is None for finding in findings):
        few = [net for net in nets if len(net.runs) < 2]
        if few:
            names = " and ".join(comparison.label(net.config) for net in few)
            said = f"One seed of {names} shows nothing of the spread."
            return _with_unprobed(said, comparison, nets, ENOUGH)
        of = "both nets" if len(nets) > 1 else comparison.label(nets[0].config)
        said = f"All seeds of {of} ended with the same number, which shows nothing of the spread."
        return _with_unprobed(said, comparison, nets, max(net.done for net in nets) + 1)
    part, finding = next(pair for pair in zip(comparison.parts, findings, strict=True) if pair[1].verdict == UNDECIDED)
    compared = [comparison.nets[index] for index in part.arms]
    margin = finding.margin or 0.0
    edge = f"the margin of {finding.unit.amount(margin)}" if margin else "0"
    distance = abs(margin + finding.effect) if part.expected == "not lower" else abs(margin - abs(finding.effect))
    needed = seeds_needed([net.values(part.measure) for net in compared], level, distance)
    often = "more seeds than anyone will train"
    if needed:
        often = f"about {needed} seeds" + " of each net" * (len(compared) > 1)
    said = f"The interval holds {edge} ({finding.what}). At this spread an effect of this size takes {often}."
    return _with_unprobed(said, comparison, compared, min(needed or 0, max(finding.n) + MORE))


def _with_unprobed(said: str, comparison: "Comparison", nets: "Sequence[Net]", target: int) -> Missing:
    count = sum(len(net.unprobed) for net in nets)
    if count:
        said += f" {count} more {'is' if count == 1 else 'are'} there, not probed yet: {_command(comparison)}."
    return Missing(said, *_wanted(comparison, nets, target))


def _command(comparison: "Comparison") -> str:
    return f"`reslab probe {','.join(comparison.claim.probes)} RUN...`"


def _wanted(
    comparison: "Comparison", nets: "Iterable[Net]", target: int
) -> "tuple[tuple[Run, ...], tuple[RunConfig, ...]]":
    """The runs of these nets that are done and not probed, and those that are not done until there are `target`."""
    nets = list(nets)
    to_run = tuple(config for net in nets for config in _next(net, target))
    return tuple(run for net in nets for run in net.unprobed), to_run


def _next(net: "Net", target: int) -> "list[RunConfig]":
    """The seeds that are not done yet, until there are `target`."""
    done = {run.config.seed for run in (*net.runs, *net.unprobed, *net.in_fp32)}
    free = [seed for seed in range(target + len(done)) if seed not in done]
    return [replace(net.config, seed=seed) for seed in free[: max(target - len(done), 0)]]

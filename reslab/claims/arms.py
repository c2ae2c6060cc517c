"""Like with like: runs put together by net and setting, and the nets of a setting that a claim compares."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from ..figures.nets import FAMILY_NAMES, dataset_title, overrides
from ..figures.style import net_label
from ..probes.probing import PROBES
from ..probes.results import found_in
from ..runs import Run
from ..training.config import RunConfig
from ..training.tasks import CLASSIFY
from .claim import Claim, Part
from .measures import MEASURES

NET = ("seed", "depth", "shortcut", "activation_order", "gate_bias", "plugins")  # fields that a claim may contrast


@dataclass(frozen=True)
class Net:
    """All seeds of one config."""

    config: RunConfig  # its seed says nothing
    runs: tuple[Run, ...]  # done, by seed; those that count
    unfinished: int  # runs that are not
    unprobed: tuple[Run, ...] = ()  # done, by seed, without a result of the probes that a claim reads
    in_fp32: tuple[Run, ...] = ()  # done runs in bf16 that do not count because a device of theirs had none
    _found: dict[str, dict[int, Any]] = field(default_factory=dict, compare=False, repr=False)  # probe, seed: result

    @property
    def done(self) -> int:
        return len(self.runs) + len(self.unprobed)

    @cached_property
    def _rows(self) -> list[list[dict]]:
        return [run.metrics for run in self.runs]

    def in_its_precision(self) -> "Net":
        """The same net, of which only those runs count that computed in the precision of the config: see
        reslab.precision.
        """
        runs = tuple(run for run in self.runs if _sittings(run) <= {self.config.precision})
        return replace(self, runs=runs, in_fp32=tuple(run for run in self.runs if run not in runs))

    def probed(self, probes: Sequence[str]) -> "Net":
        """The same net, of which only those runs count that have a result of each of these probes, with its standard
        settings.
        """
        if not probes:
            return self
        for probe in probes:
            if probe not in self._found:  # the folders are asked once, however many claims want to know
                found = zip(self.runs, found_in(self.runs, probe, PROBES[probe].settings()), strict=True)
                self._found[probe] = {run.config.seed: result for run, result in found if result is not None}
        seeds = set.intersection(*(set(self._found[probe]) for probe in probes))
        runs = tuple(run for run in self.runs if run.config.seed in seeds)
        return replace(self, runs=runs, unprobed=tuple(run for run in self.runs if run.config.seed not in seeds))

    def values(self, measure: str) -> list[float]:
        """The measure of each run that counts, in the measure's unit."""
        wanted = MEASURES[measure]
        results = self._found.get(wanted.probe, {})
        sources = [results[run.config.seed] for run in self.runs] if wanted.probe else self._rows
        return [wanted.read(source, self.config) for source in sources]


def _sittings(run: Run) -> set[str]:
    """The precisions that the sittings of a run computed in, as far as they are known."""
    first = run.provenance
    return {each["precision"] for each in (first, *first.get("resumed", [])) if "precision" in each}


def nets_of(runs: Iterable[Run]) -> list[Net]:
    """The runs by everything in their config but the seed. A run that comes twice, from two stores say, counts once,
    and one that has no folder yet not at all.
    """
    groups: dict[RunConfig, dict[int, tuple[bool, Run]]] = defaultdict(dict)
    for run in runs:
        try:
            config = run.config
        except FileNotFoundError:  # a store gives out runs that nobody has begun
            continue
        group, seed, done = groups[config.for_any_seed], config.seed, run.state == "done"
        if seed not in group or done > group[seed][0]:
            group[seed] = done, run
    nets = []
    for config, group in groups.items():
        done = tuple(group[seed][1] for seed in sorted(group) if group[seed][0])
        nets.append(Net(config, done, len(group) - len(done)))
    return nets


@dataclass(frozen=True)
class Comparison:
    """A claim in one setting: the net of each arm, by the arm's index, and those without a done run."""

    claim: Claim
    nets: dict[int, Net] = field(default_factory=dict)
    absent: tuple[Net, ...] = ()
    example: RunConfig | None = None  # any config of the setting; None if there is no setting yet

    @property
    def parts(self) -> list[Part]:
        """The parts that can be looked at: none where a net is absent."""
        return [] if self.absent else [p for p in self.claim.parts if self.nets.keys() >= set(p.arms)]

    @property
    def tests(self) -> set[Hashable]:
        """What tells its tests from those of other claims: a comparison that two claims make is made once."""
        compared = [([self.nets[index] for index in part.arms], part) for part in self.parts]
        return {
            (*(net.config for net in nets), part.measure, part.against)
            for nets, part in compared
            if min(len(net.runs) for net in nets) > 1
        }

    @property
    def setting(self) -> str:
        """What all arms have in common, such as "CIFAR-10, short, 2,000 iterations"; "" if there is none yet."""
        if self.example is None:
            return ""
        config = self.example
        changed = {name: value for name, value in overrides(config).items() if name not in (*NET, "dataset")}
        for name in ("iterations", "log_every"):  # said anyhow; a matter of taste
            changed.pop(name, None)
        for name in self.claim.contrasts:
            changed.pop(name, None)
        words = [dataset_title(config), config.profile, f"{config.iterations:,} iterations"]
        words += [FAMILY_NAMES[config.family]] * (config.family != "cifar")
        words += [config.block] * (config.block != "basic" and config.family == "cifar")
        words += [f"{name} {value}" for name, value in changed.items()]
        return ", ".join(words)

    def label(self, config: RunConfig) -> str:
        """The net's name within this claim."""
        extras = [f"gate bias {config.gate_bias:g}".replace("-", "−")] if config.gate_bias is not None else []
        extras += [config.precision] * ("precision" in self.claim.contrasts)
        return ", ".join([net_label(config), *extras])


def comparisons(claim: Claim, nets: Iterable[Net]) -> list[Comparison]:
    """The claim in every setting that has a run of each arm that counts. If there is none: once, in the setting that
    lacks least, with the nets that are absent; what is done and only lacks a probe lacks less than what is not.
    """
    settings: dict[Hashable, list[Net]] = defaultdict(list)
    for net in nets:
        if net.config.task == claim.task and any(arm.matches(net.config) for arm in claim.arms):
            net = net.in_its_precision() if "precision" in claim.contrasts else net
            settings[_setting(claim, net.config)].append(net.probed(claim.probes))
    complete = [found for group in settings.values() if (found := _complete(claim, group))]
    groups = [] if complete else [nets for nets in settings.values() if _may_lack(nets[0].config)]
    lacking = [_lacking(claim, nets) for nets in groups]
    if not complete and not lacking:
        return [_lacking(claim, [])]
    return complete or [min(lacking, key=_lack)]


def _may_lack(config: RunConfig) -> bool:
    """Whether the nets that claims name are to be had in its setting. In classification their depths are the CIFAR
    family's, and a detector of bottlenecks has no plain twin: such a setting lacks nothing, it just has no such nets.
    """
    return config.family == "cifar" if config.task == CLASSIFY else config.block == "basic"


def _lack(comparison: Comparison) -> tuple[int, int, int]:
    to_train = sum(not net.unprobed for net in comparison.absent)
    return to_train, len(comparison.absent), -sum(net.done for net in comparison.nets.values())


def _setting(claim: Claim, config: RunConfig) -> Hashable:
    contrasted = {*NET, *claim.contrasts}
    return tuple(getattr(config, field.name) for field in fields(RunConfig) if field.name not in contrasted)


def _complete(claim: Claim, nets: list[Net]) -> Comparison | None:
    """The arms' nets at the depths that the claim asks for; depths at which all have two seeds or more come first.

    Chosen by what was run, never by how it ended.
    """
    for least in (2, 1):
        arms = [_by_depth(claim, index, nets, least) for index in range(len(claim.arms))]
        depths = [set(arm) for arm in arms]
        if claim.some:
            depths = [depths[0], set().union(*depths[1:])]
        chosen = claim.depths(depths)
        if chosen:
            at = (chosen[0],) * len(arms) if claim.some else chosen
            found = {i: arm[depth] for i, (arm, depth) in enumerate(zip(arms, at, strict=True)) if depth in arm}
            return Comparison(claim, found, example=found[0].config)
    return None


def _lacking(claim: Claim, nets: list[Net]) -> Comparison:
    """What there is of the arms, at the depth at which there is most or else at the paper's, and what there is not.

    A net that is done and not probed is absent, but no reason to look at another depth.
    """
    wanted = claim.arms[:2] if claim.some else claim.arms
    started = [_by_depth(claim, index, nets, 0) for index in range(len(wanted))]
    arms = [{depth: net for depth, net in arm.items() if net.done} for arm in started]
    example = nets[0].config if nets else None
    common = claim.depths([set(arm) for arm in arms if arm]) if any(arms) else None
    if common and len(common) < len(wanted):  # where an arm has nothing all are at one depth
        common = common[:1] * len(wanted)
    found, absent = {}, []
    for index, arm in enumerate(wanted):
        depth = common[index] if common else arm.depth
        if depth in arms[index] and arms[index][depth].runs:
            found[index] = arms[index][depth]
        else:
            fields = arm.fields | dict(depth=depth, seed=0)
            config = replace(example or RunConfig(task=claim.task), **fields)
            absent.append(started[index].get(depth) or Net(config, (), 0))
    return Comparison(claim, found, tuple(absent), example)


def _by_depth(claim: Claim, index: int, nets: list[Net], least: int) -> dict[int, Net]:
    """The nets of an arm that have at least so many runs that count."""
    return {n.config.depth: n for n in nets if len(n.runs) >= least and claim.arms[index].matches(n.config)}

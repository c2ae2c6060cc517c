"""Like with like: runs put together by net and setting, and the nets of a setting that a claim compares."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

from ..figures.nets import FAMILY_NAMES, dataset_title, overrides
from ..figures.style import net_label
from ..runs import Run
from ..training.config import RunConfig
from .claim import Claim, Part
from .measures import MEASURES

NET = ("seed", "depth", "shortcut", "activation_order", "gate_bias", "plugins")  # fields that a claim may contrast


@dataclass(frozen=True)
class Net:
    """All seeds of one config."""

    config: RunConfig  # its seed says nothing
    runs: tuple[Run, ...]  # done, by seed
    unfinished: int  # runs that are not

    @cached_property
    def _rows(self) -> list[list[dict]]:
        return [run.metrics for run in self.runs]

    def values(self, measure: str) -> list[float]:
        """The measure of each done run, in percent."""
        return [MEASURES[measure].read(rows, self.config) for rows in self._rows]


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
        return [] if self.absent else [p for p in self.claim.parts if {p.first, p.second} <= self.nets.keys()]

    @property
    def tests(self) -> set[Hashable]:
        """What tells its tests from those of other claims: a comparison that two claims make is made once."""
        pairs = [(self.nets[part.first], self.nets[part.second], part.measure) for part in self.parts]
        return {(a.config, b.config, measure) for a, b, measure in pairs if min(len(a.runs), len(b.runs)) > 1}

    @property
    def setting(self) -> str:
        """What all arms have in common, such as "CIFAR-10, short, 2,000 iterations"; "" if there is none yet."""
        if self.example is None:
            return ""
        config = self.example
        changed = {name: value for name, value in overrides(config).items() if name not in (*NET, "dataset")}
        for name in ("iterations", "log_every"):  # said anyhow; a matter of taste
            changed.pop(name, None)
        if self.claim.contrasts_precision:
            changed.pop("precision", None)
        words = [dataset_title(config), config.profile, f"{config.iterations:,} iterations"]
        words += [FAMILY_NAMES[config.family]] * (config.family != "cifar")
        words += [config.block] * (config.block != "basic" and config.family == "cifar")
        words += [f"{name} {value}" for name, value in changed.items()]
        return ", ".join(words)

    def label(self, config: RunConfig) -> str:
        """The net's name within this claim."""
        extras = [f"gate bias {config.gate_bias:g}".replace("-", "−")] if config.gate_bias is not None else []
        extras += [config.precision] * self.claim.contrasts_precision
        return ", ".join([net_label(config), *extras])


def comparisons(claim: Claim, nets: Iterable[Net]) -> list[Comparison]:
    """The claim in every setting that has a done run of each arm. If there is none: once, in the setting that lacks
    least, with the nets that are absent.
    """
    settings: dict[Hashable, list[Net]] = defaultdict(list)
    for net in nets:
        if any(arm.matches(net.config) for arm in claim.arms):
            settings[_setting(claim, net.config)].append(net)
    complete = [found for group in settings.values() if (found := _complete(claim, group))]
    # The depths that claims name are the CIFAR family's: another one lacks nothing, it just has no such nets.
    groups = [] if complete else [nets for nets in settings.values() if nets[0].config.family == "cifar"]
    lacking = [_lacking(claim, nets) for nets in groups]
    if not complete and not lacking:
        return [_lacking(claim, [])]
    return complete or [min(lacking, key=lambda one: (len(one.absent), -sum(len(n.runs) for n in one.nets.values())))]


def _setting(claim: Claim, config: RunConfig) -> Hashable:
    contrasted = {*NET, "precision"} if claim.contrasts_precision else NET
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
    """What there is of the arms, at the depth at which there is most or else at the paper's, and what there is not."""
    wanted = claim.arms[:2] if claim.some else claim.arms
    arms = [_by_depth(claim, index, nets, 1) for index in range(len(wanted))]
    example = nets[0].config if nets else None
    common = claim.depths([set(arm) for arm in arms if arm]) if any(arms) else None
    found, absent = {}, []
    for index, arm in enumerate(wanted):
        depth = common[0] if common else arm.depth
        if depth in arms[index]:
            found[index] = arms[index][depth]
        else:
            started = _by_depth(claim, index, nets, 0).get(depth)
            fields = arm.fields | dict(depth=depth)
            absent.append(started or Net(replace(example or RunConfig(), **fields, seed=0), (), 0))
    return Comparison(claim, found, tuple(absent), example)


def _by_depth(claim: Claim, index: int, nets: list[Net], least: int) -> dict[int, Net]:
    """The nets of an arm that have at least so many done runs."""
    return {n.config.depth: n for n in nets if len(n.runs) >= least and claim.arms[index].matches(n.config)}

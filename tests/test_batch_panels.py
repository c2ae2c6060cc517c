"""Which nets of a study are shown in one figure."""

from dataclasses import replace

import pytest

from reslab import RunConfig
from reslab.batch.panels import MOST_NETS, panels
from reslab.batch.spec import EXPERIMENTS, Experiment


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("profile", ["demo", "paper"])
def test_every_run_of_every_study_is_in_a_figure_of_few_nets(path, profile):
    study = Experiment.load(path)
    groups = panels(study, profile, opt_in=True)
    assert {config for group in groups.values() for config in group} == set(study.configs(profile, opt_in=True))
    for group in groups.values():
        assert len(set(group)) == len(group) and 0 < len({replace(c, seed=0) for c in group}) <= MOST_NETS


def test_few_nets_are_one_group():
    (group,) = panels(Experiment.load("degradation"), "demo", 2).values()
    assert group == Experiment.load("degradation").configs("demo", 2)


def test_plain_left_and_residual_right():
    plain, residual = panels(Experiment.load("degradation"), "paper", 1).items()
    assert plain[0] == "shortcut none; depth 20, 32, 44, 56, 110"
    assert plain[1] == [RunConfig(depth, "none", "paper") for depth in (20, 32, 44, 56, 110)]
    assert {config.shortcut for config in residual[1]} == {"A"}


def test_the_original_is_beside_every_variant():
    groups = panels(Experiment.load("shortcut_variants"), "short", 1)
    original = RunConfig(56, "A", "short")
    assert len(groups) == 4 and all(original in group for group in groups.values())
    gates = groups["depth 56; shortcut shortcut-gating; gate_bias 0, -6"]
    assert gates == [RunConfig(56, "shortcut-gating", "short", gate_bias=bias) for bias in (0, -6)] + [original]


def test_overridden_nets_are_shown_too():
    groups = panels(Experiment.load("shortcut_variants"), "smoke", 1, {"depth": 8})
    assert {config.depth for group in groups.values() for config in group} == {8} and "depth 8; " in next(iter(groups))

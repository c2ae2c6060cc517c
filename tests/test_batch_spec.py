"""Experiment files: read, checked with line numbers, expanded to configs."""

import pytest

from reslab import RunConfig
from reslab.batch.spec import EXPERIMENTS, Experiment, as_axis, parse_parameters, yaml_value

from .batch_fixtures import SPEC, write_study


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_committed_experiments_are_sound(path):
    experiment = Experiment.load(path.stem)
    assert experiment == Experiment.load(path)
    assert all(isinstance(config, RunConfig) for config in experiment.configs("short", 2))


def test_degradation_is_the_paper_s_four_nets():
    configs = Experiment.load("degradation").configs("demo")
    assert {c.net_name for c in configs} == {"plain20", "plain56", "res20", "res56"}
    assert {(c.profile, c.seed, c.dataset) for c in configs} == {("demo", 0, "shapes")}


def test_grid_overrides_and_seeds_make_configs(tmp_path):
    experiment = Experiment.load(write_study(tmp_path))
    assert experiment.configs() == [RunConfig(8, s, "smoke") for s in ("none", "A")]
    assert experiment.configs(seeds=2, overrides={"shortcut": "B", "lr": [0.1, 0.2]}) == [
        RunConfig(8, "B", "smoke", seed, lr=lr) for seed in (0, 1) for lr in (0.1, 0.2)
    ]
    assert experiment.configs(overrides={"shortcut": ["A", "A"]}) == [RunConfig(8, "A", "smoke")]
    with pytest.raises(ValueError, match="seeds=0"):
        experiment.configs(seeds=0)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("profile: smoke", "profil: smoke", r"line 5: 'profil' is not .*did you mean 'profile'"),
        ("  depth: 8", "  dpeth: 8", r"line 7: 'dpeth' is not .*did you mean 'depth'"),
        ("  depth: 8", "  depth: 21", r"line 7: depth=21 is not 6n\+2"),
        ("[none, A]", "[none, A, D]", r"line 8: shortcut='D' is unknown"),
        ("  depth: 8", "  depth: 8\n  depth: 14", r"line 8: 'depth' is there twice; it is also in line 7"),
        ("  depth: 8", "  depth: []", r"line 7: depth=\[\]"),
        ("  depth: 8", "  seed: [0, 1]", r"line 7: 'seed' is not for the grid; set it with --seeds"),
        ("train.ipynb", "tran.ipynb", r"line 3: notebook: there is no .*tran.ipynb"),
        ("profile: smoke", "profile: huge", r"line 5: profile='huge'.*demo"),
        ("profile: smoke", "seeds: many", r"line 5: seeds should be a whole number"),
        ("profile: smoke", "seeds: 0", r"line 5: seeds=0"),
        ("question: Does it run?\n", "", r"line 1: 'question' is missing"),
        ("  depth: 8\n  shortcut: [none, A]", "  - depth", r"line 6: grid should be a mapping"),
        ("title: Small", "title: [", r"line 2: "),
        (SPEC, "- title", r"line 1: an experiment should be a mapping"),
        (SPEC, "", r"is empty"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(tmp_path, before, after, message):
    assert before in SPEC
    path = write_study(tmp_path, SPEC.replace(before, after))
    with pytest.raises(ValueError, match=message) as raised:
        Experiment.load(path)
    assert str(path) in str(raised.value)


def test_a_misspelt_name_is_told_the_closest(tmp_path):
    with pytest.raises(ValueError, match="no experiment 'degradatoin'; did you mean 'degradation'"):
        Experiment.load("degradatoin")
    with pytest.raises(ValueError, match="no experiment file"):
        Experiment.load(tmp_path / "none.yaml")


def test_values_are_yaml_with_exponents_as_numbers():
    for text in ("1e-3", "1e3", "-1.5e-2", "0.1", "20"):
        assert yaml_value(text) == float(text)
    assert yaml_value("none") == "none" and yaml_value("[20, 56]") == [20, 56]
    with pytest.raises(ValueError, match="not a YAML value: line 1"):
        yaml_value("[20")


def test_a_list_is_an_axis_except_where_a_list_is_one_value():
    assert as_axis("depth", [20, 56]) == (20, 56)
    assert as_axis("lr_drops", [6, 9]) == ([6, 9],)
    assert as_axis("lr_drops", [[6, 9], [3]]) == ([6, 9], [3])


def test_assignments():
    assert parse_parameters(["depth=[20, 56]", "words=a=b"]) == {"depth": [20, 56], "words": "a=b"}
    with pytest.raises(ValueError, match="NAME=VALUE"):
        parse_parameters(["depth"])
    with pytest.raises(ValueError, match="twice"):
        parse_parameters(["depth=20", "depth=56"])

"""Experiment files: read, checked with line numbers, expanded to configs."""

import itertools
import shlex
import time

import pytest
from typer.testing import CliRunner

from reslab import RunConfig
from reslab.batch.spec import EXPERIMENTS, Experiment, as_axis, parse_parameters, yaml_value
from reslab.claims import CLAIMS
from reslab.training.tasks import TASKS

from .batch_fixtures import REPORT_PARAMETERS, SPEC, TRAIN_PARAMETERS, write_notebook, write_study

PROFILED = (
    SPEC
    + """\
profiles:
  short: {seeds: 3, grid: {depth: [20, 32]}}
  paper:
    grid:
      - depth: 110
      - depth: 56
        shortcut: exclusive-gating
        gate_bias: [0, -6]
opt_in:
  depth: 1202
"""
)


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_committed_experiments_are_sound(path):
    experiment = Experiment.load(path.stem)
    assert experiment == Experiment.load(path)
    first = experiment.configs()[0]
    profiles = TASKS[first.task].profiles
    for profile in [name for name, values in profiles.items() if first.family in ("imagenet", values["family"])]:
        configs = experiment.configs(profile, opt_in=True)
        assert configs and {config.profile for config in configs} == {profile}
    assert experiment.claims


def test_degradation_is_the_paper_s_four_nets():
    configs = Experiment.load("degradation").configs("demo")
    assert {c.net_name for c in configs} == {"plain20", "plain56", "res20", "res56"}
    assert {(c.profile, c.seed, c.dataset) for c in configs} == {("demo", 0, "shapes")}


def test_the_studies_have_the_nets_that_their_claims_compare():
    """Those of FACTS.md, sections 1 and 2, at the papers' depth in the papers' profile, and each claim's arms; in
    detection, where the paper's net has no plain twin, the arms are in the study's own profile.
    """
    assert len(list(EXPERIMENTS.glob("*.yaml"))) == 10
    for path in EXPERIMENTS.glob("*.yaml"):
        study = Experiment.load(path)
        for name in study.claims:
            configs = study.configs(study.profile if CLAIMS[name].task == "detection" else "paper", 1)
            assert {config.task for config in configs} == {CLAIMS[name].task}
            arms = CLAIMS[name].arms[:2] if CLAIMS[name].some else CLAIMS[name].arms
            assert all(any(arm.matches(config) for config in configs) for arm in arms), (path.stem, name)
        if study.probes:  # what its claims read is measured
            assert {probe for name in study.claims for probe in CLAIMS[name].probes} <= set(study.probes)
    figure4 = Experiment.load("imagenet_degradation").configs("imagenet-paper")
    assert {(c.shortcut, c.depth) for c in figure4} == set(itertools.product(("none", "A"), (18, 34)))
    assert {(c.family, c.stem, c.lr_plateau) for c in figure4} == {("imagenet", "imagenet", 5)}
    figure6 = {(c.shortcut, c.depth) for c in Experiment.load("degradation").configs("paper")}
    assert figure6 == set(itertools.product(("none", "A"), (20, 32, 44, 56, 110)))
    table1 = {(c.shortcut, c.gate_bias) for c in Experiment.load("shortcut_variants").configs("paper")}
    assert {("exclusive-gating", -7.0), ("shortcut-gating", 0.0), ("conv1x1", None), ("scaled", None)} < table1
    for name in ("shortcut_variants", "activation_order"):
        assert Experiment.load(name).axis("depth", "paper") == (110,) and Experiment.load(name).seeds_in("paper") == 5
    assert {c.depth for c in Experiment.load("depth").configs("paper")} == {20, 32, 44, 56, 110}
    assert {c.depth for c in Experiment.load("depth").configs("paper", opt_in=True)} == {20, 32, 44, 56, 110, 1202}


def test_a_profile_has_its_own_seeds_grid_and_report(tmp_path):
    study = write_study(tmp_path, PROFILED.replace("seeds: 3,", "seeds: 3, report: other.ipynb,"))
    write_notebook(tmp_path / "other.ipynb", REPORT_PARAMETERS)
    experiment = Experiment.load(study)
    assert experiment.configs() == experiment.configs("smoke") == [RunConfig(8, s, "smoke") for s in ("none", "A")]
    assert experiment.configs("short") == [
        RunConfig(depth, s, "short", seed) for seed in range(3) for depth in (20, 32) for s in ("none", "A")
    ]
    gates = [RunConfig(56, "exclusive-gating", "paper", gate_bias=bias) for bias in (0, -6)]
    assert experiment.configs("paper") == [RunConfig(110, "A", "paper"), *gates]
    assert experiment.configs("paper", opt_in=True)[-1] == RunConfig(1202, "A", "paper")
    assert experiment.axis("depth", "paper", opt_in=True) == (110, 56, 1202)
    assert experiment.axis("depth", "demo") == (8,) and experiment.axis("lr") is None
    assert experiment.report_in("short").name == "other.ipynb" and experiment.report_in("paper").name == "report.ipynb"
    with pytest.raises(ValueError, match=r"profile='huge'.*demo"):
        experiment.configs("huge")


def test_overrides_are_for_every_grid(tmp_path):
    experiment = Experiment.load(write_study(tmp_path, PROFILED))
    assert {c.lr for c in experiment.configs("paper", overrides={"lr": 0.5})} == {0.5}
    with pytest.raises(ValueError, match=r"gate_bias=-3.0 .*-p says is for every part .* depth 110; gate_bias -3"):
        experiment.configs("paper", overrides={"gate_bias": -3})


def test_the_command_is_one_that_the_command_line_understands(tmp_path, monkeypatch):
    from reslab import cli

    experiment = Experiment.load(write_study(tmp_path, PROFILED))
    command = experiment.command("short", overrides=dict(shortcut=["A", "B"], lr=0.1), store="a folder")
    program, *words = shlex.split(command)
    done = CliRunner().invoke(cli.app, [*words, "--dry-run"])
    assert program == "reslab" and done.exit_code == 0, done.output
    assert "12 runs of profile short" in done.output and "a folder" in done.output
    assert experiment.command(opt_in=True).endswith("--profile smoke --seeds 1 --opt-in")


def test_a_thousand_runs_are_planned_in_no_time(tmp_path):
    grid = SPEC.replace("depth: 8", f"depth: [8, 14, 20, 26]\n  lr: {[i / 1000 for i in range(1, 126)]}")
    path = write_study(tmp_path, grid)
    Experiment.load(path)
    start = time.process_time()
    configs = Experiment.load(path).configs()
    seconds = time.process_time() - start
    assert len(configs) == 1000 and seconds < 0.5


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
        ("\n  depth: 8\n  shortcut: [none, A]", " deep", r"line 6: grid should be a mapping"),
        ("  depth: 8\n  shortcut: [none, A]", "  - depth", r"line 7: a part of grid should be a mapping"),
        ("\n  depth: 8\n  shortcut: [none, A]", " []", r"line 6: grid=\[\] leaves nothing to run"),
        ("  depth: 8", "  depth: [8,\n    21]", r"line 8: depth=21 is not 6n\+2"),
        ("  depth: 8", "  depth: [8,\n    14, 8]", r"line 8: depth=8 is there twice; it is also in line 7"),
        ("[none, A]", "[none, A]\n  gate_bias: [0, -6]", r"line 9: gate_bias=0.0 is not possible"),
        ("profile: smoke", "claims: [degradation-test,\n  degradaton-test]", r"line 6: .* mean 'degradation-test'"),
        ("profile: smoke", "claims: [degradation-test, degradation-test]", r"line 5: .* is there twice"),
        ("profile: smoke", "claims: degradation-test", r"line 5: claims should be a list"),
        ("profile: smoke", "claims: [degradation-test,\n  [a]]", r"line 6: .* list of names, .*, not of \['a'\]"),
        ("profile: smoke", "claims:\n  - degradation-test: 1", r"line 6: .* not of \{'degradation-test': 1\}"),
        ("profile: smoke", "claims: [7]", r"line 5: .* not of 7"),
        ("profile: smoke", "probes: [responses,\n  respones]", r"line 6: there is no probe .* mean 'responses'"),
        ("profile: smoke", "probes: [lesions, lesions]", r"line 5: probe 'lesions' is there twice"),
        ("profile: smoke", "probes: lesions", r"line 5: probes should be a list, not 'lesions'"),
        ("profile: smoke", "probes: [[lesions]]", r"line 5: probes should be a list of names, such as responses"),
        ("\n  depth: 8\n  shortcut: [none, A]", " {}", r"line 6: grid: \{\} names no field"),
        ("  depth: 8\n  shortcut: [none, A]", "  - depth: 8\n  - {}", r"line 8: grid: \{\} names no field"),
        ("profile: smoke", "opt_in: {}", r"line 5: opt_in: \{\} names no field"),
        ("profile: smoke", "profiles: {short: {grid: {}}}", r"line 5: grid: \{\} names no field"),
        (
            "  depth: 8\n  shortcut: [none, A]",
            "  - {depth: [8], shortcut: [A, none]}\n  - depth: 14\n  - shortcut: [none, A]\n    depth: 8",
            r"line 9: grid has this part twice; it is also in line 7",
        ),
        ("profile: smoke", "seeds: true", r"line 5: seeds should be a whole number"),
        ("profile: smoke", "profiles: {shrot: {seeds: 3}}", r"line 5: there is no profile 'shrot'; .*short"),
        ("profile: smoke", "profiles:\n  short: {seed: 3}", r"line 6: 'seed' is not .* profile 'short'.* 'seeds'"),
        ("profile: smoke", "profiles:\n  short: {seeds: 0}", r"line 6: seeds=0"),
        ("profile: smoke", "profiles:\n  short: {report: x.ipynb}", r"line 6: report: there is no .*x.ipynb"),
        ("profile: smoke", "profiles:\n  short:\n    grid:\n      depth: [8,\n 9]", r"line 9: depth=9 .*profile short"),
        ("profile: smoke", "profiles: {demo: {grid: {image_size: 64}}}", r"line 5: image_size=64 .*profile demo"),
        ("profile: smoke", "opt_in:\n  - depth: 9", r"line 6: depth=9 is not 6n"),
        ("profile: smoke", "opt_in: {dpeth: 8}", r"line 5: 'dpeth' is not"),
        ("profile: smoke", "record: signals", r"line 5: record should be a list"),
        ("profile: smoke", "record: [signals,\n  wights]", r"line 6: record: 'wights' .* did you mean 'weights'"),
        ("profile: smoke", "record: [5]", r"line 5: record: 5 cannot be recorded"),
        ("profile: smoke", "record: [signals]", r"line 5: 'record' is not a parameter of train.ipynb"),
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


@pytest.mark.parametrize(
    ("name", "without", "message"),
    [
        (
            "train",
            "shortcut|settings",
            r"line 8: shortcut: 'settings' is not .* of train.ipynb \(line 3\), nor",
        ),
        ("train", "store", r"line 3: 'store' is not a parameter of train.ipynb"),
        ("train", "seed:", r"line 3: 'seed' is not a parameter of train.ipynb"),
        ("report", "profile", r"line 4: 'profile' is not a parameter of report.ipynb"),
        ("report", ":", r"line 4: .*report.ipynb declares no parameters"),
    ],
)
def test_a_notebook_that_cannot_be_told_is_refused(tmp_path, name, without, message):
    path = write_study(tmp_path)
    parameters = dict(train=TRAIN_PARAMETERS, report=REPORT_PARAMETERS)[name].splitlines()
    kept = [line for line in parameters if not any(word in line for word in without.split("|"))]
    write_notebook(tmp_path / f"{name}.ipynb", "\n".join(kept))
    with pytest.raises(ValueError, match=message):
        Experiment.load(path)


def test_a_notebook_without_settings_will_do_for_the_fields_that_it_has(tmp_path):
    path = write_study(tmp_path)
    write_notebook(tmp_path / "train.ipynb", TRAIN_PARAMETERS.replace("settings", "others"))
    assert len(Experiment.load(path).configs()) == 2


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

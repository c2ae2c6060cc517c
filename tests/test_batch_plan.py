"""Plans: what is refused before anything is written, and what each notebook is told."""

from pathlib import Path

import pytest

from reslab import RunConfig, train
from reslab.batch.engines import EngineOptions
from reslab.batch.notebook import declared, execute
from reslab.batch.plan import make_plan, run_parameters
from reslab.batch.spec import EXPERIMENTS, NOTEBOOKS, Experiment
from reslab.training.profiles import PROFILES
from reslab.training.tasks import TASKS

from .batch_fixtures import SPEC, TRAIN_PARAMETERS, write_notebook, write_study

TAKES = ["depth", "shortcut", "profile", "seed", "store", "data", "settings"]


@pytest.fixture
def study(tmp_path) -> Path:
    return write_study(tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(dpeth=8), r"'dpeth' is not a parameter of RunConfig or report.ipynb; did you mean 'depth'\?"),
        (dict(wrods="x"), r"did you mean 'words'\?"),
        (dict(depth=21), r"depth=21 is not 6n\+2"),
        (dict(depth=[8, 21]), r"depth=21 is not 6n\+2"),
        (dict(profile="demo"), r"--profile"),
        (dict(seed=3), r"--seeds"),
        (dict(store="x"), r"--store"),
        (dict(settings={}), r"NAME=VALUE"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(study, tmp_path, given, message):
    with pytest.raises(ValueError, match=message):
        make_plan(study, store=tmp_path / "runs", parameters=given)
    assert not (tmp_path / "runs").exists()


def test_other_options_that_cannot_be_are_refused(study, tmp_path):
    for options, message in [
        (dict(jobs=0), "jobs=0"),
        (dict(per_gpu=0), "per_gpu=0"),
        (dict(name="dask"), "engine='dask' does not exist; allowed: local, ray"),
        (dict(name="ray", jobs=2), "jobs is for the local engine"),
        (dict(address="auto"), "add --engine ray"),
    ]:
        with pytest.raises(ValueError, match=message):
            EngineOptions(**options)
    with pytest.raises(ValueError, match="profile='dmo'"):
        make_plan(study, profile="dmo")
    with pytest.raises(ValueError, match="seeds=0"):
        make_plan(study, seeds=0)
    write_notebook(tmp_path / "train.ipynb", "depth: int = 8\nprofile: str = ''\nseed: int = 0\nstore: str = ''")
    with pytest.raises(ValueError, match=r"'settings' is not a parameter of train.ipynb"):
        make_plan(study)
    write_notebook(tmp_path / "report.ipynb", "profile: str = ''\nstore: str = ''\nseed: int = 1")
    with pytest.raises(ValueError, match=r"'seeds' is not a parameter of report.ipynb; did you mean 'seed'\?"):
        make_plan(study)


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(8, "none", "smoke"),
        RunConfig(20, "B", "demo", seed=3, lr=0.05, val_split=1000),
        RunConfig(20, profile="short", iterations=800),
        RunConfig(20, profile="short", iterations=800, lr_drops=[2, 3]),
        # The profile's warm-up, not stretched with the iterations as it would be if it were left out.
        RunConfig(20, profile="demo", iterations=800, warmup_iterations=PROFILES["demo"]["warmup_iterations"]),
        RunConfig(29, block="bottleneck", dataset="cifar10"),
    ],
    ids=lambda config: config.id,
)
def test_a_notebook_is_told_enough_to_train_the_very_config(config):
    given = run_parameters(config, TAKES, "train.ipynb")
    settings = given.pop("settings", {})
    assert RunConfig.from_dict(given | settings) == config
    assert not set(given) & set(settings)


def test_a_run_in_a_batch_never_waits_for_another_batch(tmp_path):
    assert "wait" in declared(NOTEBOOKS / "train.ipynb")
    (first, *_) = make_plan("degradation", store=tmp_path / "runs").runs
    assert first.parameters["wait"] is False


def test_what_a_study_records_its_notebooks_are_told(tmp_path):
    study = write_study(tmp_path, SPEC + "record: [signals, weights, signals]\n")
    write_notebook(tmp_path / "train.ipynb", TRAIN_PARAMETERS + "record: list = []\n")
    plan = make_plan(study, store=tmp_path / "runs")
    assert plan.experiment.record == ("signals", "weights")
    assert [planned.parameters["record"] for planned in plan.runs] == [["signals", "weights"]] * 2
    degradation = make_plan("degradation", store=tmp_path / "runs")
    assert all(planned.parameters["record"] == ["signals"] for planned in degradation.runs)


def test_a_config_as_its_profile_has_it_needs_no_settings():
    given = run_parameters(RunConfig(56, "none", "demo", 2), TAKES, "train.ipynb")
    assert given == dict(depth=56, shortcut="none", profile="demo", seed=2)


def test_the_repository_s_train_notebook_takes_them():
    assert set(TAKES) <= set(declared(NOTEBOOKS / "train.ipynb"))


def test_the_plan_knows_what_is_there(study, tmp_path):
    there = train(RunConfig(8, "none", "smoke"), tmp_path / "runs")
    assert make_plan(study, store=tmp_path / "runs").runs[0].state == "unshown"  # papermill has not run it
    (there.path / "notebook.ipynb").touch()
    plan = make_plan(study, store=tmp_path / "runs", seeds=2)
    assert [(p.label, p.state, p.iteration) for p in plan.runs] == [
        ("plain8 seed 0", "done", 12),
        ("res8 seed 0", "new", 0),
        ("plain8 seed 1", "new", 0),
        ("res8 seed 1", "new", 0),
    ]
    seconds = {p.config: float(i) for i, p in enumerate(plan.missing)}
    jobs = plan.jobs(seconds)
    assert [job.label for job in jobs] == ["res8 seed 1", "plain8 seed 1", "res8 seed 0"]  # the longest first
    assert jobs[0].run.id == RunConfig(8, "A", "smoke", 1).id
    assert jobs[0].out == tmp_path / "runs" / jobs[0].run.id / "notebook.ipynb"
    assert plan.report.parameters == dict(profile="smoke", store=str(tmp_path / "runs"), seeds=2)
    assert len(list((tmp_path / "runs").iterdir())) == 1  # planning wrote nothing


def test_relative_folders_are_made_absolute_and_the_usual_ones_left_alone(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESLAB_STORE", "here")
    assert make_plan(study).store == str(tmp_path / "here")
    plan = make_plan(study, store="there", data="images")
    assert plan.store == str(tmp_path / "there")
    assert plan.report.parameters["data"] == plan.runs[0].parameters["data"] == str(tmp_path / "images")
    assert "data" not in make_plan(study).report.parameters


def test_what_the_report_is_told(study, tmp_path):
    def report(**given):
        return make_plan(study, store=tmp_path / "runs", parameters=given).report.parameters

    assert report(words="hello")["words"] == "hello"
    assert report(lr=0.5, lr_drops=[1, 2])["settings"] == dict(lr=0.5, lr_drops=[1, 2])
    assert "settings" not in report(depth=8)  # as the grid has it
    for given in (dict(depth=14), dict(lr=[0.1, 0.2])):  # it would show another grid than was run
        plan = make_plan(study, store=tmp_path / "runs", parameters=given)
        assert plan.report == plan.general and plan.report.notebook.name == "study.ipynb"
        assert plan.report.parameters["settings"] == given and plan.report.parameters["experiment"] == str(study)
    path = tmp_path / "report.ipynb"
    write_notebook(path, "profile: str = ''\nstore: str = ''\nseeds: int = 1\ndepth: list = [8]")
    assert report(depth=[8, 14])["depth"] == [8, 14]


def test_runs_that_differ_in_more_than_their_net_have_labels_of_their_own(tmp_path):
    study = write_study(tmp_path, SPEC + "  lr: [0.1, 0.2]\n")
    labels = [p.label for p in make_plan(study).runs]
    assert len(set(labels)) == 4 and labels[0].startswith("shapes-plain8-smoke-s0-")


def test_a_plugin_beside_the_experiment_file_reaches_the_notebooks_that_need_it(tmp_path):
    plugin = tmp_path / "mine.py"
    body = "    def merge(self, x, fx):\n        return fx\n"
    plugin.write_text(f'from reslab.nets import Shortcut, register\n@register("mine")\nclass Mine(Shortcut):\n{body}')
    study = write_study(tmp_path, SPEC.replace("[none, A]", "[A, mine]") + "  plugins: [mine.py]\n")
    ours, mine = make_plan(study, store=tmp_path / "runs").runs
    assert "settings" not in ours.parameters and mine.parameters["settings"] == {"plugins": [str(plugin)]}
    execute(study.parent / "train.ipynb", tmp_path / "out.ipynb", mine.parameters)
    assert mine.run.state == "done" and mine.run.config == mine.config
    plan = make_plan(study, store=tmp_path / "others")
    (job,) = [job for job in plan.jobs(dict.fromkeys((p.config for p in plan.runs), 1.0)) if "mine" in job.label]
    plugin.write_text(plugin.read_text() + "1 / 0\n")  # while it waits
    execute(study.parent / "train.ipynb", tmp_path / "out.ipynb", job.parameters)
    assert job.run.state == "done"
    with pytest.raises(ValueError, match=r"small\.yaml, line 9: plugins: mine\.py, line 6: ZeroDivisionError"):
        make_plan(study)


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_can_be_planned_in_every_profile_of_its_nets(path, tmp_path):
    first = Experiment.load(path).configs()[0]
    for profile, values in TASKS[first.task].profiles.items():
        if first.family in ("imagenet", values["family"]):
            assert make_plan(path, profile=profile, store=tmp_path).runs

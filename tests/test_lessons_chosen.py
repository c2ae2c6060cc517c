"""Which runs a notebook looks into."""

import pytest

import reslab
from reslab import RunConfig, RunStore
from reslab.lessons.chosen import chosen_runs
from reslab.probes import recorded_signals

CONFIGS = [RunConfig(depth=8, shortcut=shortcut, profile="smoke") for shortcut in ("none", "A")]


def test_without_ids_the_configs_are_trained_once(tmp_path):
    runs = chosen_runs(tmp_path, [], CONFIGS, record="signals")
    assert [run.config for run in runs] == CONFIGS
    assert all(run.state == "done" and recorded_signals(run) for run in runs)
    before = [run.status for run in runs]
    assert [run.status for run in chosen_runs(str(tmp_path), [], CONFIGS)] == before


def test_with_ids_those_are_taken_and_nothing_is_trained(tmp_path):
    trained = [reslab.train(CONFIGS[1], tmp_path), reslab.train(RunConfig(depth=8, profile="smoke", seed=1), tmp_path)]
    runs = chosen_runs(tmp_path, [trained[1].id, str(trained[0].path), trained[0].id[:-3]], CONFIGS)
    assert [run.id for run in runs] == [trained[1].id, trained[0].id]  # each once, in the order given
    assert len(list(RunStore(tmp_path))) == 2


def test_ids_may_come_in_one_text_as_papermill_gives_it(tmp_path):
    runs = chosen_runs(tmp_path, [], [RunConfig(depth=8, profile="smoke", seed=seed) for seed in (0, 1)])
    asked = ", ".join(run.id for run in reversed(runs))
    assert [run.id for run in chosen_runs(tmp_path, asked, [])] == [run.id for run in reversed(runs)]


def test_what_cannot_be_looked_into_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"there is no run 'res9' in .*; `reslab runs` lists them"):
        chosen_runs(tmp_path, ["res9"], CONFIGS)
    fresh = RunStore(tmp_path).create(CONFIGS[0])
    with pytest.raises(ValueError, match=r"is new: only a run that is done can be looked into; train it first"):
        chosen_runs(tmp_path, [fresh.id], CONFIGS)

"""Plateaus: against rows made by hand, and in a run that was stopped."""

import pytest

from reslab import RunConfig, RunStore, figures, train
from reslab.training.schedule import find_plateaus, learning_rate

from .processes import result

CONFIG = RunConfig(depth=8, profile="smoke", precision="fp32", iterations=24, log_every=2, lr_plateau=2)


def rows(*errors, every=2):
    return [dict(iteration=every * (i + 1), train_error=error, test_error=1.0) for i, error in enumerate(errors)]


@pytest.mark.parametrize(
    ("errors", "drops"),
    [
        ((), ()),
        ((50, 50), ()),  # two log points without progress need one before them
        ((50, 50, 50), (6,)),
        ((50, 40, 30, 20, 10), ()),
        ((50, 49.6, 49.51), (6,)),  # less than 1 % better
        ((50, 49.6, 49.49), ()),
        ((50, 60, 40, 60, 60), (10,)),  # it is the best of them that counts
        ((50, 50, 50, 50, 50), (6,)),  # what was before the drop does not count after it
        ((50, 50, 50, 5, 5, 5), (6, 12)),
        ((0, 0, 0), (6,)),
        ((50,) * 20, (6, 12, 18)),  # and no more
    ],
)
def test_plateaus_of_rows_made_by_hand(errors, drops):
    assert find_plateaus(CONFIG, rows(*errors)) == drops


def test_without_lr_plateau_there_is_none():
    assert find_plateaus(RunConfig(profile="smoke"), rows(*[50] * 20)) == ()


def test_the_learning_rate_drops_at_each_plateau():
    rates = [learning_rate(CONFIG, iteration, plateaus=(6, 12)) for iteration in (0, 5, 6, 11, 12, 23)]
    assert rates == pytest.approx([0.03, 0.03, 0.003, 0.003, 0.0003, 0.0003])


def test_a_linear_rate_falls_evenly_to_0_after_its_ramp():
    config = RunConfig(profile="smoke", lr_schedule="linear", iterations=10, lr=0.1, warmup_iterations=2)
    rates = [learning_rate(config, iteration) for iteration in range(10)]
    assert rates == pytest.approx([0.05, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01])


def test_a_stopped_run_drops_where_the_whole_one_does_and_the_figure_shows_it(tmp_path):
    whole = train(CONFIG, tmp_path / "whole")
    drops = find_plateaus(CONFIG, whole.metrics)
    assert 1 <= len(drops) <= 3 and drops[0] < CONFIG.iterations, "this run should reach a plateau"
    expected = [learning_rate(CONFIG, row["iteration"] - 1, plateaus=drops) for row in whole.metrics]
    assert whole.column("lr") == expected

    def stop_after_the_first(progress):
        if progress.row and progress.iteration == drops[0]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, tmp_path / "parts", progress=stop_after_the_first)
    assert result(train(CONFIG, tmp_path / "parts")) == result(whole)
    run = RunStore(tmp_path / "whole").run(CONFIG)
    marked = [line.x0 for line in figures.error_curves([run]).layout.shapes]
    assert marked == [drop for drop in drops if drop < CONFIG.iterations]

"""Run folders that nobody trained, for the tests of reslab.claims: each ends with the errors it is given."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from reslab import Run, RunConfig, RunStore
from reslab.claims import Verdict, evaluate
from reslab.probes.probing import PROBES
from reslab.probes.results import kept

LOW, HIGH = [9.0, 9.2, 9.4], [12.0, 12.3, 12.9]  # test errors of three seeds


def make_run(store: Path, train: float, test: float, state: str = "done", early: float | None = None, **fields) -> Run:
    """A run of these RunConfig fields, `smoke` unless they say otherwise, that ends with these errors (percent).

    Before the end its test error is 0.01, which whoever takes the best instead of the last will find. `early` is the
    training error at the log points before the last, `train` if it is None.
    """
    config = RunConfig(**dict(profile="smoke") | fields)
    run = RunStore(store).create(config)
    steps = list(range(config.log_every, config.iterations + 1, config.log_every))
    point = dict(epoch=0.0, lr=0.1, train_loss=1.0, test_loss=1.0, seconds=1.0, images_per_second=1.0)
    before = train if early is None else early
    rows = [point | dict(iteration=step, train_error=before, test_error=0.01) for step in steps[:-1]]
    run.write_metrics([*rows, point | dict(iteration=config.iterations, train_error=train, test_error=test)])
    status = dict(state=state, iteration=config.iterations, iterations=config.iterations)
    (run.path / "status.json").write_text(json.dumps(status))
    return run


def find(run: Run, probe: str, result: Any) -> None:
    """Puts down that the probe found this in the run's net, with its standard settings."""
    kept(run, probe, PROBES[probe].settings(), lambda: result)


def probed(store: Path, probe: str, results: Sequence[Any], **fields) -> list[Run]:
    """A run for each of what the probe is to have found, seeds from 0."""
    runs = make_net(store, [9.0] * len(results), **fields)
    for run, result in zip(runs, results, strict=True):
        find(run, probe, result)
    return runs


def make_net(store: Path, test: Sequence[float], train: Sequence[float] | None = None, **fields) -> list[Run]:
    """A run for each of the test errors, seeds from 0; `train` as the test errors if it is None."""
    pairs = zip(test if train is None else train, test, strict=True)
    return [make_run(store, *pair, seed=seed, **fields) for seed, pair in enumerate(pairs)]


def make_task(store: Path, measure: str, values: Sequence[float], **fields) -> list[Run]:
    """A run of another task for each of these values of a column of its own, seeds from 0. Before the end it has 0.01
    and 99 there, for whoever does not take the last.
    """
    runs = make_net(store, [50.0] * len(values), **fields)
    for run, value in zip(runs, values, strict=True):
        rows = run.metrics
        before = [0.01, *[99.0] * (len(rows) - 2)]
        run.write_metrics([row | {measure: x} for row, x in zip(rows, [*before, value], strict=True)])
    return runs


def one(runs: Iterable[Run], name: str, **options) -> Verdict:
    """The only verdict on this claim."""
    (verdict,) = evaluate(runs, [name], **options)
    return verdict


def plain(store: Path, shallow: Sequence, deep: Sequence, **fields) -> list[Run]:
    """Two plain nets, each (training errors, test errors)."""
    return [
        *make_net(store, shallow[1], shallow[0], depth=8, shortcut="none", **fields),
        *make_net(store, deep[1], deep[0], depth=14, shortcut="none", **fields),
    ]

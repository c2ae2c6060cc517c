"""`reslab runs`: what is listed, for people and for programs; comparing; pruning, which asks."""

import json
import os
import pty
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from reslab import RunConfig, RunStore, train
from reslab.cli import app, tables
from reslab.cli.tables import aligned, amount

from .catalog_fixtures import make_run, make_store, status


def reslab(*arguments: object, **options):
    return CliRunner().invoke(app, ["runs", *map(str, arguments)], **options)


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.setenv("RESLAB_STORE", str(tmp_path / "runs"))
    return make_store(tmp_path / "runs")


def ids(done) -> list[str]:
    return [line.split()[0] for line in done.stdout.splitlines()]


def test_runs_are_listed_and_filtered(tmp_path):
    for shortcut in ("none", "A"):
        train(RunConfig(8, shortcut, "smoke"), tmp_path)
    RunStore(tmp_path).create(RunConfig(14, profile="smoke"))
    lines = reslab("--store", tmp_path).stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["done", "new", "done"]
    (line,) = reslab("--store", tmp_path, "--shortcut", "none", "--state", "done").stdout.splitlines()
    run = RunStore(tmp_path).run(RunConfig(8, "none", "smoke"))
    assert line.startswith(run.id) and "12 of 12" in line and f"{run.final['train_error']:.2f} %" in line
    assert reslab("--store", tmp_path, "--seed", 7).stdout == ""


def test_each_state_is_listed_as_the_run_says_it(made):
    _, runs = made
    lines = {line.split()[0]: line for line in reslab().stdout.splitlines()}
    assert {id: line.split()[1] for id, line in lines.items()} == {run.id: state for state, run in runs.items()}
    assert "0 of 12" in lines[runs["new"].id] and "error" not in lines[runs["new"].id]
    places = {line.index(" of 12") for line in lines.values()}
    assert len(places) == 1  # in one column


@pytest.mark.parametrize(
    ("options", "states"),
    [
        (["--depth", 14], ["failed"]),
        (["--where", "depth=14"], ["failed"]),
        (["--where", "lr_drops=[6, 9]", "--state", "done"], ["done"]),
        (["--where", "gate_bias=null", "--where", "dataset=shapes", "--seed", 0, "--limit", 1], ["failed"]),
        (["--where", "shortcut=A"], []),
        (["--sort", "depth", "--reverse", "--limit", 2], ["new", "running"]),
        (["--sort", "test_error", "--limit", 1], ["running"]),
    ],
)
def test_options_choose_and_sort(made, options, states):
    assert ids(reslab(*options)) == [made[1][state].id for state in states]


def test_json_is_what_the_folders_hold(made):
    store, runs = made
    found = json.loads(reslab("--json").stdout)
    assert [row["id"] for row in found] == [run.id for run in store]
    for row in found:
        run = store.root / row["id"]
        assert row["path"] == str(run) and row["config"] == json.loads((run / "config.json").read_text())
    (done,) = [row for row in found if row["state"] == "done"]
    assert done["final"] == runs["done"].final and done["status"] == runs["done"].status
    assert json.loads(reslab("--json", "--seed", 7).stdout) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--where", "dept=8"], "did you mean 'depth'"),
        (["--where", "depth"], "is not NAME=VALUE"),
        (["--where", "depth=8", "--depth", 8], "depth is asked for twice"),
        (["--state", "dnoe"], "allowed: new, running"),
        (["--sort", "test_eror"], "did you mean 'test_error'"),
        (["compare", "plain8", "nothing"], "there is no run 'nothing'"),
        (["compare", "plain8"], "two runs or more"),
        (["compare", "plain8", "smoke"], "write more of it"),
        (["prune"], "prune which runs?"),
        (["prune", "--state", "failed"], "no terminal to ask in; --yes removes 1 run"),
        (["prune", "--checkpoints-only", "--state", "failed"], "goes on from its checkpoint"),
        (["--state", "failed", "prune", "--yes"], "--state belongs behind prune"),
        (["--seed", 0, "prune", "--yes"], "--seed belongs behind prune"),
    ],
)
def test_mistakes_are_one_sentence_and_remove_nothing(made, arguments, sentence):
    done = reslab(*arguments)
    assert done.exit_code == 2 and sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert len(list(made[0])) == 5


def test_a_folder_that_cannot_be_read_is_named(made):
    _, runs = made
    (runs["failed"].path / "status.json").write_text("{")
    done = reslab()
    assert done.exit_code == 0 and len(ids(done)) == 4
    assert f"{runs['failed'].id} is left out: status.json cannot be read" in done.stderr


@pytest.mark.parametrize("command", [[], ["compare", "plain8", "plain14"], ["prune", "--state", "failed", "--yes"]])
def test_a_store_out_of_reach_is_one_sentence(s3, command):
    s3.down()
    done = reslab(*command, "--store", s3.url)
    assert done.exit_code == 1 and f"{s3.url} cannot be reached: " in done.stderr.replace("/.pruned", "")
    assert len(done.stderr.strip().splitlines()) == 1 and not done.stdout


def test_event_files_of_the_listed_runs(made, tmp_path):
    _, runs = made
    (runs["done"].path / "provenance.json").write_text('{"started": "2026-11-22T10:00:00+0000"}')
    done = reslab("--state", "done", "--tensorboard", tmp_path / "events")
    assert done.exit_code == 0 and f"tensorboard --logdir {tmp_path / 'events'}" in done.stderr
    assert [path.name for path in (tmp_path / "events").iterdir() if path.is_dir()] == [runs["done"].id]


# Compare


def test_compare_shows_what_differs(made):
    _, runs = made
    done = reslab("compare", "plain8", runs["failed"].path)
    lines = done.stdout.splitlines()
    assert done.exit_code == 0 and [line.split() for line in lines if line.startswith("depth")] == [
        ["depth", "8", "14"]
    ]
    assert "Provenance: the same" in lines and not [line for line in lines if line.startswith("seed ")]
    (errors,) = [line.split() for line in lines if line.startswith("test_error")]
    assert errors[1:] == [f"{runs[state].final['test_error']:g}" for state in ("done", "failed")]
    assert lines[-3:-1] == [
        f"{runs['failed'].id} against {runs['done'].id}",
        "  metrics, but for the time columns: differ from iteration 3 on",
    ]
    found = json.loads(reslab("compare", "plain8", "plain14", "--json").stdout)
    assert found["config"] == dict(depth=[8, 14]) and found["ids"] == [runs["done"].id, runs["failed"].id]


# Prune


def test_prune_with_yes_removes_what_was_chosen(made):
    store, runs = made
    done = reslab("prune", "--state", "failed", "--yes")
    assert done.exit_code == 0 and runs["failed"].id in done.stdout and "Removed" in done.stdout
    assert {run.id for run in store} == {run.id for state, run in runs.items() if state != "failed"}
    again = reslab("prune", "--state", "failed", "--yes")
    assert again.exit_code == 0 and "nothing to prune" in again.stderr


def test_prune_never_touches_what_is_being_trained(made):
    store, runs = made
    done = reslab("prune", "--older", 0, "--yes")
    assert "1 of these is being trained, and left alone" in done.stderr
    assert [run.id for run in store] == [runs["running"].id]


def test_prune_by_age(made):
    store, runs = made
    assert reslab("prune", "--older", 9, "--profile", "smoke", "--yes").exit_code == 0
    assert {run.id for run in store} == {run.id for state, run in runs.items() if state != "done"}


def test_prune_of_checkpoints(made):
    store, runs = made
    done = reslab("prune", "--checkpoints-only", "--yes")
    assert "Removed 30 B: checkpoints of 1 run." in done.stdout and len(list(store)) == 5
    assert not list(runs["done"].path.glob("checkpoint*")) and (runs["done"].path / "weights.safetensors").exists()
    assert list(runs["interrupted"].path.glob("checkpoint*"))
    assert "nothing to prune" in reslab("prune", "--checkpoints-only", "--yes").stderr


def test_prune_says_what_became_alive(made, monkeypatch):
    _, runs = made
    real = tables.show
    change = status("running", iteration=9)

    def show(*arguments, **options):  # while the list is being read
        real(*arguments, **options)
        (runs["failed"].path / "status.json").write_text(json.dumps(change))

    monkeypatch.setattr("reslab.cli.prune.show", show)
    done = reslab("prune", "--state", "failed", "--yes")
    assert f"{runs['failed'].id} is being trained by process {os.getpid()}" in done.stderr
    assert "Removed 0 B: 0 runs." in done.stdout and runs["failed"].path.exists()


def test_prune_finishes_what_a_stopped_one_left(made):
    store, runs = made
    (store.root / ".pruned").mkdir()
    runs["failed"].path.rename(store.root / ".pruned/half")
    done = reslab("prune", "--state", "failed", "--yes")
    assert "had left of 1 run." in done.stdout and not (store.root / ".pruned").exists()


# In a terminal


def in_terminal(*arguments: str, answer: str = "") -> str:
    """What a person sees, who types `answer`."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "reslab", "runs", *arguments], stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    seen = b""
    try:
        while part := os.read(ours, 4096):
            seen += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait() in (0, 1)
    return seen.decode()


def test_a_terminal_shows_a_table(made, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    seen = in_terminal()
    header, *rows = seen.splitlines()[:6]
    assert all(name in header for name in ("run", "state", "iteration", "training error", "test error"))
    assert all(any(run.id in row and state in row for row in rows) for state, run in made[1].items())


@pytest.mark.parametrize(("answer", "left"), [("n\n", 5), ("y\n", 4)])
def test_a_terminal_is_asked(made, answer, left):
    seen = in_terminal("prune", "--state", "failed", answer=answer)
    assert "Remove 1 run, " in seen and "? [y/N]" in seen and len(list(made[0])) == left


def test_many_rows_are_not_drawn(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    tables.show(["a", "b"], [["x", "1"]] * (tables.DRAWN + 1), right=(1,))
    assert capsys.readouterr().out.splitlines()[:2] == ["a  b", "x  1"]


def test_columns_are_aligned():
    assert list(aligned([["a", "b"], ["long", "1"], ["", "10"]], right=(1,))) == ["a      b", "long   1", "      10"]


def test_amounts_in_words():
    sizes = [0, 999, 1_000, 1_500_000, 999_600, 2 * 10**12]
    assert [amount(size) for size in sizes] == ["0 B", "999 B", "1 kB", "1.5 MB", "1 MB", "2 TB"]


def test_two_runs_of_a_config_in_two_stores(tmp_path):
    config = RunConfig(8, "none", "smoke")
    paths = [make_run(RunStore(tmp_path / name), config, status("failed")).path for name in ("a", "b")]
    done = reslab("compare", *paths)
    assert "Config: the same" in done.stdout and "the same bits" in done.stdout

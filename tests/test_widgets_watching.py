"""The watching panel over run folders that change under it."""

import csv
import io
import json
import time
from dataclasses import replace

import plotly.graph_objects as go
import pytest

from reslab import RunConfig, RunStore
from reslab.figures import error_curves, net_colour
from reslab.widgets import watch
from reslab.widgets.explorer import explorer
from reslab.widgets.following import Following
from reslab.widgets.watching import Watch, difference

from .test_figures import make_run


@pytest.fixture
def store(tmp_path):
    for shortcut in ("none", "A"):
        make_run(tmp_path, shortcut)
    return RunStore(tmp_path)


@pytest.fixture
def panel(store):
    return Watch(Following(store), live=True)


def ids(store, *shortcuts):
    return [RunConfig(shortcut=shortcut).id for shortcut in shortcuts]


def drawn(panel):
    return {trace["meta"]["net"] for trace in panel.plot.figure["data"] if trace["meta"].get("net")}


def test_the_figure_is_that_of_the_ticked_runs(panel, store):
    assert drawn(panel) == {"plain-20", "ResNet-20"}
    panel.table.shown = ids(store, "A")
    assert drawn(panel) == {"ResNet-20"}
    assert panel.figure == error_curves([panel.following.runs[ids(store, "A")[0]]])


@pytest.mark.parametrize(("control", "value"), [("x", "epoch"), ("x", "seconds"), ("y", "log"), ("smoothing", 0.5)])
def test_a_control_redraws(panel, control, value):
    panel.controls[control].value = value
    expected = error_curves([panel.following.runs[name] for name in panel.table.shown], **{control: value})
    assert panel.figure == expected


def test_rows_hold_final_numbers_and_the_nets_colour(panel, store):
    (row,) = [row for row in panel.table.rows if row["net"] == "ResNet-20"]
    run = panel.following.runs[row["id"]]
    assert (row["train_error"], row["test_error"]) == (run.final["train_error"], run.final["test_error"])
    assert row["colour"] == net_colour(run.config) and row["progress"] == 1 and row["seed"] == 0


def test_a_new_run_and_a_new_log_point_appear_by_themselves(panel, store, tmp_path):
    make_run(tmp_path, "B", share=0.5)
    panel.refresh()
    assert "ResNet-20 (B)" in drawn(panel)
    (row,) = [row for row in panel.table.rows if row["net"] == "ResNet-20 (B)"]
    assert row["progress"] == 0.5
    make_run(tmp_path, "B", share=0.6)
    panel.refresh()
    (curve,) = [t for t in panel.figure.data if t.meta == dict(net="ResNet-20 (B)", kind="test")]
    assert len(curve.y) == 12


def test_a_run_that_is_not_ticked_stays_so_when_it_changes(panel, store, tmp_path):
    panel.table.shown = ids(store, "none")
    make_run(tmp_path, "A", level=50.0)
    panel.refresh()
    assert drawn(panel) == {"plain-20"} and max(row["test_error"] for row in panel.table.rows) > 40


def test_nothing_is_sent_while_nothing_changes(panel, monkeypatch):
    sent = []
    monkeypatch.setattr(panel.plot, "send_state", lambda *a, **k: sent.append(a))
    monkeypatch.setattr(panel.table, "send_state", lambda *a, **k: sent.append(a))
    monkeypatch.setattr(panel, "_draw", lambda *_: sent.append("drawn"))
    for _ in range(5):
        panel.refresh()
    assert not sent


def test_a_run_that_is_deleted_is_gone(panel, store):
    (name,) = ids(store, "A")
    for path in sorted((store.root / name).rglob("*"), reverse=True):
        path.unlink()
    (store.root / name).rmdir()
    panel.refresh()
    assert drawn(panel) == {"plain-20"} and [row["net"] for row in panel.table.rows] == ["plain-20"]


def test_a_folder_that_is_no_run_is_left_out_with_a_warning_once(panel, store):
    (store.root / "strange").mkdir()
    (store.root / "strange" / "config.json").write_text('{"depht": 20}')
    with pytest.warns(UserWarning, match="strange is left out until it can be read: .*'depht' is not a parameter"):
        panel.refresh()
    panel.refresh()  # warnings are errors in tests: not said again
    assert len(panel.table.rows) == 2


@pytest.mark.parametrize("damage", [("status.json", '{"state": "run'), ("metrics.csv", "iteration,epoch\n1,2\n")])
def test_a_run_that_is_half_copied_does_not_stop_the_others(panel, store, tmp_path, damage):
    name, text = damage
    broken = make_run(tmp_path, "B", share=0.5)
    (broken.path / name).write_text(text)
    make_run(tmp_path, "C", share=0.5)
    with pytest.warns(UserWarning, match=f"{broken.id} is left out until it can be read"):
        panel.refresh()
    assert "ResNet-20 (C)" in drawn(panel) and panel._trouble.value == ""
    (broken.path / name).unlink()
    make_run(tmp_path, "B", share=0.5)
    panel.refresh()
    assert "ResNet-20 (B)" in drawn(panel)


def test_a_dead_owner_is_noticed(store, tmp_path):
    run = make_run(tmp_path, "C", share=0.5)
    status = dict(state="running", iteration=300, host="elsewhere", pid=1, process_started=0.0, heartbeat=time.time())
    (run.path / "status.json").write_text(json.dumps(status))
    following = Following(store)
    following.refresh()
    assert [row["state"] for row in following.rows if row["id"] == run.id] == ["running"]
    known = following._known[run.id]
    (run.path / "status.json").write_text(json.dumps(status | dict(heartbeat=0.0)))
    known.times = tuple((run.path / name).stat().st_mtime_ns for name in ("config.json", "status.json", "metrics.csv"))
    assert following.refresh() == {run.id}
    assert [row["state"] for row in following.rows if row["id"] == run.id] == ["interrupted"]


def test_two_runs_are_compared(panel, store):
    first, second = panel.table.pair = ids(store, "none", "A")
    text = panel._difference.value
    a, b = (panel.following.runs[name].final for name in (first, second))
    assert f"{b['train_error'] - a['train_error']:+.2f} points" in text
    assert "<th>shortcut</th><td>none</td><td>A</td>" in text and "same seed" in text
    assert "depth" not in text
    panel.table.pair = [first]
    assert "Choose two runs" in panel._difference.value


def test_runs_under_way_are_compared_where_both_have_been(tmp_path):
    whole, part = make_run(tmp_path, "none"), make_run(tmp_path, "A", share=0.5)
    at = part.metrics[-1]
    then = next(row for row in whole.metrics if row["iteration"] == at["iteration"])
    text = difference([whole, part])
    assert f"{then['test_error']:.2f} %" in text and f"{at['test_error']:.2f} %" in text
    assert f"<td>{at['iteration']:,}</td><td>{at['iteration']:,}</td>" in text


def test_exports(panel, monkeypatch):
    saved = []
    monkeypatch.setattr(panel.plot, "download", lambda *arguments: saved.append(arguments))
    for button in panel.exports.values():
        button.click()
    (html, png, svg, table) = saved
    assert [each[0] for each in saved] == ["html", "png", "svg", "csv"]
    assert "<html>" in html[2] and "plotly" in html[2] and png[2] is svg[2] is None
    rows = list(csv.DictReader(io.StringIO(table[2])))
    assert {row["run"] for row in rows} == set(panel.table.shown)
    run = panel.following.runs[rows[-1]["run"]]
    assert float(rows[-1]["test_error"]) == run.final["test_error"]


def test_watch_chooses_by_field_or_by_id(store, tmp_path):
    make_run(tmp_path, "A", depth=56)
    assert {row["net"] for row in watch(store, depth=56).following.rows} == {"ResNet-56"}
    assert {row["net"] for row in watch(store, runs=ids(store, "none")).following.rows} == {"plain-20"}
    elsewhere = make_run(tmp_path / "elsewhere", "B")
    assert [row["id"] for row in watch(runs=[elsewhere]).following.rows] == [elsewhere.id]
    with pytest.raises(ValueError, match="'dept' is not a parameter of RunConfig; did you mean 'depth'"):
        watch(store, dept=56)


def test_without_a_front_end_it_shows_a_figure_and_a_table(store):
    figure, table = watch(store, live=False).still()
    assert isinstance(figure, go.Figure) and len(table) == 2
    room = explorer(store, live=False, profile="demo", seeds=1)
    assert len(room.watch.still()[1]) == 2
    assert len(explorer(store, live=False, profile="short").watch.still()[1]) == 0


def test_a_still_picture_of_many_runs_stays_small(tmp_path):
    for shortcut in ("none", "A", "B", "C", "scaled"):
        for depth in (20, 56):
            make_run(tmp_path, shortcut, depth, profile="paper")
    figure, table, note = explorer(tmp_path, live=False, profile="paper", shortcut="A").watch.still()
    assert len(table) == 6 and "4 more are in the store" in note.data and len(figure.to_json()) < 200_000


def test_a_store_that_is_not_there_yet_is_empty(tmp_path):
    panel = Watch(Following(RunStore(tmp_path / "none")), live=True)
    panel.refresh()
    assert panel.table.rows == [] and not (tmp_path / "none").exists()


def test_what_has_not_changed_is_not_read_again(tmp_path, monkeypatch):
    first = make_run(tmp_path, "A", share=0.1)
    config, metrics = ((first.path / name).read_text() for name in ("config.json", "metrics.csv"))
    for seed in range(1, 50):
        folder = tmp_path / replace(first.config, seed=seed).id
        folder.mkdir()
        (folder / "config.json").write_text(config.replace('"seed": 0', f'"seed": {seed}'))
        (folder / "metrics.csv").write_text(metrics)
    following = Following(RunStore(tmp_path))
    assert len(following.refresh()) == 50
    monkeypatch.setattr(Following, "_row", None)  # a second look reads nothing
    assert following.refresh() == set()

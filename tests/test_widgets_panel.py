"""What all panels do with errors, and where no front end is."""

import threading
import time

import pytest

from reslab.widgets.explorer import explorer
from reslab.widgets.panel import Panel, attached
from reslab.widgets.ticker import Ticker

from .test_figures import make_run


def test_an_exception_in_a_callback_is_shown_until_it_goes_well(caplog):
    panel, wrong = Panel(live=True), [ValueError("write <this> instead")]

    def act():
        for error in wrong:
            raise error

    callback = panel.guarded(act)
    callback()
    callback()
    assert "write &lt;this&gt; instead" in panel._trouble.value and "Traceback" not in panel._trouble.value
    assert caplog.text.count("act: write <this> instead") == 1  # told once, however often it happens
    wrong[:] = [KeyError("no such thing")]
    callback()
    assert "a mistake in reslab" in panel._trouble.value and "Traceback" in panel._trouble.value
    panel.guarded(len)([])  # another one that goes well says nothing about this one
    assert "a mistake" in panel._trouble.value
    wrong.clear()
    callback()
    assert panel._trouble.value == ""
    caplog.clear()


def test_callbacks_come_one_at_a_time():
    panel, inside, most = Panel(live=True), [], []

    def act():
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()

    threads = [threading.Thread(target=panel.guarded(act)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, False), ({"JPY_SESSION_NAME": "a.ipynb"}, True), ({"SERVER_SOFTWARE": "voila/0.5.13"}, True)],
)
def test_a_front_end_is_there_if_a_server_started_the_kernel(monkeypatch, variables, expected):
    for name in ("JPY_SESSION_NAME", "SERVER_SOFTWARE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert attached() is expected


def test_in_a_notebook_that_a_notebooks_cell_runs_there_is_none(monkeypatch):
    class Above:
        def parents(self):
            return [self]

        def cmdline(self):
            return ["python", "-m", "ipykernel_launcher", "-f", "kernel.json"]

    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    monkeypatch.setattr("psutil.Process", Above)
    assert attached() is False


def test_a_ticker_ends_when_its_cell_is_run_again(monkeypatch):
    execution = iter(["1", "1", "2"])

    class Shell:
        def get_parent(self):
            return {"metadata": {"cellId": "cell-1"}, "header": {"msg_id": next(execution)}}

    monkeypatch.setattr("reslab.widgets.ticker.get_ipython", Shell)
    ticks = []
    first, beside = (
        Ticker(lambda: ticks.append(1), 0.01, of_its_cell=True),
        Ticker(lambda: ticks.append(1), 0.01, of_its_cell=True),
    )
    time.sleep(0.1)
    assert first.is_alive() and beside.is_alive()  # two panels of one cell
    second = Ticker(lambda: ticks.append(2), 0.01, of_its_cell=True)
    first.join(5)
    beside.join(5)
    assert not first.is_alive() and second.is_alive()
    ticks.clear()
    while not ticks:
        time.sleep(0.01)
    second.stop()
    second.join(5)
    assert set(ticks) == {2}


def test_an_explorer_made_again_leaves_the_panels_on_the_screen_alive(monkeypatch, tmp_path):
    """Its panels stand in other cells: they go on until those are run again."""
    execution = iter("1234")

    class Shell:
        def get_parent(self):
            return {"metadata": {"cellId": "cell-2"}, "header": {"msg_id": next(execution)}}

    monkeypatch.setattr("reslab.widgets.ticker.get_ipython", Shell)
    rooms = [explorer(tmp_path, live=True, read_only=True) for _ in range(2)]
    make_run(tmp_path)
    deadline = time.monotonic() + 20
    while not all(room.watch.table.rows for room in rooms):
        assert time.monotonic() < deadline, "a room has stopped looking"
        time.sleep(0.05)

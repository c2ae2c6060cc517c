"""The RunTable's traits without a browser: what they take, refuse and forget."""

import pytest
from traitlets import TraitError

from reslab.widgets.table import RunTable

COLUMNS = [
    dict(key="net", label="net", kind="text"),
    dict(key="error", label="test error", kind="number", digits=2, unit="%"),
]


def some_rows(n: int = 4) -> list[dict]:
    return [dict(id=f"run{i}", colour="#0072b2", net=f"ResNet-{i}", error=float(i)) for i in range(n)]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What a RunTable sends while the test runs: the state of each update."""
    states = []
    monkeypatch.setattr(RunTable, "_send", lambda self, message, buffers=None: states.append(message["state"]))
    return states


def a_table() -> RunTable:
    return RunTable(columns=COLUMNS, rows=some_rows(), shown=["run2", "run0"], pair=["run3", "run1"])


def test_traits_are_what_was_given_with_ticks_in_the_rows_order():
    table = a_table()
    assert table.rows == some_rows()
    assert table.columns == COLUMNS
    assert table.shown == ["run0", "run2"]
    assert table.pair == ["run3", "run1"]


def test_equal_values_send_nothing(sent):
    table = a_table()
    sent.clear()
    table.rows, table.columns = some_rows(), [dict(column) for column in COLUMNS]
    table.shown, table.pair = ["run2", "run0", "run0"], ["run3", "run1", "run3"]
    assert sent == []


def test_new_rows_are_one_message_and_keep_ticks(sent):
    table = a_table()
    sent.clear()
    table.rows = some_rows(5)
    assert [list(state) for state in sent] == [["rows"]]
    assert (table.shown, table.pair) == (["run0", "run2"], ["run3", "run1"])


def test_a_vanished_row_takes_its_tick_and_its_place_in_the_pair_along():
    table = a_table()
    table.rows = some_rows(2)
    assert (table.shown, table.pair) == (["run0"], ["run1"])


def test_ids_that_are_not_there_are_left_out_also_from_the_browser():
    table = a_table()
    table.shown = ["run1", "gone"]
    assert table.shown == ["run1"]
    table.set_state(dict(shown=["gone", "run3"], pair=["gone", "run0"]))
    assert (table.shown, table.pair) == (["run3"], ["run0"])


def test_a_pair_is_at_most_two():
    table = a_table()
    with pytest.raises(TraitError, match="at most two ids"):
        table.pair = ["run0", "run1", "run2"]
    assert table.pair == ["run3", "run1"]


def test_a_number_that_json_does_not_know_becomes_none():
    rows = [dict(some_rows(1)[0], error=value) for value in (float("nan"),)]
    assert RunTable(columns=COLUMNS, rows=rows).rows[0]["error"] is None


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ([dict(key="net", kind="text")], "lacks label"),
        ([dict(key="net", label="net", kind="date")], "kind='date' is not possible; allowed: text, number"),
        ([COLUMNS[0], COLUMNS[0]], "key is there twice: net"),
    ],
)
def test_columns_are_checked(columns, said):
    with pytest.raises(TraitError, match=said):
        RunTable(columns=columns)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([dict(colour="#0072b2")], "lacks an id"),
        ([dict(id="a", colour="red")], "row a: colour='red' is no '#rrggbb'"),
        ([dict(id="a")], "row a: colour=None"),
        (some_rows(1) * 2, "id is there twice: run0"),
    ],
)
def test_rows_are_checked(rows, said):
    with pytest.raises(TraitError, match=said):
        RunTable(columns=COLUMNS, rows=rows)

"""The Plot widget without a browser: what it sends, and when."""

import base64
import json

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from reslab.widgets.plot import Plot
from reslab.widgets.snippet import Snippet


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """(message, buffers) for all that a Plot sends while the test runs."""
    messages = []
    monkeypatch.setattr(Plot, "_send", lambda self, message, buffers=None: messages.append((message, buffers)))
    return messages


def a_figure(last: float = 3.0) -> go.Figure:
    return go.Figure(go.Scatter(x=np.arange(3), y=np.array([1.0, np.nan, last])), layout=dict(height=300))


def test_show_makes_plain_json_of_arrays():
    plot = Plot()
    plot.show(a_figure())
    assert json.loads(json.dumps(plot.figure, allow_nan=False)) == plot.figure
    assert go.Figure(plot.figure).layout.height == 300
    x = plot.figure["data"][0]["x"]
    assert list(np.frombuffer(base64.b64decode(x["bdata"]), x["dtype"])) == [0, 1, 2]


def test_an_equal_figure_sends_nothing_and_another_one_message(sent):
    plot = Plot()
    sent.clear()
    plot.show(a_figure())
    assert [message["method"] for message, _ in sent] == ["update"]
    assert list(sent[0][0]["state"]) == ["figure"]
    plot.show(a_figure())
    assert len(sent) == 1
    plot.show(a_figure(4.0))
    assert len(sent) == 2


def test_plotly_is_sent_when_a_page_asks_and_is_no_state(sent):
    plot = Plot()
    assert len(json.dumps(plot.get_state(), default=str)) < 20_000
    sent.clear()
    plot._handle_custom_msg({"need": "something else"}, [])
    assert sent == []
    plot._handle_custom_msg({"need": "plotly"}, [])
    [(message, buffers)] = sent
    assert message == {"method": "custom", "content": {"kind": "plotly"}}
    assert buffers == [get_plotlyjs().encode()]


def test_download_sends_what_to_save(sent):
    plot = Plot()
    sent.clear()
    plot.download("png", "curves")
    plot.download("csv", "curves", "a,b\n1,2\n")
    assert [message["content"] for message, _ in sent] == [
        dict(kind="download", format="png", name="curves", content=None),
        dict(kind="download", format="csv", name="curves", content="a,b\n1,2\n"),
    ]


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("pdf", "curves", "kind='pdf' is not possible without content; allowed: png, svg"),
        ("png", "", "name='' is not possible"),
        ("png", "../curves", "name='../curves' is not possible"),
    ],
)
def test_download_refuses_what_cannot_be_saved(sent, kind, name, said):
    plot = Plot()
    sent.clear()
    with pytest.raises(ValueError, match=said):
        plot.download(kind, name)
    assert sent == []


def test_a_snippet_holds_its_text():
    snippet = Snippet(text="reslab train", language="shell")
    assert (snippet.text, snippet.language) == ("reslab train", "shell")

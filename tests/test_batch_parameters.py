"""What notebooks declare, against papermill's own reading of them."""

import json

import papermill
import pytest

from reslab.batch.parameters import declared
from reslab.batch.spec import NOTEBOOKS

from .batch_fixtures import write_notebook


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_it_is_what_papermill_finds(path):
    assert declared(path) == list(papermill.inspect_notebook(str(path)))


def test_values_of_several_lines_and_plain_assignments_count(tmp_path):
    cell = "a = 1\nb: list = [\n    1,\n]  # two\nc: int\nd = e = a\na = 2\nf.g = 3"
    assert declared(write_notebook(tmp_path / "n.ipynb", cell)) == ["a", "b", "d", "e"]


def test_what_is_no_notebook_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"there is no notebook .*none\.ipynb"):
        declared(tmp_path / "none.ipynb")
    for text in ("", "[]", json.dumps({})):
        (tmp_path / "bad.ipynb").write_text(text)
        with pytest.raises(ValueError, match="is not a notebook"):
            declared(tmp_path / "bad.ipynb")
    with pytest.raises(ValueError, match="not Python: line 2"):
        declared(write_notebook(tmp_path / "syntax.ipynb", "a = 1\nb = ="))
    with pytest.raises(ValueError, match="declares no parameters"):
        declared(write_notebook(tmp_path / "empty.ipynb", "print(1)"))

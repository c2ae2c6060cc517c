"""What a notebook can be told, read from its file: without papermill, which takes seconds to load."""

import ast
import json
from pathlib import Path


def declared(notebook: Path) -> list[str]:
    """Names that the notebook's `parameters` cell assigns. Raises ValueError if there is no such file, cell or name."""
    if not notebook.is_file():
        raise ValueError(f"there is no notebook {notebook}")
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{notebook} is not a notebook: open it in JupyterLab and save it again") from None
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    names = _assigned("".join(tagged[0]["source"]), notebook) if tagged else []  # papermill injects after the first
    if not names:
        raise ValueError(f"{notebook} declares no parameters: tag the cell that holds them with `parameters`")
    return names


def _assigned(source: str, notebook: Path) -> list[str]:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ValueError(f"{notebook}: its parameters cell is not Python: line {error.lineno}: {error.msg}") from None
    targets = [t for s in statements if isinstance(s, ast.Assign) for t in s.targets]
    annotated = [s.target for s in statements if isinstance(s, ast.AnnAssign) and s.value is not None]
    found = sorted((*targets, *annotated), key=lambda target: target.lineno)
    return list(dict.fromkeys(target.id for target in found if isinstance(target, ast.Name)))

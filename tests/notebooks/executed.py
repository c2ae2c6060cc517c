"""A notebook executed by papermill, and what is in it."""

import base64
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def papermill(name: str, folder: Path, *parameters: str) -> nbformat.NotebookNode:
    """Runs the notebook as the README says one can, and returns the executed one. Fails with papermill's own words."""
    out = folder / name
    command = [sys.executable, "-m", "papermill", str(NOTEBOOKS / name), str(out), "--kernel", "python3"]
    command += ["-p", "profile", "smoke", "-p", "store", str(folder / "runs"), *parameters]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return nbformat.read(out, 4)


def outputs(notebook: nbformat.NotebookNode, cell: str) -> list:
    (found,) = [c for c in notebook.cells if c.id == cell]
    return found.outputs


def figure(notebook: nbformat.NotebookNode, cell: str) -> dict:
    (output,) = [o for o in outputs(notebook, cell) if "application/vnd.plotly.v1+json" in o.get("data", {})]
    return output["data"]["application/vnd.plotly.v1+json"]


def numbers(values: list | dict | None) -> list:
    """A trace's values, which plotly stores as a list or as base64 with a numpy dtype."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()
    return list(values or [])

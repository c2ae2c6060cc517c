"""One notebook through papermill: parameters, this Python's kernel, errors, starts that fail, signals."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import nbformat
import pytest

from reslab.batch import notebook
from reslab.batch.notebook import Interrupted, NotebookFailed, check_parameters, declared, execute

from .batch_fixtures import TRAIN_PARAMETERS, output, write_notebook
from .processes import wait_until

WAITS = """\
import pathlib, time
try:
    pathlib.Path(folder, "begun").touch()
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path(folder, "checkpoint").touch()
    raise
"""


def test_declared_parameters_and_misspelt_ones(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", TRAIN_PARAMETERS)
    assert declared(path) == ["depth", "shortcut", "profile", "seed", "store", "data", "settings"]
    check_parameters(path, ["depth", "settings"])
    with pytest.raises(ValueError, match=r"'dpeth' is not a parameter of a.ipynb; did you mean 'depth'"):
        execute(path, tmp_path / "out.ipynb", {"dpeth": 20})
    assert not (tmp_path / "out.ipynb").exists()
    with pytest.raises(ValueError, match="declares no parameters"):
        declared(write_notebook(tmp_path / "b.ipynb", "# nothing"))
    with pytest.raises(ValueError, match="no notebook"):
        declared(tmp_path / "c.ipynb")


def test_runs_in_this_python_and_folder_whatever_python3_is_registered(tmp_path, monkeypatch):
    kernel = tmp_path / "jupyter/kernels/python3"
    kernel.mkdir(parents=True)
    spec = dict(argv=["/bin/false", "{connection_file}"], display_name="another", language="python")
    (kernel / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.setenv("JPY_SESSION_NAME", "the notebook that calls us")
    cell = "import os, sys; print(sys.executable, os.getcwd(), 'JPY_SESSION_NAME' in os.environ, x)"
    path, out = write_notebook(tmp_path / "a.ipynb", "x: dict = {}", cell), tmp_path / "out{x}.ipynb"
    monkeypatch.chdir(tmp_path)
    execute(path, out, {"x": {"lr_drops": [6, 9]}})
    assert output(out) == f"{sys.executable} {tmp_path} False {{'lr_drops': [6, 9]}}\n"


def test_an_error_is_raised_and_kept_in_the_notebook(tmp_path):
    path, out = write_notebook(tmp_path / "a.ipynb", "x: int = 1", "1 / 0", "print('on')"), tmp_path / "out.ipynb"
    with pytest.raises(NotebookFailed, match="ZeroDivisionError: division by zero"):
        execute(path, out, {})
    assert "ZeroDivisionError" in out.read_text() and output(out) == ""


def test_a_kernel_that_dies_is_a_failure_with_a_reason(tmp_path, capfd):
    path = write_notebook(tmp_path / "a.ipynb", "x: int = 1", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(NotebookFailed, match="the kernel died"):
        execute(path, tmp_path / "out.ipynb", {})
    capfd.readouterr()


@pytest.mark.parametrize("bad_starts", [1, notebook.STARTS])
def test_a_kernel_that_does_not_start_is_started_again(tmp_path, monkeypatch, bad_starts):
    starts = []
    enter = notebook._Stop.__enter__

    class Spec(notebook.KernelSpec):
        """The first kernels end at once, as after a collision of ports."""

        def __init__(self, **options):
            if len(starts) <= bad_starts:
                options["argv"] = [sys.executable, "-c", "pass", "{connection_file}"]
            super().__init__(**options)

    def counted(stop):
        starts.append(1)
        return enter(stop)

    monkeypatch.setattr(notebook, "KernelSpec", Spec)
    monkeypatch.setattr(notebook._Stop, "__enter__", counted)
    path, out = write_notebook(tmp_path / "a.ipynb", "x: int = 1", "print(x)"), tmp_path / "out.ipynb"
    if bad_starts < notebook.STARTS:
        execute(path, out, {"x": 5})
        assert output(out) == "5\n" and len(starts) == 2
    else:
        with pytest.raises(NotebookFailed, match="the kernel died"):
            execute(path, out, {})
        assert len(starts) == notebook.STARTS


def test_a_signal_interrupts_the_kernel_and_waits_for_it(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", "folder: str = ''", WAITS, "print('on')")

    def send():
        wait_until((tmp_path / "begun").exists)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=send).start()
    with pytest.raises(Interrupted) as stopped:
        execute(path, tmp_path / "out.ipynb", {"folder": str(tmp_path)})
    assert stopped.value.signal == signal.SIGTERM
    assert (tmp_path / "checkpoint").exists() and output(tmp_path / "out.ipynb") == ""
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_signal_before_the_first_cell_begins_stops_it_too(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", "folder: str = ''", WAITS)
    command = [sys.executable, "-m", "reslab.batch.notebook", str(path), str(tmp_path / "out.ipynb")]
    command, environment = [*command, json.dumps({"folder": str(tmp_path)})], os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as process:
        wait_until(lambda: list(tmp_path.glob("reslab-*/*.ipynb")))  # papermill is there, its kernel is not
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 128 + signal.SIGINT
    assert not (tmp_path / "begun").exists() and not list(tmp_path.glob("reslab-*"))
    assert not (tmp_path / "out.ipynb").exists()  # it will be executed again


def test_a_notebook_whose_run_is_another_s_is_not_put_in_its_place(tmp_path, capsys):
    raises = "class RunBusy(Exception): pass\nraise RunBusy('process 5 has it')"
    path, out = write_notebook(tmp_path / "a.ipynb", "x: int = 1", raises), tmp_path / "out.ipynb"
    out.write_text("of the other")
    with pytest.raises(SystemExit) as ended:
        notebook.main(str(path), str(out), "{}")
    assert ended.value.code == notebook.BUSY and out.read_text() == "of the other"
    assert capsys.readouterr().err == "RunBusy: process 5 has it\n"


def test_a_store_that_went_away_is_no_fault_of_the_notebook(tmp_path):
    raises = "class StoreUnreachable(OSError): pass\nraise StoreUnreachable('no answer')"
    path = write_notebook(tmp_path / "a.ipynb", "x: int = 1", raises)
    with pytest.raises(notebook.TryAgain, match="no answer"):
        execute(path, tmp_path / "out.ipynb", {})


def test_a_dead_kernel_has_an_exit_code_of_its_own_and_its_notebook_is_kept_beside_until_a_whole_one_comes(
    tmp_path, capfd
):
    path = write_notebook(tmp_path / "a.ipynb", "x: int = 1", "print('on')", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(SystemExit) as ended:
        notebook.main(str(path), str(tmp_path / "out.ipynb"), "{}")
    assert ended.value.code == notebook.DIED and "the kernel died" in capfd.readouterr().err
    assert not (tmp_path / "out.ipynb").exists()
    *_, printed, died = nbformat.read(tmp_path / "out.failed.ipynb", 4).cells
    assert printed.outputs[0].text == "on\n" and died.outputs[0].evalue == "the kernel died"
    write_notebook(path, "x: int = 1", "print('on')")
    notebook.main(str(path), str(tmp_path / "out.ipynb"), "{}")
    assert output(tmp_path / "out.ipynb") == "on\n" and not (tmp_path / "out.failed.ipynb").exists()

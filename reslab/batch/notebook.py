"""One notebook through papermill: refused if it cannot take its parameters, stopped so that training keeps its work."""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import nbformat
import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbformat import v4
from papermill.exceptions import PapermillExecutionError

from ..files import Place, place, remove, write_atomically
from ..names import check_names
from ..runs import Run
from ..training.patience import Patience
from .jobs import BUSY, DIED, Interrupted, failed_name
from .parameters import declared

ORPHAN = 0.5  # seconds between looks whether the process that started this one still lives
STARTS = 3  # a kernel that dies before its first cell (two of them picked one port, say) is started again


class NotebookFailed(Exception):
    """A cell raised; the message says what. The notebook holds the whole story."""


class TryAgain(NotebookFailed):
    """The kernel is gone (killed, out of memory), or the store was: the same notebook may well succeed next time."""


class RunTaken(NotebookFailed):
    """Another process trains the notebook's run (a cell raised RunBusy or OwnershipLost): its notebook is the run's."""


# By what a cell raised. 143 is how train() ends at SIGTERM: somebody short of memory sent it to the kernel alone.
KINDS = {
    ("RunBusy", None): RunTaken,
    ("OwnershipLost", None): RunTaken,
    ("StoreUnreachable", None): TryAgain,
    ("SystemExit", "143"): TryAgain,
}


def check_parameters(notebook: Path, names: Iterable[str]) -> None:
    """Raises ValueError, naming the closest one, for a name the notebook does not declare.

    papermill would only warn, and run it with the default.
    """
    check_names(names, declared(notebook), notebook.name)


def execute(notebook: Path, out: Path, parameters: dict[str, Any]) -> None:
    """Runs `notebook` with `parameters` in a kernel of this very Python and in this working directory.

    `out` is saved after every cell. SIGINT and SIGTERM interrupt the kernel, wait for it, and raise Interrupted. Raises
    ValueError before anything runs for a parameter that is not declared, and NotebookFailed for a cell that raises
    (RunTaken if it is about who trains, TryAgain if the store was away) or, as TryAgain, for a kernel that is gone;
    `out` then holds the error, as far as it went.
    """
    check_parameters(notebook, parameters)
    for start in range(1, STARTS + 1):
        with _Stop() as stop:
            try:
                papermill.execute_notebook(
                    _plain(notebook),
                    _plain(out),
                    parameters,
                    kernel_name="python3",
                    language="python",
                    progress_bar=False,
                    kernel_manager_class=_kernel_class(stop),
                    on_cell_start=stop.before_cell,
                    shutdown_kernel="immediate",  # after the last cell there is nothing to wait for
                )
                return
            except PapermillExecutionError as error:
                if stop.signal is not None or error.ename == "KeyboardInterrupt":
                    raise Interrupted(stop.signal or signal.SIGINT) from None
                kind = KINDS.get((error.ename, None)) or KINDS.get((error.ename, error.evalue), NotebookFailed)
                raise kind(f"{error.ename}: {error.evalue}") from None
            except RuntimeError as error:  # nbclient's and jupyter_client's, for a kernel that is gone
                if stop.signal is not None:
                    raise Interrupted(stop.signal) from None
                if stop.begun or start == STARTS:
                    _note_death(out)
                    raise TryAgain(f"the kernel died: {error}; was there enough memory?") from None


def _note_death(notebook: Path) -> None:
    """Puts into the cell that was running what papermill leaves out: that its kernel died."""
    if not notebook.exists():
        return
    document = nbformat.read(notebook, as_version=4)
    begun = [c for c in document.cells if c.cell_type == "code" and c.metadata.get("papermill", {}).get("start_time")]
    if begun:  # papermill calls the last of them completed
        begun[-1].outputs.append(v4.new_output("error", ename="DeadKernel", evalue="the kernel died", traceback=[]))
        nbformat.write(document, notebook)


def _plain(path: Path) -> str:
    """papermill takes braces in a path for the names of parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


class _Stop:
    """Context manager: SIGINT and SIGTERM reach the kernel as an interrupt, and no cell begins after them.

    Each further signal interrupts again, since a kernel between two cells ignores one.
    """

    def __init__(self):
        self.signal: int | None = None
        self.begun = False
        self.kernel: AsyncKernelManager | None = None
        self._before: dict[int, Callable | int | None] = {}

    def __enter__(self) -> "_Stop":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_exception) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _pass_on(self, number: int, _frame) -> None:
        self.signal = number
        provisioner = self.kernel.provisioner if self.kernel else None
        if provisioner is not None and provisioner.has_process:
            os.kill(provisioner.pid, signal.SIGINT)

    def before_cell(self, cell, cell_index: int) -> None:
        if self.signal is not None:
            raise Interrupted(self.signal)
        self.begun = True


def _kernel_class(stop: _Stop) -> type[AsyncKernelManager]:
    class ThisPython(AsyncKernelManager):
        """A kernel of sys.executable, whatever the user has registered as python3."""

        def __init__(self, **options):
            super().__init__(**options)
            if self.has_trait("transport_encryption"):  # newer ipykernels warn in every notebook if it is off
                self.transport_encryption = "auto"
            stop.kernel = self

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(**get_kernel_dict())

        async def start_kernel(self, **options) -> None:
            # Inherited from a notebook that called us, it would tell the kernel that a front end is there.
            environment = {k: v for k, v in os.environ.items() if k != "JPY_SESSION_NAME"}
            await super().start_kernel(**options, env=environment)

    return ThisPython


def publish(notebook: Path, out: str, parameters: dict[str, Any]) -> None:
    """`execute` in a scratch folder, then the executed notebook put at `out`, a path or URL: there is never a part of
    one. One with an error in it goes beside it, as `failed_name` says, until a whole one comes; one that was stopped,
    or whose run is another's, nowhere: it will be executed again.
    """
    with tempfile.TemporaryDirectory(prefix="reslab-") as folder:
        scratch = Path(folder) / Path(notebook).name
        try:
            execute(notebook, scratch, parameters)
        except (RunTaken, Interrupted):
            raise
        except NotebookFailed:
            if scratch.exists():
                _put(scratch, failed_name(place(out)))
            raise
        _put(scratch, place(out))
        Patience(out)(lambda: remove(failed_name(place(out))))


def _put(notebook: Path, target: Place) -> None:
    if isinstance(target, Path):
        target.parent.mkdir(parents=True, exist_ok=True)
    Patience(str(target))(lambda: write_atomically(target, notebook.read_bytes()))


def _stop_as_an_orphan(parent: int, out: str) -> None:
    """Interrupts this process when `parent`, which started it, has died: nobody waits for it any more, and the next one
    to type the command takes the checkpoint. A run that is done gets its notebook all the same.
    """
    while os.getppid() == parent:
        time.sleep(ORPHAN)
    while not _done(Run(place(out).parent)):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10 * ORPHAN)  # a kernel between two cells ignores one


def _done(run: Run) -> bool:
    try:
        return run.state == "done"
    except OSError:  # the store is away
        return False


def main(notebook: str, out: str, parameters: str, parent: str | None = None) -> None:
    """A sentence on stderr and an exit code, for the process that started this one (its pid is `parent`)."""
    if parent:
        threading.Thread(target=_stop_as_an_orphan, args=(int(parent), out), daemon=True).start()
    try:
        publish(Path(notebook), out, json.loads(parameters))
    except (Interrupted, KeyboardInterrupt) as stopped:
        sys.exit(128 + (stopped.signal if isinstance(stopped, Interrupted) else signal.SIGINT))
    except (TryAgain, RunTaken) as error:
        print(error, file=sys.stderr)
        sys.exit(DIED if isinstance(error, TryAgain) else BUSY)
    except (NotebookFailed, ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":  # python -m reslab.batch.notebook NOTEBOOK OUT PARAMETERS [PARENT], PARAMETERS in JSON
    main(*sys.argv[1:])

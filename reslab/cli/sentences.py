"""How a command ends: what a user can cause is one sentence on stderr and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

GOES_ON = "Stopped; the same command goes on from the last checkpoint."


@contextmanager
def sentences(stopped: str = GOES_ON, quiet: bool = False) -> Iterator[None]:
    """What a user can cause ends in one sentence and an exit code: 2 for what was asked, 1 for what happened. With
    `quiet` another process says the sentence.
    """
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except ValueError as error:
        end(error, 2, quiet)
    except (OSError, MemoryError) as error:
        end(error, 1, quiet)
    except KeyboardInterrupt:
        end(stopped, 130, quiet)
    except Exception as error:
        # Imported here: they bring torch along, which whoever raised one of them has loaded anyway.
        from ..bench.contestants import BaselineFailed
        from ..data import DataError
        from ..training.loop import RunFailed
        from ..training.owner import OwnershipLost, RunBusy
        from ..training.processes import ProcessLost

        if isinstance(error, DataError):
            end(error, 2, quiet)
        if isinstance(error, RunBusy | RunFailed | OwnershipLost | ProcessLost | BaselineFailed):
            end(error, 1, quiet)
        raise


def end(message: object, code: int, quiet: bool = False) -> NoReturn:
    """Says `message` on stderr, unless `quiet`, and ends the command with this exit code."""
    if not quiet:
        print(message, file=sys.stderr)
    raise typer.Exit(code)

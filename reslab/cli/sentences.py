"""How a command ends: what a user can cause is one sentence on stderr and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

GOES_ON = "Stopped; the same command goes on from the last checkpoint."


@contextmanager
def sentences(stopped: str = GOES_ON) -> Iterator[None]:
    """What a user can cause ends in one sentence and an exit code: 2 for what was asked, 1 for what happened."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except ValueError as error:
        end(error, 2)
    except (OSError, MemoryError) as error:
        end(error, 1)
    except KeyboardInterrupt:
        end(stopped, 130)
    except Exception as error:
        # Imported here: they bring torch along, which whoever raised one of them has loaded anyway.
        from ..bench.contestants import BaselineFailed
        from ..data import DataError
        from ..training.loop import RunFailed
        from ..training.owner import OwnershipLost, RunBusy

        if isinstance(error, DataError):
            end(error, 2)
        if isinstance(error, RunBusy | RunFailed | OwnershipLost | BaselineFailed):
            end(error, 1)
        raise


def end(message: object, code: int) -> NoReturn:
    """Says `message` on stderr and ends the command with this exit code."""
    print(message, file=sys.stderr)
    raise typer.Exit(code)

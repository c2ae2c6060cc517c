"""The hold on a run while train() trains it: had when nobody else has it, let go with a word on how it ended."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..runs import Run
from .hold import OwnershipLost, RunBusy, RunDone
from .owner import Follower, Owner
from .patience import Patience
from .processes import Processes, ProcessLost

POLL, REMOTE_POLL = 1.0, 5.0  # seconds between looks at a run that another process trains, in a folder and on a URL

Tell = Callable[[str, int], None]  # of a note, and the iteration that the run is at


def claim(run: Run, patience: Patience, tell: Tell, wait: bool, processes: Processes) -> Owner | Follower | None:
    """The hold on a run, as soon as no one else has it, for the first of `processes`; None if there is nothing left to
    train.

    Raises RunBusy if another process has it and `wait` is False.
    """
    owner: Owner | Follower | None = Follower()

    def claim_it() -> bool:
        nonlocal owner
        owner = _owner(run, patience, tell, wait)
        return owner is not None

    return owner if processes.lead(claim_it) else None


def _owner(run: Run, patience: Patience, tell: Tell, wait: bool) -> Owner | None:
    while patience(lambda: run.state, "read") != "done":
        try:
            return Owner(run, patience)
        except RunDone:
            break
        except RunBusy as busy:
            if not wait:
                raise
            tell(f"waiting: {busy}", patience(lambda: run.status, "read").get("iteration", 0))
            time.sleep(POLL if isinstance(run.path, Path) else REMOTE_POLL)
    return None


@contextmanager
def released(owner: Owner | Follower, processes: Processes) -> Iterator[None]:
    """Writes into the run's status how its sitting ended, whatever ended it."""
    try:
        yield
    except (OwnershipLost, ProcessLost):
        owner.release("interrupted")
        raise
    except Exception as error:
        owner.release("failed", dict(kind=type(error).__name__, message=str(error)))
        raise
    except BaseException:
        owner.release("interrupted")
        raise
    processes.lead(lambda: owner.release("done"))

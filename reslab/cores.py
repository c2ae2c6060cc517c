"""The CPU cores of this machine, and who shares them."""

import os

RUNS_AT_ONCE = "RESLAB_RUNS_AT_ONCE"  # tells the processes of a study how many runs share the machine with them


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

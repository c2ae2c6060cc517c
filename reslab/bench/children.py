"""Fresh Python processes that are measured, or that measure themselves."""

import subprocess
import sys
import time


def python_says(*arguments: str) -> str:
    """The last line that a fresh Python printed. Raises OSError if it failed."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise OSError(f"a process that was to be measured failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return (done.stdout.strip().splitlines() or [""])[-1]


def python_takes(*arguments: str) -> float:
    """Seconds from the start of a fresh Python to its end. Raises OSError if it failed."""
    start = time.perf_counter()
    python_says(*arguments)
    return time.perf_counter() - start

"""What a run's status.json tells: its state, and whether its owner is alive."""

import socket
import time
from typing import Any

import psutil

STATES = ("new", "running", "interrupted", "failed", "done")
SILENT = 60.0  # seconds without a heartbeat after which an owner counts as gone


def alive(status: dict[str, Any]) -> bool:
    """Whether the owner in a run's status still trains: heard of lately and, on this machine, the same live process."""
    if status["state"] != "running" or time.time() - status["heartbeat"] > SILENT:
        return False
    if status["host"] != socket.gethostname():
        return True
    try:
        process = psutil.Process(status["pid"])
        same = abs(process.create_time() - status["process_started"]) < 1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def told_state(status: dict[str, Any]) -> str:
    """The state that a status.json tells, if its owner still lives. Raises ValueError if it is not an owner's."""
    try:
        return "interrupted" if status["state"] == "running" and not alive(status) else status["state"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"status.json cannot be understood: {error!r}") from None

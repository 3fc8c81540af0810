"""Processor time of processes."""

from __future__ import annotations

import os
from contextlib import suppress

import psutil


def cpu_seconds(pid: int | None) -> float:
    """Return the processor time of a process and, unless it is this one, of its children, also of those that ended."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    total: float = times.user + times.system
    if pid == os.getpid():
        return total
    total += times.children_user + times.children_system
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            total += times.user + times.system
    return total

"""A process for each run of tests: forked from a parent that holds the libraries, but nothing of the product.

In it, the given modules are imported from code objects, so that a mutant never touches the disk.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

# The exit code of a process whose work raised. pytest's own codes are lower.
CRASHED = 70
# A mutant that appends without end gets a MemoryError before it takes the machine's memory.
_MOST_MEMORY = 4 * 1024**3
# Seconds between two polls that count at most.
_LONGEST_STEP = 1.0


class Substitutes(importlib.abc.MetaPathFinder):
    """Imports modules from the given code. `watch` is called with the code of each module before it runs."""

    def __init__(
        self, modules: dict[str, tuple[Path, CodeType]], watch: Callable[[CodeType], None] | None = None
    ) -> None:
        self._modules = modules
        self._watch = watch

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._modules:
            return None
        file, code = self._modules[fullname]
        return importlib.util.spec_from_file_location(
            fullname, file, loader=_FromCode(fullname, str(file), code, self._watch)
        )


class _FromCode(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, code: CodeType, watch: Callable[[CodeType], None] | None) -> None:
        super().__init__(name, path)
        self._code = code
        self._watch = watch

    def get_code(self, fullname: str) -> CodeType:
        if self._watch:
            self._watch(self._code)
        return self._code


class Limits(NamedTuple):
    """Seconds of processor and of wall-clock time that a run may take."""

    processor: int
    wall: float


class Running:
    """A process that runs tests, with the wall-clock time that it has left."""

    def __init__(self, process: int, seconds: float) -> None:
        self._process = process
        self._left = seconds
        self._polled = time.monotonic()

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs. Ends it when its time is up."""
        now = time.monotonic()
        # A machine that was suspended, or a stopped parent, must not end it.
        self._left -= min(now - self._polled, _LONGEST_STEP)
        self._polled = now
        if self._left < 0:
            self.end()
        process, status = os.waitpid(self._process, os.WNOHANG)
        if not process:
            return None
        # Servers that its tests started end with it.
        self.end()
        return os.waitstatus_to_exitcode(status)

    def end(self) -> None:
        """Kill it and the processes that it started."""
        try:
            os.killpg(self._process, signal.SIGKILL)
        except ProcessLookupError:
            return


def start(work: Callable[[], int], limits: Limits, output: Path | None = None) -> Running:
    """Fork a process that does the work and exits with its result; `output` is where it prints."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return Running(process, limits.wall)
    code = CRASHED
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (limits.processor, limits.processor + 5))
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for descriptor, file in ((0, os.devnull), (1, output or os.devnull), (2, output or os.devnull)):
            opened = os.open(file, os.O_RDWR | (os.O_CREAT | os.O_APPEND if descriptor else 0), 0o600)
            os.dup2(opened, descriptor)
            os.close(opened)
        code = work()
    except BaseException:  # noqa: BLE001 - nothing may leave a forked process but its exit code
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        sys.stdout.flush()
        os._exit(code)


def wait(running: Running) -> int:
    """Wait for the process to end; returns its exit code."""
    while (code := running.poll()) is None:
        time.sleep(0.02)
    return code


def hold_libraries(names: Sequence[str]) -> None:
    """Import what every run needs, once, before the forks."""
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001, S112 - then each run imports it for itself
            continue

"""Fail a run that leaves processes behind (`make test`): `pytest -p tests.plugins.leftovers`.

Each process inherits a variable that names the run, unless a test starts it with an empty environment.
"""

from __future__ import annotations

import os
import time
import uuid

import psutil
import pytest

VARIABLE = "TENANTGATE_TEST_RUN"
# Seconds. A stopped server may need a moment to end.
GRACE = 3.0


def processes_of(run: str, *, without: frozenset[int]) -> list[psutil.Process]:
    """Return the running processes that inherited this name of a run, except those in `without`."""
    return [process for process in psutil.process_iter() if process.pid not in without and _belongs(process, run)]


def _belongs(process: psutil.Process, run: str) -> bool:
    try:
        return process.environ().get(VARIABLE) == run and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


class Controller:
    """Looks for processes when the tests and the workers have ended."""

    def __init__(self) -> None:
        # A run inside a test has its own name, and checks its own processes.
        self._run = os.environ[VARIABLE] = uuid.uuid4().hex
        self._left: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        own = frozenset({os.getpid()})
        deadline = time.monotonic() + GRACE
        while (left := processes_of(self._run, without=own)) and time.monotonic() < deadline:
            time.sleep(0.1)
        self._left = [_shown(process) for process in left]
        if self._left and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._left:
            return
        terminalreporter.section("processes left by the tests", red=True)
        for line in self._left:
            terminalreporter.line(line, red=True)


def _shown(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return f"{process.pid} (ended since)"


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(Controller())

"""The lines of the targets that each test reaches: recorded in one run of all tests, before the mutants."""

from __future__ import annotations

import inspect
import sys
import time
from collections import defaultdict
from collections.abc import Generator
from types import CodeType

import pytest

# Not the number of coverage.py, which may run at the same time.
_TOOL = 3


class Reach:
    """A pytest plugin that records, for each test, the lines of the watched code that it runs, and its time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []
        self._lines: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._running = ""
        sys.monitoring.use_tool_id(_TOOL, "mutation")
        sys.monitoring.register_callback(_TOOL, sys.monitoring.events.LINE, self._line)

    def watch(self, code: CodeType) -> None:
        """Record the lines of this code, and of the functions in it, from now on."""
        sys.monitoring.set_local_events(_TOOL, code, sys.monitoring.events.LINE)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self.watch(constant)

    def lines(self) -> dict[tuple[str, int], set[str]]:
        """Return the tests by file and line; the empty name is for lines that an import runs."""
        return dict(self._lines)

    def _line(self, code: CodeType, line: int) -> object:
        # The bodies of modules and classes run once, at the import, and every test depends on them.
        self._lines[code.co_filename, line].add(self._running if code.co_flags & inspect.CO_OPTIMIZED else "")
        # Until the next test begins, one record of a line is enough.
        return sys.monitoring.DISABLE

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._running = item.nodeid
        sys.monitoring.restart_events()
        started = time.perf_counter()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.perf_counter() - started
            self._running = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


class Chosen:
    """A pytest plugin that runs only the chosen tests, and notes which failed first."""

    def __init__(self, chosen: set[str] | None, left_out: tuple[str, ...] = ()) -> None:
        self._chosen = chosen
        self._left_out = left_out
        self.killer = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [
            item
            for item in items
            if (self._chosen is None or item.nodeid in self._chosen)
            and not any(part in item.nodeid for part in self._left_out)
        ]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.killer:
            self.killer = report.nodeid

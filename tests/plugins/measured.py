"""Branch coverage of a whole run, and the floor of each package (`make test`): `pytest -p tests.plugins.measured`.

Each worker measures what it runs itself; processes that tests start are not measured. At the end the controller prints
a table and fails the run if a package is below its floor (`[tool.tenantgate.coverage-floors]` in pyproject.toml).
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import coverage
import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = ROOT / "pyproject.toml"
_WORKER = os.environ.get("PYTEST_XDIST_WORKER")


@dataclass(frozen=True, slots=True)
class Share:
    """A number of statements or branches, and how many of them ran."""

    covered: int = 0
    total: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.covered + other.covered, self.total + other.total)

    @property
    def percent(self) -> float:
        return 100 * self.covered / self.total if self.total else 100.0


@dataclass(frozen=True, slots=True)
class Row:
    """One package: its statements, its branches, and the least percentage that both must reach."""

    package: str
    statements: Share
    branches: Share
    floor: float

    @property
    def is_below(self) -> bool:
        return min(self.statements.percent, self.branches.percent) < self.floor


def package_of(path: str) -> str:
    """The package that a module counts towards: `layers/shared/tenantgate/tokens/jws.py` → `tokens`."""
    inside = path.removeprefix("layers/shared/tenantgate/").removeprefix("cli/")
    return inside.partition("/")[0] if "/" in inside else "tenantgate"


def rows_of(report: Mapping[str, Any], floors: Mapping[str, float]) -> list[Row]:
    """The table, from coverage.py's JSON report. A package without a floor must reach 100 %."""
    statements: dict[str, Share] = {}
    branches: dict[str, Share] = {}
    for path, file in report["files"].items():
        package, summary = package_of(path), file["summary"]
        statements[package] = statements.get(package, Share()) + Share(
            summary["covered_lines"], summary["num_statements"]
        )
        branches[package] = branches.get(package, Share()) + Share(summary["covered_branches"], summary["num_branches"])
    return [
        Row(package, statements[package], branches[package], floors.get(package, 100.0))
        for package in sorted(statements)
    ]


def floors() -> dict[str, float]:
    found: dict[str, float] = tomllib.loads(PYPROJECT.read_text("utf-8"))["tool"]["tenantgate"]["coverage-floors"]
    return found


class Worker:
    """Measures everything that this process runs, except tests marked `timed` or `unmeasured`."""

    def __init__(self) -> None:
        self._coverage = coverage.Coverage(config_file=str(PYPROJECT), data_suffix=_WORKER or "main")
        self._coverage.start()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if not any(item.get_closest_marker(mark) for mark in ("timed", "unmeasured")):
            return (yield)
        self._coverage.stop()
        try:
            return (yield)
        finally:
            self._coverage.start()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        self._coverage.save()


class Controller:
    """Puts together what the workers measured."""

    def __init__(self) -> None:
        self._coverage = coverage.Coverage(config_file=str(PYPROJECT))
        self._coverage.erase()
        self._rows: list[Row] = []

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return
        self._coverage.combine()
        self._coverage.save()
        with TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            self._coverage.json_report(outfile=str(report))
            self._rows = rows_of(json.loads(report.read_text("utf-8")), floors())
        if session.exitstatus == pytest.ExitCode.OK and any(row.is_below for row in self._rows):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._rows:
            return
        terminalreporter.section("coverage")
        terminalreporter.line(f"{'package':<16} {'statements':>18} {'branches':>18} {'floor':>7}")
        for row in self._rows:
            columns = (f"{share.total:>9,} {share.percent:6.1f} %" for share in (row.statements, row.branches))
            below = "  below" if row.is_below else ""
            terminalreporter.line(f"{row.package:<16} {' '.join(columns)} {row.floor:>5} %{below}", red=row.is_below)


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    # Before the first conftest.py: what it imports is measured, too.
    plugins = early_config.pluginmanager
    distributed = bool(early_config.known_args_namespace.numprocesses)
    # The controller is registered last, so that its hook runs after the worker's in the same process.
    if _WORKER or not distributed:
        plugins.register(Worker())
    if not _WORKER:
        plugins.register(Controller())

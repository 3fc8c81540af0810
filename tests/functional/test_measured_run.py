"""A run with coverage fails when a package is below its floor, in one process and with workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DISTRIBUTED = ["-n", "2", "--dist", "loadgroup", "-p", "tests.plugins.distribution"]


@pytest.mark.parametrize(
    "options", [pytest.param(["-n", "0"], id="one-process"), pytest.param(DISTRIBUTED, id="workers")]
)
def test_a_run_whose_tests_pass_fails_below_a_floor(options: list[str], tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COVERAGE_"))}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "tests.plugins.measured", "tests/unit/test_urls.py"],
        cwd=ROOT,
        env={**environment, "COVERAGE_FILE": str(tmp_path / "coverage")},
        capture_output=True,
        text=True,
        check=False,
    )

    table = {line.split()[0]: line for line in run.stdout.partition(" coverage ")[2].splitlines() if line.strip()}
    assert run.returncode == 1, run.stdout + run.stderr
    assert " passed" in run.stdout
    assert " failed" not in run.stdout
    # The tests run the module that they test, and nothing of the sessions.
    assert table["sessions"].endswith("below")
    assert " 0.0 %" not in table["tenantgate"]
    assert list(tmp_path.iterdir()) == [tmp_path / "coverage"]

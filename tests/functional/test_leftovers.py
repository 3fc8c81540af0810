"""A run whose tests pass fails if they leave a process, in one process and with workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAVING = """
import subprocess, sys

def test_that_leaves_a_process():
    left = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    with open("left.pid", "w") as file:
        file.write(str(left.pid))
    left.returncode = 0
"""
TIDY = """
import subprocess, sys

def test_that_waits_for_its_process():
    subprocess.run([sys.executable, "-c", ""], check=True)
"""


def run(folder: Path, source: str, options: list[str]) -> subprocess.CompletedProcess[str]:
    (folder / "test_one.py").write_text(source)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COVERAGE_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--rootdir", str(folder), "-p", "tests.plugins.leftovers", *options, "."],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("options", [pytest.param([], id="one-process"), pytest.param(["-n", "1"], id="workers")])
def test_a_run_that_leaves_a_process_fails_and_names_it(options: list[str], tmp_path: Path) -> None:
    ended = run(tmp_path, LEAVING, options)
    pid = int((tmp_path / "left.pid").read_text())
    os.kill(pid, signal.SIGKILL)

    assert "1 passed" in ended.stdout
    assert ended.returncode == 1, ended.stdout
    heading, _, named = ended.stdout.partition("processes left by the tests")
    assert heading
    assert f"{pid} {sys.executable} -c import time; time.sleep(60)" in named


def test_a_run_that_leaves_nothing_passes(tmp_path: Path) -> None:
    ended = run(tmp_path, TIDY, [])

    assert ended.returncode == 0, ended.stdout
    assert "processes left" not in ended.stdout

"""Mutants of a small module, judged by its tests in separate processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = '''
"""A module."""

LIMIT = 10


def is_small(number):
    return number < LIMIT


def first(items):
    for item in items:
        if item:
            break
    return item


def count_down(number):
    while number > 0:
        number -= 1
    return number
'''
TESTS = """
import sample


def test_small_numbers():
    assert sample.is_small(9)
    assert not sample.is_small(11)


def test_the_first():
    assert sample.first([0, 1, 2]) == 1


def test_counting_down_ends():
    assert sample.count_down(3) == 0
"""
SCRIPT = """
import json, sys
from pathlib import Path
from mutation.judge import judge, learn
from mutation.mutants import mutants_of

root = Path(sys.argv[1])
known = learn({"sample": root / "sample.py"}, ("test_sample.py",), root=root)
asked = ("LIMIT", "break", "number -= 1 →")
mutants = mutants_of("sample", root / "sample.py")
chosen = [mutant for mutant in mutants if any(text in str(mutant.key) for text in asked)]
verdicts = judge(chosen, known, patience=1, root=root)
print(json.dumps([[str(verdict.mutant.key), verdict.killed, verdict.killer] for verdict in verdicts]))
"""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bool, str]]:
    ran = run(tmp_path_factory.mktemp("sample"), TESTS)
    assert ran.returncode == 0, ran.stderr
    return {key: (killed, killer) for key, killed, killer in json.loads(ran.stdout)}


def test_what_a_test_notices_is_killed(verdicts: dict[str, tuple[bool, str]]) -> None:
    small, first = "test_sample.py::test_small_numbers", "test_sample.py::test_the_first"
    assert verdicts["sample is_small: return number < LIMIT → return number >= LIMIT"] == (True, small)
    assert verdicts["sample is_small: return number < LIMIT → return None"] == (True, small)
    assert verdicts["sample first: break → pass"] == (True, first)


def test_what_no_test_asks_about_survives(verdicts: dict[str, tuple[bool, str]]) -> None:
    # No test asks about 10 itself.
    assert verdicts["sample is_small: return number < LIMIT → return number <= LIMIT"] == (False, "")
    assert verdicts["sample <module>: LIMIT = 10 → LIMIT = 11"] == (False, "")


def test_a_mutant_that_never_ends_is_killed_by_the_time_it_takes(verdicts: dict[str, tuple[bool, str]]) -> None:
    assert verdicts["sample count_down: number -= 1 → number += 1"] == (True, "time")


def test_tests_that_fail_on_unchanged_code_stop_the_run(tmp_path: Path) -> None:
    ran = run(tmp_path, TESTS + "\n\ndef test_wrong():\n    assert sample.is_small(12)\n")
    assert ran.returncode != 0
    assert "the tests fail without any mutant" in ran.stderr
    assert "test_wrong" in ran.stderr


def run(root: Path, tests: str) -> subprocess.CompletedProcess[str]:
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['.']\n", encoding="utf-8")
    (root / "sample.py").write_text(SAMPLE, encoding="utf-8")
    (root / "test_sample.py").write_text(tests, encoding="utf-8")
    return subprocess.run([sys.executable, "-c", SCRIPT, str(root)], capture_output=True, text=True, check=False)

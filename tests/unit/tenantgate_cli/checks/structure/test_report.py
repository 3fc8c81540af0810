"""The structure check: nothing is missing from this checkout, and each thing that goes missing is named."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tenantgate_cli.checks.structure.__main__ import main
from tenantgate_cli.checks.structure.conflicts import conflict_problems
from tenantgate_cli.checks.structure.report import CHECKS, problems_in
from tenantgate_cli.checks.structure.tree import Tree
from tenantgate_cli.paths import ROOT

PARTS = ("functions", "infra", "layers/shared/tenantgate", "migrations", "tests", "cli/tenantgate_cli/checks")
FILES = ("template.yaml", "pyproject.toml")
CASES = tomllib.loads(Path(__file__).with_name("problems.toml").read_text(encoding="utf-8"))["case"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in PARTS:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in FILES:
        shutil.copy(ROOT / name, root / name)
    # This module contains what the cases below look for in the tests.
    (root / Path(__file__).relative_to(ROOT)).unlink()
    return root


def found_after(tree: Path, name: str, old: str | None, new: str) -> list[str]:
    """Return the problems of the copy after `old` was replaced in a file; after the file was removed if it is None."""
    file = tree / name
    kept = file.read_text(encoding="utf-8") if file.exists() else None
    try:
        if old is None:
            file.unlink()
        else:
            assert old in (kept or ""), (name, old)
            file.parent.mkdir(exist_ok=True)
            file.write_text((kept or "").replace(old, new), encoding="utf-8")
        return [f"{problem.file}: {problem.problem} → {problem.remedy}" for problem in problems_in(tree)]
    finally:
        if kept is None:
            file.unlink()
        else:
            file.write_text(kept, encoding="utf-8")


def test_nothing_is_missing_from_this_checkout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(ROOT)]) == 0
    assert capsys.readouterr().out == "0 findings of the structure check\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_is_missing_is_named(tree: Path, case: dict[str, Any]) -> None:
    assert found_after(tree, case["file"], case.get("old"), case.get("new", "")) == case["words"]


def test_a_template_that_is_not_yaml_is_one_problem(tree: Path) -> None:
    [problem] = found_after(tree, "template.yaml", "Resources:\n  SharedLayer:", "Resources: [\n")

    assert "template.yaml: is not YAML" in problem


def test_a_route_without_a_test_is_named(tree: Path) -> None:
    kept = {path: path.read_bytes() for path in (tree / "tests").rglob("*.py")}
    try:
        for path, content in kept.items():
            path.write_bytes(content.replace(b"/api/v1/auth/validate", b"/api/v1/auth/other"))
        [problem] = problems_in(tree)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)

    assert problem.problem == "no test requests GET /api/v1/auth/validate"
    assert problem.remedy == "add tests/unit/functions/auth_validate/test_routes.py"


def test_the_command_prints_each_problem_with_its_remedy(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init = tree / "functions" / "auth_me" / "__init__.py"
    init.unlink()
    try:
        assert main([str(tree)]) == 1
    finally:
        init.touch()

    printed = capsys.readouterr()
    assert printed.out == "1 finding of the structure check\n"
    assert printed.err == (
        "✗ functions/auth_me: functions/auth_me/__init__.py is missing\n  → create functions/auth_me/__init__.py\n"
    )


@pytest.mark.parametrize(
    ("marker", "is_one"),
    [
        pytest.param("<" * 7 + " HEAD", True, id="ours"),
        pytest.param("|" * 7 + " 1234567", True, id="base"),
        pytest.param(">" * 7 + " branch", True, id="theirs"),
        pytest.param("=" * 7, False, id="a-title"),
        pytest.param("    " + "<" * 7 + " HEAD", False, id="an-example"),
        pytest.param("<" * 8, False, id="longer"),
    ],
)
@pytest.mark.parametrize("name", ["docs/PAGE.md", "CHANGELOG.md", "functions/data.json"])
def test_a_conflict_that_was_not_resolved_is_named(tmp_path: Path, name: str, marker: str, *, is_one: bool) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"# Title\n\n{marker}\ntext\n", encoding="utf-8")
    found = [f"{problem.file}: {problem.problem}" for problem in conflict_problems(Tree(tmp_path))]
    assert found == [f"{name}: line 3 is the marker of a conflict that wasn't resolved"] * is_one


def test_conflicts_are_part_of_the_check() -> None:
    assert conflict_problems in CHECKS

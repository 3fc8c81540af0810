"""An earlier commit gets the migrations that it lacks, and keeps its own files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tenantgate_cli.paths import ROOT
from tests.functional.migrations import earlier_code
from tests.functional.migrations.earlier_code import TESTS, earlier_tree


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_tree_has_the_files_of_the_commit_and_the_newer_migrations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder = tmp_path / "root", tmp_path / "folder"
    versions = root / "migrations" / "versions"
    versions.mkdir(parents=True)
    folder.mkdir()
    monkeypatch.setattr(earlier_code, "ROOT", root)
    (versions / "0001_first.py").write_text("earlier")
    author = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "first")):
        subprocess.run(["git", *command], cwd=root, check=True)
    (versions / "0001_first.py").write_text("changed")
    (versions / "0002_second.py").write_text("newer")
    (root / "code.py").write_text("newer")

    tree = earlier_tree("HEAD", folder)

    found = {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*.py")}
    assert found == {"migrations/versions/0001_first.py": "earlier", "migrations/versions/0002_second.py": "newer"}


def test_the_chosen_tests_exist() -> None:
    assert [test for test in TESTS if not (ROOT / test).exists()] == []

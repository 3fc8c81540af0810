"""The words with which a user can call `tenantgate`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tenantgate_cli.program import as_called, program

SCRIPTS = Path(sys.prefix) / "bin"


@pytest.fixture(autouse=True)
def not_under_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAKELEVEL", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(SCRIPTS.parents[1])


def test_without_the_path_it_is_called_by_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert program() == f"{SCRIPTS.parent.name}/bin/tenantgate"

    monkeypatch.chdir(tmp_path)
    assert program() == str(SCRIPTS / "tenantgate")


def test_on_the_path_it_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{SCRIPTS}:/usr/bin")
    assert program() == "tenantgate"

    # The recipes of make have another PATH than the user.
    monkeypatch.setenv("MAKELEVEL", "1")
    assert program() != "tenantgate"


def test_another_installation_of_that_name_is_not_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "tenantgate"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert program() != "tenantgate"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tenantgate rules check FILE", "X rules check FILE"),
        ("run tenantgate dev, or tenantgate serve", "run X dev, or X serve"),
        ("tenantgate --version", "X --version"),
        ("tenantgate token | tenantgate explain --token-file -", "X token | X explain --token-file -"),
        ("curl $(tenantgate token)", "curl $(X token)"),
        # Names of files and modules, and text that already has a path.
        (".venv/bin/tenantgate token", ".venv/bin/tenantgate token"),
        ("python -m tenantgate_cli.checks.prose", "python -m tenantgate_cli.checks.prose"),
        ("make dev", "make dev"),
    ],
)
def test_command_lines_in_a_text_are_shown_as_they_can_be_called(
    text: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenantgate_cli.program.program", lambda: "X")

    assert as_called(text) == shown

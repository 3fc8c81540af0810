"""`tenantgate` without a command."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import tenantgate
from tenantgate_cli.main import app


def test_the_version_is_the_one_of_the_code() -> None:
    plain = CliRunner().invoke(app, ["--version"])
    for_programs = CliRunner().invoke(app, ["--version", "--json"])

    assert (plain.exit_code, plain.output) == (0, f"tenantgate {tenantgate.__version__}\n")
    assert json.loads(for_programs.output) == {"ok": True, "version": tenantgate.__version__, "problems": []}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--json"], "put --json after the command, or add --version"),
        (["--json", "token"], "put --json after the command, or add --version"),
        (["--version", "token"], "--version goes without a command"),
    ],
)
def test_misplaced_options_are_an_error(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert words in result.output


def test_without_arguments_the_commands_are_listed() -> None:
    output = CliRunner().invoke(app, []).output

    for name in ("dev", "serve", "token", "explain", "rules", "migrate", "jwks", "new", "docs"):
        assert f"│ {name} " in output

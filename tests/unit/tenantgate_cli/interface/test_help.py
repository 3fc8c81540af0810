"""The `--help` of every command: a description, examples that the parser accepts, and the exit statuses."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tenantgate.openid_provider.storage.personas import PersonasError
from tenantgate_cli.console import Failure
from tenantgate_cli.interface.help import Command, failures
from tenantgate_cli.main import app
from tenantgate_cli.paths import ROOT

PREFIX = ".venv/bin/"
# Servers and a conversation, and a command whose output is JSON.
WITHOUT_JSON = {("dev",), ("serve",), ("connect",), ("rules", "json"), ("audit", "export")}
FAILED = (
    '{"ok": false, "problems": [{"problem": "there is no file", "remedy": ".venv/bin/tenantgate rules check FILE"}]}\n'
)


def all_commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from all_commands(command, *path, name)
        else:
            yield (*path, name), command


COMMANDS = dict(all_commands(typer.main.get_command(app)))
EXAMPLES = [(path, example) for path, command in COMMANDS.items() for example in command.form.examples]


def command_lines(example: str) -> list[list[str]]:
    """Return the arguments of each `tenantgate` in a shell line."""
    lexer = shlex.shlex(example, posix=True, punctuation_chars="|<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    lines: list[list[str]] = [[]]
    skipping = False
    for word in lexer:
        if word == "|":
            lines.append([])
            skipping = False
        elif word in {"<", ">"}:
            skipping = True
        elif not skipping:
            lines[-1].append(word)
    return [line[1:] for line in lines if line[0] == "tenantgate"]


def parse(arguments: list[str]) -> tuple[str, ...]:
    """Parse the arguments as the command line does, and return the path of the command."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("tenantgate", list(arguments))
    path: tuple[str, ...] = ()
    while hasattr(command, "commands"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        path = (*path, name)
        context = command.make_context(name, rest, parent=context)
    return path


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_ends_with_examples_and_exit_statuses_within_80_columns(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    monkeypatch.chdir(ROOT)
    command = COMMANDS[path]

    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"}).output

    assert isinstance(command, Command)
    assert command.help
    assert command.form.examples
    assert set(command.form.exits) >= {0, 1, 2}
    examples, statuses = shown[shown.index(" Examples") :].split(" Exit status")
    pasted = [f"   {example.replace('tenantgate ', f'{PREFIX}tenantgate ')}" for example in command.form.examples]
    assert examples.rstrip().splitlines()[1:] == pasted
    assert all(f"   {status}  " in statuses for status in command.form.exits)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_that_prints_a_result_prints_it_as_json_too(path: tuple[str, ...]) -> None:
    options = {option for parameter in COMMANDS[path].params for option in parameter.opts}

    assert ("--json" in options) == (path not in WITHOUT_JSON)


def test_the_short_option_for_help_works_everywhere() -> None:
    for path in COMMANDS:
        assert CliRunner().invoke(app, [*path, "-h"]).output == CliRunner().invoke(app, [*path, "--help"]).output


@pytest.mark.parametrize(("path", "example"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else None)
def test_the_parser_accepts_each_example(path: tuple[str, ...], example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = command_lines(example)

    assert lines
    assert path in [parse(line) for line in lines]


def test_an_example_with_an_unknown_option_is_not_accepted() -> None:
    with pytest.raises(Exception, match="No such option: --nothing"):
        parse(command_lines("tenantgate token --nothing | cat")[0])


def test_help_imports_no_command_and_nothing_of_the_product() -> None:
    program = (
        "import sys\nfrom tenantgate_cli.main import app\n"
        "try:\n    app(['token', '--help'])\nexcept SystemExit: pass\n"
        "print(*(name for name in sys.modules if name.startswith(('tenantgate.', 'tenantgate_cli.commands.'))), 'end')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.splitlines()[-1] == "end"


@pytest.mark.parametrize(
    ("as_json", "stdout", "stderr"),
    [
        (False, "", "✗ there is no file\n  → .venv/bin/tenantgate rules check FILE\n"),
        (True, FAILED, ""),
    ],
)
def test_a_failure_ends_with_a_remedy_that_can_be_pasted(
    as_json: bool, stdout: str, stderr: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    monkeypatch.chdir(ROOT)
    failing = typer.Typer()

    @failing.command()
    def fail() -> None:
        with failures(exit_code=3, as_json=as_json):
            raise Failure("there is no file", "tenantgate rules check FILE")

    result = CliRunner().invoke(failing, [])

    assert (result.exit_code, result.stdout, result.stderr) == (3, stdout, stderr)


def test_a_mistake_in_the_personas_has_words_instead_of_a_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    failing = typer.Typer()

    @failing.command()
    def fail() -> None:
        with failures():
            raise PersonasError("[[persona]] 1: name must be a text")

    result = CliRunner().invoke(failing, [])

    file = "layers/shared/tenantgate/openid_provider/storage/personas.toml"
    assert (result.exit_code, result.stderr) == (
        1,
        f"✗ {file}: [[persona]] 1: name must be a text\n  → correct it, or restore it: git checkout {file}\n",
    )


def test_any_other_mistake_keeps_its_stack_trace() -> None:
    failing = typer.Typer()

    @failing.command()
    def fail() -> None:
        with failures():
            raise ValueError("unexpected")

    assert isinstance(CliRunner().invoke(failing, []).exception, ValueError)

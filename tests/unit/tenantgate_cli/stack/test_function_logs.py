"""The lines of functions that a developer sees in the terminal."""

import json
from pathlib import Path

import pytest

from tenantgate_cli.stack.function_logs import FunctionLogs, shown_line


def line(level: str, message: str, **more: object) -> str:
    return json.dumps({"level": level, "message": message, **more})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(line("INFO", "done"), None, id="info-is-for-the-file"),
        pytest.param(line("WARNING", "odd"), ("WARNING", "odd"), id="warning"),
        pytest.param(
            line("ERROR", "failed", context={"exception": {"kind": "KeyError", "message": "'a'"}}),
            ("ERROR", "failed: KeyError: 'a'"),
            id="error-with-its-exception",
        ),
        pytest.param("printed by hand", ("", "printed by hand"), id="print"),
        pytest.param("", None, id="empty-line"),
        pytest.param("42", ("", "42"), id="printed-number"),
        pytest.param(line("ERROR", "", errorType="X", errorMessage="Unauthorized"), None, id="runtime-report"),
        pytest.param("[ERROR] X: y\rTraceback (most recent call last):\r  z", None, id="runtime-report-as-text"),
        pytest.param(line("WARNING", "LAMBDA_WARNING: Unhandled exception. …"), None, id="runtime-noise"),
        pytest.param(line("WARNING", "as planned", logger="tenantgate.secrets.store"), None, id="expected-here"),
    ],
)
def test_shown(text: str, shown: tuple[str, str] | None) -> None:
    assert shown_line(text) == shown


def test_files_have_every_line_unchanged(tmp_path: Path) -> None:
    shown: list[tuple[str, str, str]] = []
    logs = FunctionLogs(tmp_path, lambda *what: shown.append(what))
    for text in (line("INFO", "a"), line("WARNING", "b"), "c"):
        logs.write("Hello", text)
    logs.write("Other", line("WARNING", "b"))
    logs.close()
    assert (tmp_path / "Hello.log").read_text().splitlines() == [line("INFO", "a"), line("WARNING", "b"), "c"]
    # The same warning from a second function is not shown again.
    assert shown == [("Hello", "WARNING", "b"), ("Hello", "", "c")]


def test_the_logs_of_an_earlier_run_are_deleted_and_other_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    outside = tmp_path / "outside.log"
    for path in (folder / "Old.log", folder / "notes.txt", outside):
        path.write_text("old\n")
    (folder / "Link.log").symlink_to(outside)
    logs = FunctionLogs(folder, lambda *_: None)
    logs.write("New", "a line")
    logs.close()
    assert sorted(path.name for path in folder.iterdir()) == ["New.log", "notes.txt"]
    assert outside.read_text() == "old\n"

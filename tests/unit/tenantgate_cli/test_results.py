"""The JSON of `--json`."""

from __future__ import annotations

import json

import pytest

from tenantgate_cli.results import Problem, print_result


def test_the_object_has_one_shape(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantgate_cli.program.program", lambda: "X")

    print_result(revision="0003", newest=True)
    print_result(Problem("unknown key", "tenantgate rules check", file="rules.toml", line=3), Problem("no file"))
    print_result(ok=False, tables=[])

    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"ok": True, "revision": "0003", "newest": True, "problems": []},
        {
            "ok": False,
            "problems": [
                {"problem": "unknown key", "remedy": "X rules check", "file": "rules.toml", "line": 3},
                {"problem": "no file", "remedy": ""},
            ],
        },
        {"ok": False, "tables": [], "problems": []},
    ]


def test_one_result_is_one_line_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(Problem("line\nbreak \x1b[31m" + "x" * 400))

    [line] = capsys.readouterr().out.splitlines()
    assert line.isprintable()

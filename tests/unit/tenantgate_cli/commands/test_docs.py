"""The command `tenantgate docs`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tenantgate_cli.commands import docs
from tenantgate_cli.main import app


@pytest.fixture(autouse=True)
def one_document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A checkout with one generated document, which is stale."""
    (tmp_path / "page.md").write_text("old")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tenantgate_cli.generate.documents.DOCUMENTS", {"page.md": lambda: "new"})
    monkeypatch.setattr(docs, "DOCUMENTS", {"page.md": lambda: "new"})
    return tmp_path / "page.md"


def test_a_stale_document_is_reported_and_not_written(one_document: Path) -> None:
    plain = CliRunner().invoke(app, ["docs", "--check"])
    for_programs = CliRunner().invoke(app, ["docs", "--check", "--json"])

    assert (plain.exit_code, for_programs.exit_code) == (1, 1)
    assert plain.stderr == "✗ these documents differ from the code: page.md\n  → make docs\n"
    assert json.loads(for_programs.output) == {
        "ok": False,
        "documents": ["page.md"],
        "problems": [{"problem": "the document differs from the code", "remedy": "make docs", "file": "page.md"}],
    }
    assert one_document.read_text() == "old"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_stale_document_is_written_once(as_json: bool, one_document: Path) -> None:
    arguments = ["docs", *(["--json"] if as_json else [])]
    first, second = CliRunner().invoke(app, arguments).output, CliRunner().invoke(app, arguments).output

    if as_json:
        assert [json.loads(text)["written"] for text in (first, second)] == [["page.md"], []]
    else:
        assert (first, second) == ("wrote page.md\n", "")
    assert one_document.read_text() == "new"
    assert CliRunner().invoke(app, ["docs", "--check"]).exit_code == 0

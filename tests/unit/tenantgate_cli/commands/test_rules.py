"""The command `tenantgate rules`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tenantgate_cli.main import app
from tenantgate_cli.paths import ROOT
from tests.fixtures.rules_check.run import ANOTHER, RULES, Outcome, rest


def test_invalid_rules_are_reported_line_by_line(tmp_path: Path) -> None:
    outcome = Outcome(tmp_path, RULES.replace("GET", "GOT").replace("scopes", "scope"), None)

    assert (outcome.code, outcome.lines) == (1, [6, 8, 11])
    assert '✗ rules.toml:11: "scope" is not a known key; did you mean scopes?' in outcome.text


def test_the_rules_of_an_api_without_an_id_can_be_named(tmp_path: Path) -> None:
    rules = RULES.replace('"*"', '"a1b2c3"') + ANOTHER
    template = rest("Identity: { ReauthorizeEvery: 0 }")

    assert Outcome(tmp_path, rules, template).code == 1
    assert Outcome(tmp_path, rules, template, "--api", "orders").code == 0
    assert 'no [[api]] has the name "x"' in Outcome(tmp_path, rules, template, "--api", "x").text


def test_own_template_and_example_are_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("ROUTE_RULES_FILE", raising=False)
    example = "examples/guarded_api"

    for arguments in (
        ["--template", "template.yaml"],
        [f"{example}/rules.toml", "--template", f"{example}/template.yaml"],
    ):
        result = CliRunner().invoke(app, ["rules", "check", *arguments])
        assert result.exit_code == 0, result.output


def test_json_of_the_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    result = CliRunner().invoke(app, ["rules", "json", str(tmp_path / "rules.toml")])
    (tmp_path / "rules.json").write_text(result.output)

    assert CliRunner().invoke(app, ["rules", "check", str(tmp_path / "rules.json")]).exit_code == 0
    assert CliRunner().invoke(app, ["rules", "json", str(tmp_path / "nothing")]).exit_code == 1


def test_programs_get_the_findings_with_their_lines(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES.replace("scopes", "scope"), encoding="utf-8")

    result = CliRunner().invoke(app, ["rules", "check", str(rules), "--json"])

    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "ok": False,
        "checked": [],
        "revocation": [],
        "problems": [
            {
                "problem": '"scope" is not a known key; did you mean scopes?',
                "remedy": "",
                "file": str(rules),
                "line": 11,
            }
        ],
    }


def test_programs_get_the_number_of_rules_and_authorizers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("ROUTE_RULES_FILE", raising=False)
    result = json.loads(CliRunner().invoke(app, ["rules", "check", "--template", "template.yaml", "--json"]).output)

    assert (result["ok"], result["problems"]) == (True, [])
    [rules, template] = result["checked"]
    assert (rules["file"], rules["apis"]) == ("functions/authorizer/rules.toml", 2)
    assert template == {"file": "template.yaml", "authorizers": 1}
    [delay] = result["revocation"]
    assert (delay["seconds"], delay["connections"]) == (5, False)


def test_programs_get_a_failure_as_json() -> None:
    result = CliRunner().invoke(app, ["rules", "check", "nowhere.toml", "--json"])

    assert result.exit_code == 1
    [problem] = json.loads(result.output)["problems"]
    assert problem["problem"].startswith("nowhere.toml can't be read: ")

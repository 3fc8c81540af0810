"""The rules file: TOML or JSON in, rules or located mistakes out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tenantgate.route_rules.engine import RuleSet
from tenantgate.route_rules.file import RulesError, _print_checked, as_json, load_rules, read_rules
from tenantgate.route_rules.model import RouteRule

VALID = """\
version = 1
# [[api]] in a comment

[[api]]
name = "orders"
ids = ["a1b2c3d4e5", "*"]
every_route_listed = true

  [[api.route]]
  route = "GET /orders/{id}"
  scopes = ["orders:read", "openid"]
  roles = [
    "clerk",  # [x
    "]]",
  ]
  acr = ["urn:example:mfa"]
  max_auth_age_seconds = 300
  issuers = ["https://one.example", "http://ADFS.Example.test/adfs/services/trust"]

[[api.route]]
route = "ANY /public/{path+}"
public = true
"""


def test_a_valid_file_becomes_rules() -> None:
    rules = load_rules(VALID)

    assert set(rules.apis) == {"a1b2c3d4e5", "*"}
    api = rules.for_api("a1b2c3d4e5")
    assert (api.name, api.every_route_listed) == ("orders", True)
    assert api.rules == (
        RouteRule(
            "GET",
            "/orders/{id}",
            scopes=frozenset({"orders:read", "openid"}),
            roles=frozenset({"clerk", "]]"}),
            acr=frozenset({"urn:example:mfa"}),
            max_auth_age=300,
            issuers=frozenset({"https://one.example", "http://ADFS.Example.test/adfs/services/trust"}),
        ),
        RouteRule("ANY", "/public/{path+}", public=True),
    )


def test_a_file_means_the_same_as_json(tmp_path: Path) -> None:
    compiled = as_json(VALID)

    assert load_rules(compiled).for_api("x").rules == load_rules(VALID).for_api("x").rules


def test_a_missing_file_is_a_rules_error(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="can't be read: No such file"):
        read_rules(str(tmp_path / "rules.toml"))


def test_checked_rules_are_read_back_unchanged() -> None:
    rules = load_rules(VALID)

    again = RuleSet.from_checked(json.loads(json.dumps(rules.checked())))

    assert again.apis.keys() == rules.apis.keys()
    for api_id, api in rules.apis.items():
        assert again.apis[api_id].rules == api.rules
        assert again.apis[api_id].name == api.name
        assert again.apis[api_id].every_route_listed is api.every_route_listed


def test_problems_are_located_by_line_and_by_the_file_that_the_caller_names() -> None:
    with pytest.raises(RulesError, match=r"^line 21: route must be a method") as error:
        load_rules(VALID.replace('"ANY /public/{path+}"', "3"))

    (located,) = error.value.located("my/rules.toml").splitlines()
    assert located.startswith("my/rules.toml:21: route must be")
    with pytest.raises(RulesError, match=r"^can't be read") as error:
        read_rules("/nowhere/rules.toml")
    assert error.value.located("rules.toml").startswith("rules.toml: can't be read")
    assert "nowhere" not in str(error.value)


def test_the_shipped_rules_are_valid_and_convert_to_json() -> None:
    shipped = Path(__file__).parents[3] / "functions" / "authorizer" / "rules.toml"

    assert json.loads(as_json(shipped.read_text()))["version"] == 1


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        pytest.param("a = ", 1, "is not TOML: Invalid value", id="toml"),
        pytest.param("version = 1\n[[api]", 2, "is not TOML", id="toml-that-ends-early"),
        pytest.param('a = """\nb\n', 3, "is not TOML", id="a-text-that-ends-early"),
        pytest.param("a = " + "[" * 5000, None, "is not TOML that can be read", id="nested-too-deeply"),
        pytest.param("a = " + "9" * 5000, None, "is not TOML that can be read", id="a-number-too-long"),
        pytest.param('{\n"a": }', 2, "is not JSON", id="json"),
        pytest.param('{"a": ' + "[" * 200_000, None, "is not JSON", id="json-nested-too-deeply"),
    ],
)
def test_a_text_that_cannot_be_parsed_is_located_if_its_parser_names_a_line(
    text: str, line: int | None, problem: str
) -> None:
    with pytest.raises(RulesError) as error:
        load_rules(text)
    ((found, message),) = error.value.problems
    assert (found, problem in message) == (line, True), message


def test_json_that_is_not_an_object_is_read_as_toml() -> None:
    with pytest.raises(RulesError, match="is not TOML"):
        load_rules("[1, 2]")


def test_a_file_that_is_not_utf_8_is_a_rules_error(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_bytes(b"\xff")
    with pytest.raises(RulesError, match="can't be read"):
        read_rules(str(tmp_path / "rules.toml"))


def run_module(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the module as the authorizer's build does."""
    command = [sys.executable, "-m", "tenantgate.route_rules.file", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_module_prints_the_checked_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(VALID)
    done = run_module(tmp_path / "rules.toml")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == load_rules(VALID).checked()


def test_the_module_fails_and_locates_every_mistake(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(VALID.replace("version = 1", "version = 2"))
    done = run_module(tmp_path / "rules.toml")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path}/rules.toml:1: version must be 1\n"


def test_the_checked_rules_are_printed_as_compact_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(VALID.replace("clerk", "clérk"), encoding="utf-8")
    _print_checked(str(path))
    printed = capsys.readouterr().out
    assert json.loads(printed) == read_rules(str(path)).checked()
    assert "clérk" in printed
    assert ", " not in printed
    assert ": " not in printed


def test_a_file_with_mistakes_is_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("version = 2", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        _print_checked(str(path))
    assert str(path) in str(ended.value)
    assert capsys.readouterr().out == ""

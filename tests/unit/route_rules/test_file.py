"""The rules file: TOML or JSON in, rules or located mistakes out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenantgate.route_rules.engine import RuleSet
from tenantgate.route_rules.file import RulesError, as_json, load_rules, read_rules
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

"""Which rules the authorizer starts with."""

import json
from pathlib import Path

import pytest

from tenantgate.authorizer.environment import InvalidEnvironment, route_rules
from tenantgate.route_rules.file import load_rules
from tests.fixtures.authorizer.guarded import RULES

OURS = 'version = 1\n[[api]]\nname = "ours"\nids = ["*"]\n[[api.route]]\nroute = "GET /me"\npublic = true\n'


@pytest.fixture
def shipped(tmp_path: Path) -> str:
    (tmp_path / "rules.toml").write_text(OURS)
    return str(tmp_path / "rules.toml")


def test_the_shipped_rules_count_where_no_file_is_named(shipped: str) -> None:
    assert route_rules(shipped, {}).is_public("any", "GET", "/me")


def test_the_rules_that_the_build_checked_stand_in_for_the_shipped_file(shipped: str, tmp_path: Path) -> None:
    checked = load_rules(OURS.replace("/me", "/checked")).checked()
    (tmp_path / "rules.checked.json").write_text(json.dumps(checked))

    rules = route_rules(shipped, {})
    assert (rules.is_public("any", "GET", "/checked"), rules.is_public("any", "GET", "/me")) == (True, False)

    (tmp_path / "own.toml").write_text(RULES)
    rules = route_rules(shipped, {"ROUTE_RULES_FILE": str(tmp_path / "own.toml")})
    assert rules.is_public("q7w3e5r9t1", "GET", "/catalogue")
    assert rules.is_public("another", "GET", "/checked")


def test_a_named_file_stands_over_the_shipped_one(shipped: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(RULES)
    rules = route_rules(shipped, {"ROUTE_RULES_FILE": str(tmp_path / "own.toml")})
    assert rules.is_public("q7w3e5r9t1", "GET", "/catalogue")
    assert not rules.is_public("q7w3e5r9t1", "GET", "/me")
    assert rules.is_public("another", "GET", "/me")


@pytest.mark.parametrize("text", [None, "", "version = 2", "not toml", "\0"])
def test_without_usable_rules_nothing_starts(text: str | None, *, shipped: str, tmp_path: Path) -> None:
    named = tmp_path / "broken.toml"
    if text is not None:
        named.write_text(text)
    with pytest.raises(InvalidEnvironment, match="ROUTE_RULES_FILE"):
        route_rules(shipped, {"ROUTE_RULES_FILE": str(named)})
    with pytest.raises(InvalidEnvironment, match="ROUTE_RULES_FILE"):
        route_rules(str(named), {})

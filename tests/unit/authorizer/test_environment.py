"""The authorizer's environment: rejected as a whole, with every invalid variable named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenantgate.authorizer.environment import (
    InvalidEnvironment,
    bearer_credential,
    credentials,
    log_level,
    route_rules,
    service_name,
    trace_id,
)
from tenantgate.errors.access import AuthenticationRequired
from tenantgate.route_rules.file import load_rules
from tests.fixtures.authorizer.guarded import RULES
from tests.fixtures.tokens.issuer import AUDIENCE, ISSUER

VALID = {"OIDC_ISSUER_URL": ISSUER, "OIDC_AUDIENCE": AUDIENCE}
OURS = 'version = 1\n[[api]]\nname = "ours"\nids = ["*"]\n[[api.route]]\nroute = "GET /me"\npublic = true\n'


def test_a_credential_is_made_without_reading_or_fetching_a_key() -> None:
    assert bearer_credential(VALID | {"OIDC_JWKS_FILE": "/nowhere"})


def test_the_authorizer_accepts_bearer_tokens() -> None:
    accepted = credentials(VALID)
    with pytest.raises(AuthenticationRequired, match="holds no bearer token"):
        accepted.authenticate("Bearer ")
    with pytest.raises(AuthenticationRequired, match="not of an accepted scheme"):
        accepted.authenticate("Basic x")


def test_every_invalid_variable_is_named_with_its_value_and_the_allowed_form() -> None:
    with pytest.raises(InvalidEnvironment) as error:
        credentials({"OIDC_ISSUER_URL": "http://issuer.example.test", "JWT_LEEWAY_SECONDS": "soon"})
    text = str(error.value)
    assert "OIDC_ISSUER_URL='http://issuer.example.test': must be an https:// URL" in text
    assert "JWT_LEEWAY_SECONDS='soon': must be a whole number from 0 to 300" in text


def test_no_variable_is_shown_that_the_authorizer_does_not_read() -> None:
    with pytest.raises(InvalidEnvironment) as error:
        bearer_credential({"OIDC_CLIENT_SECRET": "s3cr3t", "AWS_SESSION_TOKEN": "t0k3n"})
    assert "s3cr3t" not in str(error.value)
    assert "t0k3n" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("DEBUG", "DEBUG"),
        (" warning ", "WARNING"),
        ("", "INFO"),
        ("LOUD", "INFO"),
        ("NOTSET", "INFO"),
        ("WARN", "INFO"),
        ("critical", "CRITICAL"),
    ],
)
def test_log_level(value: str, level: str) -> None:
    assert log_level({"LOG_LEVEL": value}) == level
    assert log_level({}) == "INFO"


def test_service_name() -> None:
    assert service_name({}) == "authorizer"
    assert service_name({"POWERTOOLS_SERVICE_NAME": "gate"}) == "gate"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Root=1-5759e988-bd862e3f;Parent=53995c3f;Sampled=1", "Root=1-5759e988-bd862e3f"),
        ("Sampled=0;Root=1-2", "Root=1-2"),
        ("Parent=1", None),
        ("", None),
    ],
)
def test_the_trace_id_is_the_root_of_the_invocations_trace(
    value: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", value)
    assert trace_id() == expected
    monkeypatch.delenv("_X_AMZN_TRACE_ID")
    assert trace_id() is None


@pytest.fixture
def shipped(tmp_path: Path) -> str:
    (tmp_path / "rules.toml").write_text(OURS)
    return str(tmp_path / "rules.toml")


def test_the_shipped_rules_count_if_no_file_is_named(shipped: str) -> None:
    assert route_rules(shipped, {}).is_public("any", "GET", "/me")


def test_the_rules_that_the_build_checked_replace_the_shipped_file(shipped: str, tmp_path: Path) -> None:
    checked = load_rules(OURS.replace("/me", "/checked")).checked()
    (tmp_path / "rules.checked.json").write_text(json.dumps(checked))

    rules = route_rules(shipped, {})
    assert (rules.is_public("any", "GET", "/checked"), rules.is_public("any", "GET", "/me")) == (True, False)

    (tmp_path / "own.toml").write_text(RULES)
    rules = route_rules(shipped, {"ROUTE_RULES_FILE": str(tmp_path / "own.toml")})
    assert rules.is_public("q7w3e5r9t1", "GET", "/catalogue")
    assert rules.is_public("another", "GET", "/checked")


def test_a_named_file_replaces_the_shipped_blocks_for_its_ids(shipped: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(RULES)
    rules = route_rules(shipped, {"ROUTE_RULES_FILE": str(tmp_path / "own.toml")})
    assert rules.is_public("q7w3e5r9t1", "GET", "/catalogue")
    assert not rules.is_public("q7w3e5r9t1", "GET", "/me")
    assert rules.is_public("another", "GET", "/me")


@pytest.mark.parametrize("text", [None, "", "version = 2", "not toml", "\0"])
def test_the_authorizer_does_not_start_without_valid_rules(text: str | None, *, shipped: str, tmp_path: Path) -> None:
    named = tmp_path / "broken.toml"
    if text is not None:
        named.write_text(text)
    with pytest.raises(InvalidEnvironment, match=rf"ROUTE_RULES_FILE='{named}': must be a rules file\n{named}"):
        route_rules(shipped, {"ROUTE_RULES_FILE": str(named)})
    with pytest.raises(InvalidEnvironment, match="must be a rules file"):
        route_rules(str(named), {})

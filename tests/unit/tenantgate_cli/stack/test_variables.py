"""The variables that `tenantgate dev` gives the functions."""

from pathlib import Path

import pytest

from tenantgate.settings.deployment import OPTIONAL_SECRET_NAMES, SECRET_NAMES
from tenantgate.settings.model import SETTING_NAMES, Settings
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.variables import (
    _PASSED_ON,
    OTHER_PROVIDER_VARIABLES,
    Provider,
    choose_provider,
    variables_for,
)

BASE = "http://localhost:3000"
STORED = {"OIDC_CLIENT_SECRET": "stored", "COOKIE_SEALING_KEYS": "A" * 43}
OTHER = {
    "OIDC_ISSUER_URL": "http://127.0.0.1:9000",
    "OIDC_CLIENT_ID": "client",
    "OIDC_CLIENT_SECRET": "theirs",
    "OIDC_AUDIENCE": "their-api",
}
URLS = {
    "app_url": "postgresql://app:x@127.0.0.1:5/t",
    "owner_url": "postgresql://owner:x@127.0.0.1:5/t",
    "redis_url": "redis://:x@127.0.0.1:6/0",
}


def test_without_variables_the_built_in_provider_is_used() -> None:
    variables = variables_for(3000, {}, STORED, **URLS)
    assert variables.provider.built_in
    assert variables.settings["OIDC_ISSUER_URL"] == f"{BASE}/idp"
    assert variables.settings["OIDC_AUDIENCE"] == "tenantgate-api"
    assert variables.secrets == STORED


def test_the_callers_optional_secrets_are_passed_on() -> None:
    given = {"EVENT_POLL_AUTHORIZATION": '{"https://issuer.example": "Bearer x"}'}
    assert variables_for(3000, given, STORED, **URLS).secrets == {**STORED, **given}


def test_a_sign_in_at_the_built_in_provider_asks_for_a_refresh_token() -> None:
    [default] = [field.default for name, field in Settings.model_fields.items() if name == "oidc_scopes"]
    settings = variables_for(3000, {}, STORED, **URLS).settings
    assert settings["OIDC_SCOPES"].split() == [*default, "offline_access"]
    # Another provider may refuse a scope that it doesn't know.
    assert "OIDC_SCOPES" not in variables_for(3000, OTHER, STORED, **URLS).settings


def test_a_sign_in_at_the_built_in_provider_asks_for_the_callers_scopes() -> None:
    variables = variables_for(3000, {"OIDC_SCOPES": "openid orders:read"}, STORED, **URLS)
    assert variables.provider.built_in
    assert variables.settings["OIDC_SCOPES"] == "openid orders:read"


def test_all_three_variables_choose_another_provider() -> None:
    variables = variables_for(3000, OTHER, STORED, **URLS)
    assert not variables.provider.built_in
    assert variables.settings["OIDC_ISSUER_URL"] == "http://127.0.0.1:9000"
    assert variables.settings["OIDC_AUDIENCE"] == "their-api"
    assert variables.secrets == {**STORED, "OIDC_CLIENT_SECRET": "theirs"}


def test_files_of_another_provider_are_found_from_every_working_directory() -> None:
    given = {**OTHER, "OIDC_JWKS_FILE": "keys.json", "ROUTE_RULES_FILE": "rules.toml"}
    settings = variables_for(3000, given, STORED, **URLS).settings
    assert settings["OIDC_JWKS_FILE"] == str(Path("keys.json").absolute())
    assert settings["ROUTE_RULES_FILE"] == str(Path("rules.toml").absolute())


def test_the_addresses_of_another_provider_are_passed_on() -> None:
    more = {
        "OIDC_DISCOVERY_URL": "https://login.example.com/discovery",
        "OIDC_LOGOUT_URL": "https://login.example.com/logout",
        "OIDC_LOGOUT_REDIRECT_PARAM": "logout_uri",
    }
    settings = variables_for(3000, OTHER | more, STORED, **URLS).settings
    assert {name: settings[name] for name in more} == more


@pytest.mark.parametrize("base", [BASE, "http://127.0.0.1:3000"])
@pytest.mark.parametrize("issuer", [f"{BASE}/idp", "http://127.0.0.1:3000/idp", "http://[::1]:3000/idp"])
def test_the_defaults_of_this_and_earlier_versions_select_the_built_in_provider(issuer: str, base: str) -> None:
    given = {"OIDC_ISSUER_URL": issuer, "OIDC_CLIENT_ID": "tenantgate-dev", "OIDC_CLIENT_SECRET": "x"}
    assert choose_provider(given, base) == Provider(f"{base}/idp", built_in=True)
    assert not choose_provider({**given, "OIDC_ISSUER_URL": issuer.replace("3000", "3001")}, base).built_in


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("", "http://localhost:3001"),
        ("http://localhost:3000", "http://localhost:3001"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3001"),
        ("http://[::1]:3000", "http://[::1]:3001"),
        ("https://gate.example.com", "http://localhost:3001"),
        ("https://127.0.0.1:3000", "http://localhost:3001"),
        ("http://127.0.0.2:3000", "http://localhost:3001"),
        ("127.0.0.1", "http://localhost:3001"),
    ],
)
def test_the_callers_base_url_chooses_the_loopback_name(given: str, base: str) -> None:
    settings = variables_for(3001, {"PUBLIC_BASE_URL": given}, STORED, **URLS).settings
    assert settings["PUBLIC_BASE_URL"] == base
    assert settings["OIDC_ISSUER_URL"] == f"{base}/idp"
    assert settings["ALLOWED_ORIGINS"].startswith(base)


def test_our_own_origins_are_always_allowed() -> None:
    origins = variables_for(3001, {"ALLOWED_ORIGINS": "http://localhost:9999"}, STORED, **URLS).settings[
        "ALLOWED_ORIGINS"
    ]
    assert origins == "http://localhost:3001,http://127.0.0.1:3001,http://localhost:9999"
    assert "http://localhost:5173" in variables_for(3000, {}, STORED, **URLS).settings["ALLOWED_ORIGINS"]


def test_a_database_of_the_callers_environment_is_ignored() -> None:
    variables = variables_for(3000, {"DATABASE_URL": "postgresql://prod"}, STORED, **URLS)
    assert variables.settings["DATABASE_URL"] == URLS["app_url"]


def test_the_functions_get_the_url_of_the_cache_and_the_callers_protection_of_it() -> None:
    settings = variables_for(3000, {"REDIS_TLS": "private-network"}, STORED, **URLS).settings
    assert (settings["REDIS_URL"], settings["REDIS_TLS"]) == (URLS["redis_url"], "private-network")


def test_every_setting_of_the_caller_is_used_or_has_a_note() -> None:
    values = {
        "SESSION_IDLE_MINUTES": "5",
        "SESSION_ABSOLUTE_HOURS": "2",
        "SESSION_CACHE_SECONDS": "20",
        "SESSION_REUSE_GRACE_SECONDS": "3",
        "TENANT_REGISTRATION": "closed",
        "TRUSTED_PROXIES": "10.0.0.0/8",
    }
    settings = variables_for(3000, values, STORED, **URLS).settings

    assert {name: settings[name] for name in values} == values
    # AWS and DATABASE_TLS mean nothing on this machine, DRAIN_SECONDS only in the container; PORT is an option.
    secrets = {*SECRET_NAMES, *OPTIONAL_SECRET_NAMES}
    unused = SETTING_NAMES - settings.keys() - set(_PASSED_ON) - set(OTHER_PROVIDER_VARIABLES) - secrets
    on_aws = {
        "AUDIT_ANCHOR_DAYS",
        "AWS_REGION",
        "DATABASE_OWNER_SECRET_ID",
        "DATABASE_TLS",
        "KEY_ENCRYPTION_KMS_KEYS",
        "REDIS_IAM_CACHE",
    }
    assert unused == {*on_aws, "DRAIN_SECONDS", "PORT"}


def test_a_cache_url_that_is_not_valid_is_reported_without_its_value() -> None:
    with pytest.raises(Failure, match=r"REDIS_URL \(a secret, not shown\): set it to redis://") as failure:
        variables_for(3000, {}, STORED, **{**URLS, "redis_url": "redis://canary@cache"})
    assert "canary" not in str(failure.value)


def test_all_invalid_variables_are_reported_together() -> None:
    bad = {**OTHER, "OIDC_ISSUER_URL": "http://issuer.example", "JWT_MAX_LIFETIME_MINUTES": "soon"}
    with pytest.raises(Failure) as failure:
        variables_for(3000, bad, STORED, **URLS)
    assert "OIDC_ISSUER_URL" in str(failure.value)
    assert "JWT_MAX_LIFETIME_MINUTES" in str(failure.value)
    assert "theirs" not in str(failure.value)

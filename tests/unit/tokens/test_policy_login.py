"""Issuers that are texts, discovery elsewhere, pairs of issuers, sign-out pages: settings and start-up errors."""

from __future__ import annotations

import json

import pytest

from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate.tokens.policy import IssuerPolicy, PolicyError, TokenPolicy, token_policy
from tests.fixtures.tokens.issuer import AUDIENCE, ISSUER

ELSEWHERE = "https://login.example.test/policy/v2.0/.well-known/openid-configuration?p=B2C_1_sign_in"
OTHER = "https://sts.example.test/tenant/"


def _policy(**variables: str) -> TokenPolicy:
    values = {"OIDC_ISSUER_URL": ISSUER, "OIDC_AUDIENCE": AUDIENCE}
    return token_policy(values | {name.upper(): value for name, value in variables.items()})


def _problems(**variables: str) -> dict[str, str]:
    with pytest.raises(PolicyError) as refusal:
        _policy(**variables)
    return dict(refusal.value.problems)


def _trusting(*entries: dict[str, object]) -> str:
    return json.dumps([{"audiences": ["a"], "tenants": "*", **entry} for entry in entries])


@pytest.mark.parametrize(
    "issuer", ["https://ADFS.Example.test/adfs", "http://adfs.example.test/adfs/services/trust", "urn:x:1", "supabase"]
)
def test_an_issuer_is_any_text_where_discovery_is_elsewhere(issuer: str) -> None:
    login = _policy(oidc_issuer_url=issuer, oidc_discovery_url=ELSEWHERE).issuers[0]
    assert (login.issuer, login.discovery_url) == (issuer, ELSEWHERE)
    own = _trusting({"issuer": issuer, "discovery_url": ELSEWHERE})
    assert _policy(oidc_issuer_url=issuer, trusted_issuers=own).issuers[0].discovery_url == ELSEWHERE


def test_an_issuer_that_isnt_a_url_needs_a_discovery_url() -> None:
    assert "OIDC_DISCOVERY_URL" in _problems(oidc_issuer_url="urn:x:1")["OIDC_ISSUER_URL"]
    keys_only = _trusting({"issuer": "urn:x:1", "jwks_file": "/opt/jwks.json"})
    assert "OIDC_ISSUER_URL" in _problems(oidc_issuer_url="urn:x:1", trusted_issuers=keys_only)
    assert token_policy({"TRUSTED_ISSUERS": keys_only}).issuers[0].discovery_url == ""


def test_the_case_of_a_host_is_kept() -> None:
    assert (
        _policy(oidc_issuer_url="https://ADFS.Example.test/adfs").issuers[0].issuer == "https://ADFS.Example.test/adfs"
    )


@pytest.mark.parametrize("variable", ["OIDC_DISCOVERY_URL", "OIDC_LOGOUT_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.test/x",
        "http://127.0.0.1:9/x",
        "https://user:word@login.example.test/x",
        "https://login.example.test/x#y",
        "https://login.example.test\\@evil.test/x",
        "https://login.example.test/a b",
        "https:///x",
        "//login.example.test",
        "https://login.example.test/" + "x" * 3000,
    ],
)
def test_a_url_to_fetch_or_visit_is_a_plain_https_url(variable: str, url: str) -> None:
    assert set(_problems(**{variable: url})) == {variable}


@pytest.mark.parametrize("member", ["jwks_uri", "discovery_url", "logout_url"])
def test_plain_http_on_loopback_is_for_development_in_an_entry_too(member: str) -> None:
    entries = _trusting({"issuer": OTHER, member: "http://127.0.0.1:9/x"})
    assert set(_problems(trusted_issuers=entries)) == {"TRUSTED_ISSUERS"}
    assert _policy(trusted_issuers=entries, environment="development").issuers[1].issuer == OTHER


def test_variables_override_the_members_of_the_login_issuers_entry() -> None:
    entry: dict[str, object] = {
        "issuer": ISSUER,
        "logout_url": "https://a.example.test/out",
        "logout_redirect_param": "one",
    }
    login = _policy(trusted_issuers=_trusting(entry)).issuers[0]
    assert (login.logout_url, login.logout_redirect_param) == ("https://a.example.test/out", "one")
    login = _policy(trusted_issuers=_trusting(entry), oidc_logout_redirect_param="two").issuers[0]
    assert (login.logout_url, login.logout_redirect_param) == ("https://a.example.test/out", "two")
    login = _policy(oidc_logout_url="https://b.example.test/out").issuers[0]
    assert (login.logout_url, login.logout_redirect_param) == ("https://b.example.test/out", "post_logout_redirect_uri")


def test_variables_of_the_login_issuer_do_not_reach_other_issuers() -> None:
    policy = _policy(
        trusted_issuers=_trusting({"issuer": OTHER}),
        oidc_discovery_url=ELSEWHERE,
        oidc_logout_url="https://b.example.test",
    )
    assert policy.issuers[1] == IssuerPolicy(OTHER, ("a",))


@pytest.mark.parametrize("name", ["client_id", "id_token_hint", "state", "a b", "a&b", "a=b", "ä", "x" * 65])
def test_a_redirect_parameter_cannot_replace_or_add_another(name: str) -> None:
    assert set(_problems(oidc_logout_url="https://b.example.test", oidc_logout_redirect_param=name)) == {
        "OIDC_LOGOUT_REDIRECT_PARAM"
    }


def test_a_redirect_parameter_without_a_logout_url_is_a_mistake() -> None:
    assert "OIDC_LOGOUT_URL" in _problems(oidc_logout_redirect_param="logout_uri")["OIDC_LOGOUT_REDIRECT_PARAM"]


def test_a_pair_of_issuers_names_one_that_is_trusted_itself() -> None:
    pair = _policy(oidc_access_token_issuer=OTHER, trusted_issuers=_trusting({"issuer": OTHER}))
    assert pair.access_token_issuer == OTHER
    for other in (OTHER.rstrip("/"), OTHER.upper(), "sts"):
        problems = _problems(oidc_access_token_issuer=other, trusted_issuers=_trusting({"issuer": OTHER}))
        assert "TRUSTED_ISSUERS" in problems["OIDC_ACCESS_TOKEN_ISSUER"]
    assert set(_problems(oidc_access_token_issuer=OTHER)) == {"OIDC_ACCESS_TOKEN_ISSUER"}


def test_the_settings_model_reads_the_same_variables() -> None:
    variables = {
        "ENVIRONMENT": "test",
        "OIDC_CLIENT_ID": "client-1",
        "OIDC_ISSUER_URL": "urn:x:1",
        "OIDC_DISCOVERY_URL": ELSEWHERE,
        "OIDC_ACCESS_TOKEN_ISSUER": OTHER,
        "OIDC_LOGOUT_URL": "https://b.example.test/logout",
        "OIDC_LOGOUT_REDIRECT_PARAM": "logout_uri",
        "TRUSTED_ISSUERS": _trusting({"issuer": OTHER}),
    }
    policy = Settings.from_mapping(variables).token_policy
    assert policy.access_token_issuer == OTHER
    assert policy.issuers[0].logout_redirect_param == "logout_uri"
    with pytest.raises(SettingsError, match="OIDC_ACCESS_TOKEN_ISSUER"):
        Settings.from_mapping(variables | {"TRUSTED_ISSUERS": ""})

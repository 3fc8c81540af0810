"""The variables of verification: every valid form, and for an invalid one the variable's name and the allowed form."""

from __future__ import annotations

import pytest

from tenantgate.tokens.policy import (
    IssuerPolicy,
    PolicyError,
    parse_audiences,
    parse_issuer_url,
    parse_tenant_id_pattern,
    parse_url,
    parse_whole_number,
    token_policy,
)
from tests.fixtures.tokens.issuer import AUDIENCE, ISSUER, TENANT, policy_of

GOOD = {"OIDC_ISSUER_URL": ISSUER, "OIDC_AUDIENCE": AUDIENCE}


def test_defaults_are_the_strict_ones() -> None:
    policy = token_policy(GOOD)
    assert policy.issuers == (IssuerPolicy(ISSUER, (AUDIENCE,)),)
    assert policy.role_claim_names == ("roles", "groups", "cognito:groups")
    assert policy.tenant_claim_names == ("tenant_id", "organization_id", "org_id")
    assert (policy.max_lifetime_seconds, policy.leeway_seconds) == (3600, 60)
    assert (policy.jwks_cache_ttl_seconds, policy.jwks_max_age_seconds) == (3600, 86400)
    assert not {"none", "HS256"} & policy.issuers[0].algorithms


def test_the_audience_is_the_client_id_by_default() -> None:
    policy = token_policy({"OIDC_ISSUER_URL": ISSUER, "OIDC_CLIENT_ID": "a-client", "OIDC_AUDIENCE": ""})
    assert policy.issuers[0].audiences == ("a-client",)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OIDC_ISSUER_URL", "http://issuer.example.test"),
        ("OIDC_ISSUER_URL", "issuer.example.test"),
        ("OIDC_ISSUER_URL", "https://user@issuer.example.test"),
        ("OIDC_ISSUER_URL", "https://issuer.example.test?x=1"),
        ("OIDC_ISSUER_URL", "https://issuer.example.test#x"),
        ("OIDC_ISSUER_URL", "https://issuer.example.test:0"),
        ("OIDC_ISSUER_URL", "https://issuer.example.test:99999"),
        ("OIDC_ISSUER_URL", "https://issuer.example.test:"),
        ("OIDC_ISSUER_URL", "https://ISSUER.example.test\\@evil.test"),
        ("OIDC_ISSUER_URL", "https://-issuer.example.test"),
        ("OIDC_ISSUER_URL", "https://issuer..test"),
        ("OIDC_ISSUER_URL", "https:///path"),
        ("OIDC_ISSUER_URL", "http://127.0.0.1:3000"),
        ("OIDC_ISSUER_URL", "https://[::2]/"),
        ("OIDC_AUDIENCE", ","),
        ("OIDC_AUDIENCE", "a" * 257),
        ("OIDC_AUDIENCE", "a\u0000"),
        ("JWT_TENANT_CLAIM_NAME", ", ,"),
        ("TENANT_ID_PATTERN", "org"),
        ("TENANT_ID_PATTERN", "org-{guid}"),
        ("TENANT_ID_PATTERN", "^org-($"),
        ("JWT_MAX_LIFETIME_MINUTES", "0"),
        ("JWT_MAX_LIFETIME_MINUTES", "1441"),
        ("JWT_MAX_LIFETIME_MINUTES", "60.0"),
        ("JWT_MAX_LIFETIME_MINUTES", "-1"),
        ("JWT_MAX_LIFETIME_MINUTES", "६०"),
        ("JWT_LEEWAY_SECONDS", "301"),
        ("JWT_LEEWAY_SECONDS", "1e1"),
        ("JWKS_CACHE_TTL_SECONDS", "0"),
        ("JWKS_MAX_AGE_SECONDS", "60"),
        ("JWKS_MAX_AGE_SECONDS", "9" * 100),
        ("TRUSTED_ISSUERS", "not json"),
        ("TRUSTED_ISSUERS", "[" * 100000),
        ("TRUSTED_ISSUERS", "[]"),
        ("TRUSTED_ISSUERS", "{}"),
        ("TRUSTED_ISSUERS", "[1]"),
    ],
)
def test_an_invalid_value_is_named_with_its_allowed_form(variable: str, value: str) -> None:
    with pytest.raises(PolicyError) as error:
        token_policy(GOOD | {variable: value})
    assert [name for name, _ in error.value.problems] == [variable]
    assert variable in str(error.value)


def test_all_invalid_values_are_reported_together() -> None:
    with pytest.raises(PolicyError) as error:
        token_policy({"JWT_LEEWAY_SECONDS": "x", "JWKS_CACHE_TTL_SECONDS": "x", "TENANT_ID_PATTERN": "x"})
    assert sorted(name for name, _ in error.value.problems) == [
        "JWKS_CACHE_TTL_SECONDS",
        "JWT_LEEWAY_SECONDS",
        "OIDC_ISSUER_URL",
        "TENANT_ID_PATTERN",
    ]


def test_an_issuer_needs_an_audience() -> None:
    with pytest.raises(PolicyError, match="OIDC_AUDIENCE"):
        token_policy({"OIDC_ISSUER_URL": ISSUER})


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000/idp", "http://localhost:9000", "http://[::1]:80/x"])
def test_plain_http_is_only_for_loopback_in_development(url: str) -> None:
    assert parse_issuer_url(url, allow_loopback_http=True) == parse_url(url, allow_loopback_http=True) == url
    for environment in ("production", "staging", "", "Development"):
        with pytest.raises(PolicyError, match="OIDC_ISSUER_URL"):
            token_policy(GOOD | {"OIDC_ISSUER_URL": url, "ENVIRONMENT": environment})
    assert token_policy(GOOD | {"OIDC_ISSUER_URL": url, "ENVIRONMENT": "development"}).issuers[0].issuer == url


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1.evil.test", "http://localhost.evil.test", "http://0.0.0.0", "http://10.0.0.1"]
)
def test_a_url_that_only_looks_like_loopback_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        parse_issuer_url(url, allow_loopback_http=True)


def test_an_issuer_is_kept_exactly() -> None:
    for url in (f"{ISSUER}/", "https://a.example.test:8443/x/y~z", "https://a.example.test"):
        assert parse_issuer_url(f" {url}\n", allow_loopback_http=False) == url


def test_lists_lose_blanks_and_repetitions_but_keep_their_order() -> None:
    assert parse_audiences(" b, a ,,b ") == ("b", "a")


def test_whole_numbers_have_inclusive_bounds() -> None:
    assert [parse_whole_number(text, low=0, high=300) for text in ("0", " 300 ", "007")] == [0, 300, 7]


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("org-{uuid}", [TENANT], [TENANT.upper(), TENANT[4:], TENANT + "\n", f"x{TENANT}", "org-", "org-{uuid}"]),
        ("{uuid}", [TENANT[4:]], [TENANT]),
        ("{slug}.example", ["a.example", "a-b1.example"], ["-a.example", "a-.example", "axexample", ".example"]),
        ("t{digits}", ["t1", "t" + "9" * 20], ["t", "t\u0661", "t" + "9" * 21]),
        ("^[a-z]{3}$", ["abc"], ["abcd", "ab", "abc\n", "ABC"]),
    ],
)
def test_tenant_id_patterns(pattern: str, good: list[str], bad: list[str]) -> None:
    matches = parse_tenant_id_pattern(pattern).fullmatch
    assert all(matches(text) for text in good)
    assert not any(matches(text) for text in bad)


def test_keys_may_be_dropped_as_soon_as_they_are_stale_and_not_before() -> None:
    assert policy_of(jwks_cache_ttl_seconds="600", jwks_max_age_seconds="600").jwks_max_age_seconds == 600
    with pytest.raises(PolicyError, match="JWKS_MAX_AGE_SECONDS must be at least JWKS_CACHE_TTL_SECONDS"):
        policy_of(jwks_cache_ttl_seconds="601", jwks_max_age_seconds="600")


@pytest.mark.parametrize(
    ("variable", "low", "high"),
    [
        ("JWKS_CACHE_TTL_SECONDS", 1, 86400),
        ("JWKS_MAX_AGE_SECONDS", 3600, 31_536_000),
        ("JWT_MAX_LIFETIME_MINUTES", 1, 1440),
        ("JWT_LEEWAY_SECONDS", 0, 300),
    ],
)
def test_the_first_and_the_last_number_of_each_range_are_accepted(variable: str, low: int, high: int) -> None:
    for number in (low, high):
        token_policy({**GOOD, variable: str(number)})
    for number in (low - 1, high + 1):
        with pytest.raises(PolicyError, match=variable):
            token_policy({**GOOD, variable: str(number)})


def test_the_age_of_keys_has_at_least_one_second() -> None:
    short = {"JWKS_CACHE_TTL_SECONDS": "1", "JWKS_MAX_AGE_SECONDS": "1"}
    assert token_policy({**GOOD, **short}).jwks_max_age_seconds == 1
    with pytest.raises(PolicyError, match="whole number from 1 to"):
        token_policy({**GOOD, **short, "JWKS_MAX_AGE_SECONDS": "0"})

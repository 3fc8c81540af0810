"""The variables of verification: each good form, and for each bad one the variable's name and the allowed form."""

from __future__ import annotations

import json

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
from tenantgate.tokens.trusted_issuers import MEMBERS, Member
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


def test_the_audience_is_the_client_id_when_none_is_given() -> None:
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
def test_a_bad_value_is_named_with_its_allowed_form(variable: str, value: str) -> None:
    with pytest.raises(PolicyError) as error:
        token_policy(GOOD | {variable: value})
    assert [name for name, _ in error.value.problems] == [variable]
    assert variable in str(error.value)


def test_all_bad_values_are_told_at_once() -> None:
    with pytest.raises(PolicyError) as error:
        token_policy({"JWT_LEEWAY_SECONDS": "x", "JWKS_CACHE_TTL_SECONDS": "x", "TENANT_ID_PATTERN": "x"})
    assert sorted(name for name, _ in error.value.problems) == [
        "JWKS_CACHE_TTL_SECONDS",
        "JWT_LEEWAY_SECONDS",
        "OIDC_ISSUER_URL",
        "TENANT_ID_PATTERN",
    ]


def test_an_issuer_without_any_audience_is_refused() -> None:
    with pytest.raises(PolicyError, match="OIDC_AUDIENCE"):
        token_policy({"OIDC_ISSUER_URL": ISSUER})


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000/idp", "http://localhost:9000", "http://[::1]:80/x"])
def test_plain_http_is_for_loopback_in_development_alone(url: str) -> None:
    assert parse_issuer_url(url, allow_loopback_http=True) == parse_url(url, allow_loopback_http=True) == url
    for environment in ("production", "staging", "", "Development"):
        with pytest.raises(PolicyError, match="OIDC_ISSUER_URL"):
            token_policy(GOOD | {"OIDC_ISSUER_URL": url, "ENVIRONMENT": environment})
    assert token_policy(GOOD | {"OIDC_ISSUER_URL": url, "ENVIRONMENT": "development"}).issuers[0].issuer == url


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1.evil.test", "http://localhost.evil.test", "http://0.0.0.0", "http://10.0.0.1"]
)
def test_what_only_looks_like_loopback_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        parse_issuer_url(url, allow_loopback_http=True)


def test_an_issuer_is_kept_as_it_was_written() -> None:
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


ENTRY = {"issuer": "https://other.example.test", "audiences": ["a"], "tenants": "*"}


def _entry(**changes: object) -> dict[str, object]:
    return {name: value for name, value in {**ENTRY, **changes}.items() if value is not None}


def test_an_entry_may_say_all_there_is_of_an_issuer() -> None:
    entry = _entry(
        tenants=[TENANT],
        audience_claims=["client_id"],
        algorithms=["ES256"],
        token_types=["AT+JWT", "application/x+jwt", ""],
        token_use=["access", "m2m"],
        claims={
            "user_id": "username",
            "tenant": ["custom:tenant"],
            "scope": ["permissions"],
            "roles": ["realm_access.roles"],
        },
        scopes=["orders:read"],
        roles="*",
        client_ids=["spa"],
        jwks_uri="https://keys.example.test/jwks.json",
        jwks_file="/var/task/keys.json",
        discovery_url="https://b.example.test/x?p=1",
        allow_id_tokens=True,
        logout_url="https://b.example.test/logout?a=b",
        logout_redirect_param="returnTo",
    )
    policy = policy_of(oidc_issuer_url="", trusted_issuers=json.dumps([entry]))
    assert policy.issuers == (
        IssuerPolicy(
            issuer="https://other.example.test",
            audiences=("a",),
            audience_claims=("client_id",),
            algorithms=frozenset({"ES256"}),
            token_types=frozenset({"at+jwt", "x+jwt", ""}),
            token_uses=frozenset({"access", "m2m"}),
            tenants=frozenset({TENANT}),
            scopes=frozenset({"orders:read"}),
            roles=None,
            client_ids=frozenset({"spa"}),
            tenant_claim_names=("custom:tenant",),
            user_claim="username",
            scope_claims=("permissions",),
            role_claims=("realm_access.roles",),
            jwks_uri="https://keys.example.test/jwks.json",
            jwks_file="/var/task/keys.json",
            discovery_url="https://b.example.test/x?p=1",
            allow_id_tokens=True,
            logout_url="https://b.example.test/logout?a=b",
            logout_redirect_param="returnTo",
        ),
    )


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(_entry(issuer=None), id="no-issuer"),
        pytest.param(_entry(issuer="http://127.0.0.1.evil.test"), id="issuer-over-http"),
        pytest.param(_entry(issuer="urn:issuer"), id="issuer-that-says-not-where-its-keys-are"),
        pytest.param(_entry(issuer="https://a.example.test?x=1"), id="issuer-with-a-query"),
        pytest.param(_entry(issuer="a\u0000", jwks_uri="https://a.example.test"), id="issuer-with-a-control"),
        pytest.param(_entry(issuer="", jwks_uri="https://a.example.test"), id="empty-issuer"),
        pytest.param(_entry(discovery_url="http://d.example.test"), id="discovery-over-http"),
        pytest.param(_entry(discovery_url="https://d.example.test#x"), id="discovery-with-a-fragment"),
        pytest.param(_entry(jwks_uri="https://u:p@d.example.test"), id="keys-with-user-info"),
        pytest.param(_entry(jwks_uri=["https://d.example.test"]), id="keys-in-a-list"),
        pytest.param(_entry(logout_url="javascript:alert(1)"), id="logout-is-a-script"),
        pytest.param(_entry(logout_redirect_param="client_id"), id="redirect-param-of-ours"),
        pytest.param(_entry(logout_redirect_param="a&b=c"), id="redirect-param-with-more-in-it"),
        pytest.param(_entry(issuer=1), id="issuer-is-a-number"),
        pytest.param(_entry(audiences=None), id="no-audiences"),
        pytest.param(_entry(audiences=[]), id="empty-audiences"),
        pytest.param(_entry(audiences="a"), id="audiences-are-a-text"),
        pytest.param(_entry(tenants=None), id="tenants-unsaid"),
        pytest.param(_entry(tenants=[]), id="no-tenants"),
        pytest.param(_entry(tenants="org-x"), id="tenants-are-a-text"),
        pytest.param(_entry(algorithms=["none"]), id="alg-none"),
        pytest.param(_entry(algorithms=["RS256", "HS256"]), id="alg-hmac"),
        pytest.param(_entry(algorithms=["RS256", 1]), id="alg-is-a-number"),
        pytest.param(_entry(algorithms=[]), id="no-algorithms"),
        pytest.param(_entry(token_types=[]), id="no-types"),
        pytest.param(_entry(token_types=[None]), id="type-is-null"),
        pytest.param(_entry(claims={}), id="no-claims"),
        pytest.param(_entry(claims={"role": ["x"]}), id="unknown-mapping"),
        pytest.param(_entry(claims={"roles": "x"}), id="roles-claim-is-a-text"),
        pytest.param(_entry(scopes="orders:read"), id="scopes-are-a-text"),
        pytest.param(_entry(scopes=["*", 1]), id="scope-is-a-number"),
        pytest.param(_entry(roles={}), id="roles-are-an-object"),
        pytest.param(_entry(client_ids=[]), id="no-client-ids"),
        pytest.param(_entry(claims={"user_id": ["sub"]}), id="user-id-is-a-list"),
        pytest.param(_entry(jwks_uri="http://keys.example.test"), id="keys-over-http"),
        pytest.param(_entry(allow_id_tokens="yes"), id="flag-is-a-text"),
        pytest.param(_entry(audience=["a"]), id="misspelled-member"),
        pytest.param(_entry(issuer=" https://blank.example.test"), id="blank-before-the-issuer"),
        pytest.param(_entry(issuer="urn:blank ", jwks_file="keys.json"), id="blank-behind-the-issuer"),
        pytest.param(_entry(audiences=["a", "b "]), id="blank-behind-an-audience"),
        pytest.param(_entry(tenants=[" org-1"]), id="blank-before-a-tenant"),
        pytest.param(_entry(token_types=["jwt "]), id="blank-behind-a-type"),
    ],
)
def test_a_bad_entry_is_refused_with_its_number(entry: dict[str, object]) -> None:
    with pytest.raises(PolicyError, match="TRUSTED_ISSUERS must be entry 2"):
        policy_of(trusted_issuers=json.dumps([_entry(issuer="https://first.example.test"), entry]))


def test_an_issuer_is_named_once() -> None:
    with pytest.raises(PolicyError, match="once"):
        policy_of(trusted_issuers=json.dumps([ENTRY, ENTRY]))


def test_the_login_issuer_comes_first_and_an_entry_of_its_own_replaces_the_simple_variables() -> None:
    own = _entry(issuer=ISSUER, audiences=["mine"])
    assert [i.issuer for i in policy_of(trusted_issuers=json.dumps([ENTRY])).issuers] == [ISSUER, ENTRY["issuer"]]
    both = policy_of(trusted_issuers=json.dumps([ENTRY, own])).issuers
    assert [(i.issuer, i.audiences) for i in both] == [(ISSUER, ("mine",)), (ENTRY["issuer"], ("a",))]


def test_every_field_of_an_issuers_policy_is_a_documented_member() -> None:
    assert [member.field for member in MEMBERS if member.field not in IssuerPolicy._fields] == []
    assert {member.field for member in MEMBERS} == set(IssuerPolicy._fields)
    assert len({member.name for member in MEMBERS}) == len(MEMBERS)


@pytest.mark.parametrize("member", [pytest.param(member, id=member.name) for member in MEMBERS])
def test_a_bad_value_is_reported_with_its_members_form(member: Member) -> None:
    outer, _, inner = member.name.partition(".")
    entry = _entry(**{outer: {inner: {}} if inner else {}})
    with pytest.raises(PolicyError) as refusal:
        policy_of(trusted_issuers=json.dumps([entry]))
    assert refusal.value.problems == [("TRUSTED_ISSUERS", f"entry 1: {member.name} must be {member.form}")]


@pytest.mark.parametrize("name", ["claims.user_id", "claims.", "claims.tenant"])
def test_a_nested_member_cannot_be_written_with_a_dot(name: str) -> None:
    with pytest.raises(PolicyError, match="entry 1 may have only"):
        policy_of(trusted_issuers=json.dumps([_entry(**{name: ["x"]})]))


def test_keys_may_be_dropped_as_soon_as_they_are_stale_and_not_before() -> None:
    assert policy_of(jwks_cache_ttl_seconds="600", jwks_max_age_seconds="600").jwks_max_age_seconds == 600
    with pytest.raises(PolicyError, match="JWKS_MAX_AGE_SECONDS must be at least JWKS_CACHE_TTL_SECONDS"):
        policy_of(jwks_cache_ttl_seconds="601", jwks_max_age_seconds="600")

"""Entries of `TRUSTED_ISSUERS`: every member, and for each invalid one the entry's number and the allowed form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenantgate.tokens.policy import IssuerPolicy, PolicyError
from tenantgate.tokens.trusted_issuers import MEMBERS, Member
from tests.fixtures.tokens.issuer import ISSUER, TENANT, policy_of

ENTRY = {"issuer": "https://other.example.test", "audiences": ["a"], "tenants": "*"}


def _entry(**changes: object) -> dict[str, object]:
    return {name: value for name, value in {**ENTRY, **changes}.items() if value is not None}


def test_an_entry_with_every_member() -> None:
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
        event_audiences=["https://auth.example.test"],
        event_poll_url="https://b.example.test/poll",
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
            event_audiences=("https://auth.example.test",),
            event_poll_url="https://b.example.test/poll",
        ),
    )


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(_entry(issuer=None), id="no-issuer"),
        pytest.param(_entry(issuer="http://127.0.0.1.evil.test"), id="issuer-over-http"),
        pytest.param(_entry(issuer="urn:issuer"), id="issuer-without-a-source-of-keys"),
        pytest.param(_entry(issuer="https://a.example.test?x=1"), id="issuer-with-a-query"),
        pytest.param(_entry(issuer="a\u0000", jwks_uri="https://a.example.test"), id="issuer-with-a-control"),
        pytest.param(_entry(issuer="", jwks_uri="https://a.example.test"), id="empty-issuer"),
        pytest.param(_entry(discovery_url="http://d.example.test"), id="discovery-over-http"),
        pytest.param(_entry(discovery_url="https://d.example.test#x"), id="discovery-with-a-fragment"),
        pytest.param(_entry(jwks_uri="https://u:p@d.example.test"), id="keys-with-user-info"),
        pytest.param(_entry(jwks_uri=["https://d.example.test"]), id="keys-in-a-list"),
        pytest.param(_entry(logout_url="javascript:alert(1)"), id="logout-is-a-script"),
        pytest.param(_entry(logout_redirect_param="client_id"), id="reserved-redirect-param"),
        pytest.param(_entry(logout_redirect_param="a&b=c"), id="redirect-param-with-a-second-one"),
        pytest.param(_entry(event_audiences=[]), id="no-event-audiences"),
        pytest.param(_entry(event_audiences="a"), id="event-audiences-are-a-text"),
        pytest.param(_entry(event_audiences=["a"], event_poll_url="http://p.example.test"), id="poll-over-http"),
        pytest.param(_entry(event_poll_url="https://p.example.test"), id="a-poll-without-audiences"),
        pytest.param(_entry(issuer=1), id="issuer-is-a-number"),
        pytest.param(_entry(audiences=None), id="no-audiences"),
        pytest.param(_entry(audiences=[]), id="empty-audiences"),
        pytest.param(_entry(audiences="a"), id="audiences-are-a-text"),
        pytest.param(_entry(tenants=None), id="no-member-tenants"),
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
        pytest.param(_entry(issuer="urn:blank ", jwks_file="keys.json"), id="blank-after-the-issuer"),
        pytest.param(_entry(audiences=["a", "b "]), id="blank-after-an-audience"),
        pytest.param(_entry(tenants=[" org-1"]), id="blank-before-a-tenant"),
        pytest.param(_entry(token_types=["jwt "]), id="blank-after-a-type"),
    ],
)
def test_an_invalid_entry_is_reported_by_its_number(entry: dict[str, object]) -> None:
    with pytest.raises(PolicyError, match="TRUSTED_ISSUERS must be entry 2"):
        policy_of(trusted_issuers=json.dumps([_entry(issuer="https://first.example.test"), entry]))


def test_an_issuer_has_only_one_entry() -> None:
    with pytest.raises(PolicyError, match="once"):
        policy_of(trusted_issuers=json.dumps([ENTRY, ENTRY]))


def test_the_login_issuer_comes_first_and_its_entry_replaces_the_simple_variables() -> None:
    own = _entry(issuer=ISSUER, audiences=["mine"])
    assert [i.issuer for i in policy_of(trusted_issuers=json.dumps([ENTRY])).issuers] == [ISSUER, ENTRY["issuer"]]
    both = policy_of(trusted_issuers=json.dumps([ENTRY, own])).issuers
    assert [(i.issuer, i.audiences) for i in both] == [(ISSUER, ("mine",)), (ENTRY["issuer"], ("a",))]


def test_every_field_of_an_issuers_policy_is_a_documented_member() -> None:
    assert [member.field for member in MEMBERS if member.field not in IssuerPolicy._fields] == []
    assert {member.field for member in MEMBERS} == set(IssuerPolicy._fields)
    assert len({member.name for member in MEMBERS}) == len(MEMBERS)


@pytest.mark.parametrize("member", [pytest.param(member, id=member.name) for member in MEMBERS])
def test_an_invalid_value_is_reported_with_the_form_of_its_member(member: Member) -> None:
    outer, _, inner = member.name.partition(".")
    entry = _entry(**{outer: {inner: {}} if inner else {}})
    with pytest.raises(PolicyError) as error:
        policy_of(trusted_issuers=json.dumps([entry]))
    assert error.value.problems == [("TRUSTED_ISSUERS", f"entry 1: {member.name} must be {member.form}")]


@pytest.mark.parametrize("name", ["claims.user_id", "claims.", "claims.tenant"])
def test_a_nested_member_cannot_be_written_with_a_dot(name: str) -> None:
    with pytest.raises(PolicyError, match="entry 1 may have only"):
        policy_of(trusted_issuers=json.dumps([_entry(**{name: ["x"]})]))


def test_the_entries_may_be_in_a_file_of_the_bundle(tmp_path: Path) -> None:
    # Twenty issuers don't fit into the 4 KB of a function's variables.
    entries = [_entry(issuer=f"https://issuer-{number}.example.test/{'x' * 200}") for number in range(40)]
    file = tmp_path / "issuers.json"
    file.write_text(json.dumps(entries))

    by_file = policy_of(oidc_issuer_url="", trusted_issuers=f"file:{file}")

    assert len(by_file.issuers) == 40
    assert by_file == policy_of(oidc_issuer_url="", trusted_issuers=json.dumps(entries))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"\xff[]", id="not-utf-8"),
        pytest.param(b" " * (256 * 1024) + b"[]", id="too-long"),
        pytest.param(b"file:issuers.json", id="names-a-file-itself"),
        pytest.param(b"[]", id="empty"),
    ],
)
def test_a_file_that_is_not_usable_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "issuers.json"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(PolicyError, match=r"TRUSTED_ISSUERS must be .*a JSON list of objects"):
        policy_of(oidc_issuer_url="", trusted_issuers=f"file:{file}")

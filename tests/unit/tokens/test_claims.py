"""Claims in the many forms that providers use: one reader for tenant, user, scopes and roles."""

from __future__ import annotations

import json

import pytest

from tenantgate.errors.tokens import InvalidClaim, MissingClaim, TenantMalformed, TenantMissing, TokenError
from tenantgate.tokens.claims import find, one_text, only_name, texts_in
from tenantgate.tokens.policy import parse_tenant_id_pattern
from tenantgate.tokens.tenant import TenantExtractor
from tests.fixtures.tokens.issuer import ISSUER, NOW, TENANT, good_claims, sign, static_verifier

URI = "https://example.com/claims"


@pytest.mark.parametrize(
    ("name", "claims", "expected"),
    [
        pytest.param("a", {"a": 1}, 1, id="plain"),
        pytest.param("a.b", {"a.b": 1, "a": {"b": 2}}, 1, id="the-exact-name-first"),
        pytest.param("a.b", {"a.b": None, "a": {"b": 2}}, 2, id="null-is-absent"),
        pytest.param("realm_access.roles", {"realm_access": {"roles": ["x"]}}, ["x"], id="keycloak"),
        pytest.param("a.b.c", {"a": {"b.c": 1, "b": {"c": 2}}}, 1, id="the-exact-name-first-within-an-object"),
        pytest.param("a.b.c", {"a.b": {"c": 1}, "a": {"b": {"c": 2}}}, 1, id="the-longest-beginning"),
        pytest.param("a.b.c", {"a.b": "x", "a": {"b": {"c": 2}}}, None, id="the-longest-beginning-is-a-text"),
        pytest.param("a.b.c", {"a.b": {}, "a": {"b": {"c": 2}}}, None, id="the-longest-beginning-lacks-it"),
        pytest.param(f"{URI}.roles", {URI: {"roles": 1}}, 1, id="below-a-uri"),
        pytest.param(f"{URI}.v1.roles", {f"{URI}.v1": {"roles": 1}}, 1, id="below-a-uri-with-a-dot"),
        pytest.param(f"{URI}.roles", {f"{URI}.roles": 1, URI: {"roles": 2}}, 1, id="a-uri-with-a-dot"),
        pytest.param("resource_access.https://api.example.com.roles",
                     {"resource_access": {"https://api.example.com": {"roles": 1}}}, 1, id="through-a-uri"),
        pytest.param("a.b", {"a": ["b"]}, None, id="a-list-leads-nowhere"),
        pytest.param("a.0", {"a": ["b"]}, None, id="a-list-has-no-names"),
        pytest.param(".a", {"": {"a": 1}}, None, id="no-name-before-the-dot"),
        pytest.param("a.", {"a": {"": 1}}, 1, id="an-empty-name-is-one"),
        pytest.param("organization.*.id", {"organization": {"acme": {"id": "o-1"}}}, "o-1", id="only-member"),
        pytest.param("organization.*", {"organization": {"acme": {"id": 1}}}, {"id": 1}, id="only-member-itself"),
        pytest.param("organization.*.id", {"organization": {}}, None, id="no-member"),
        pytest.param("organization.*.id", {"organization": {"acme": "x"}}, None, id="only-member-is-a-text"),
        pytest.param("organization.*.id", {"organization": {"*.id": {"id": 1}}}, 1, id="a-member-named-like-a-path"),
        pytest.param("*", {"a": 1}, None, id="the-claims-themselves-have-no-only-member"),
    ],
)  # fmt: skip
def test_finds_a_claim_by_its_name_or_its_path(name: str, claims: dict[str, object], expected: object) -> None:
    assert find(claims, name) == expected


@pytest.mark.parametrize("name", ["organization.*.id", "organization.*"])
def test_a_star_with_two_members_has_no_value_of_any_form(name: str) -> None:
    found = find({"organization": {"acme": {"id": "a"}, "globex": {"id": "b"}}}, name)
    assert found is not None
    assert (one_text(found), only_name(found), texts_in(found)) == (None, None, [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("acme", "acme"), ("", ""), (["acme"], "acme"), (42, "42"), ([42], "42"), (0, "0"), (2**63 - 1, str(2**63 - 1)),
        (2**63, None), (-1, None), (True, None), (False, None), ([True], None), (42.0, None), (1e400, None), ([], None),
        (["a", "b"], None), (["a", "a"], None), ([["a"]], None), ({"a": {}}, None), (None, None), ([None], None),
    ],
)  # fmt: skip
def test_reads_one_text(value: object, expected: str | None) -> None:
    assert one_text(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", ["a"]), ("a b", ["a b"]), (["a", "b"], ["a", "b"]), (["a", 7], ["a", "7"]), ([], []), ("", []),
        (["", None, True, 1.5, ["a"], {"a": {}}, "b"], ["b"]), ({"a": {}}, []), (True, []), (1.5, []),
    ],
)  # fmt: skip
def test_reads_any_number_of_texts(value: object, expected: list[str]) -> None:
    assert texts_in(value) == expected


def _tenant(pattern: str, *names: str, **claims: object) -> str:
    return TenantExtractor(names, parse_tenant_id_pattern(pattern)).tenant_of(claims)


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        pytest.param(["acme"], "acme", id="one-element-list"),
        pytest.param({"acme": {}}, "acme", id="keycloak-organization"),
        pytest.param(
            {"acme": {"id": "42c3e46f", "tier": ["gold"]}}, "acme", id="keycloak-organization-with-attributes"
        ),
        pytest.param(42, "42", id="integer"),
        pytest.param([42], "42", id="list-of-an-integer"),
    ],
)
def test_a_tenant_may_be_wrapped(claim: object, expected: str) -> None:
    assert _tenant("{slug}", "tenant", tenant=claim) == expected


def test_an_organizations_id_is_reached_past_its_name() -> None:
    assert _tenant("{slug}", "organization.*.id", organization={"acme": {"id": ["o-1"]}}) == "o-1"


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(["acme", "globex"], id="list-of-two"),
        pytest.param({"acme": {}, "globex": {}}, id="object-of-two"),
        pytest.param({}, id="object-of-none"),
        pytest.param({"acme": "globex"}, id="object-of-a-text"),
        pytest.param({"acme": None}, id="object-of-null"),
        pytest.param({"acme": True}, id="object-of-true"),
        pytest.param([{"acme": {}}], id="list-of-an-object"),
        pytest.param([["acme"]], id="list-in-a-list"),
        pytest.param([True], id="list-of-true"),
        pytest.param(True, id="true"),
        pytest.param(42.0, id="whole-fraction"),
        pytest.param(1.5, id="fraction"),
        pytest.param(-42, id="negative"),
        pytest.param(10**300, id="huge-number"),
        pytest.param({"id": "acme"}, id="an-object-with-a-text"),
    ],
)
def test_no_tenant_is_guessed(claim: object) -> None:
    with pytest.raises(TenantMalformed):
        _tenant("{slug}", "tenant", "other", tenant=claim, other="acme")


def test_two_organizations_give_no_tenant() -> None:
    two = {"acme": {"id": "o-1"}, "globex": {"id": "o-2"}}
    with pytest.raises(TenantMalformed):
        _tenant("{slug}", "organization.*.id", "other", organization=two, other="o-1")


def test_the_next_name_counts_when_the_organization_lacks_the_member() -> None:
    assert _tenant("{slug}", "organization.*.id", "other", organization={"acme": {}}, other="o-3") == "o-3"
    with pytest.raises(TenantMissing):
        _tenant("{slug}", "organization.*.id", organization={"acme": {}})


@pytest.mark.parametrize("pattern", ["^.+$", "^(?s:.+)$", r"^[^a]*$", r"^\S+(?s:.)*$"])
@pytest.mark.parametrize(
    "tenant", ["org\n1", "org\u0000", "org\u202e1", "\ud800", "org\u200b", "\u00a0x", "x\x7f", "x\r"]
)
def test_a_tenant_id_is_printable_under_every_pattern(pattern: str, tenant: str) -> None:
    with pytest.raises(TenantMalformed):
        _tenant(pattern, "tenant", tenant=tenant)


@pytest.mark.parametrize(
    ("pattern", "tenant"),
    [(r"^\d+$", "\u0664\u0662"), (r"^\w+$", "\u0430cme"), (r"^(?i:k+)$", "\u212a"), (r"^x\s?y$", "x\u2003y")],
)
def test_a_pattern_means_ascii(pattern: str, tenant: str) -> None:
    with pytest.raises(TenantMalformed):
        _tenant(pattern, "tenant", tenant=tenant)


def _verified(entry: dict[str, object], **claims: object) -> tuple[str, frozenset[str]]:
    whole = {"issuer": "https://other.example.test", "audiences": ["other-api"], "tenants": "*", "claims": entry}
    verifier = static_verifier(trusted_issuers=json.dumps([whole]))
    other: dict[str, object] = {"iss": "https://other.example.test", "aud": "other-api", **claims}
    found = verifier.verify(sign(good_claims(NOW, **other)))
    return found.subject, found.scopes


@pytest.mark.parametrize(
    ("name", "claims", "expected"),
    [
        pytest.param("oid", {"oid": "o-1"}, "o-1", id="plain"),
        pytest.param("user.id", {"user": {"id": "u-7"}}, "u-7", id="path"),
        pytest.param("https://example.com/user.id", {"https://example.com/user": {"id": 7}}, "7", id="below-a-uri"),
        pytest.param("oid", {"oid": ["o-1"]}, "o-1", id="one-element-list"),
        pytest.param("oid", {"oid": 1234}, "1234", id="integer"),
    ],
)
def test_a_user_is_read_like_a_tenant(name: str, claims: dict[str, object], expected: str) -> None:
    assert _verified({"user_id": name}, **claims)[0] == expected


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (["a", "b"], InvalidClaim), (True, InvalidClaim), (1.0, InvalidClaim), ({"a": {}}, InvalidClaim),
        ("", InvalidClaim), ([], InvalidClaim), ("u\n", InvalidClaim), ("u" * 257, InvalidClaim), (None, MissingClaim),
    ],
)  # fmt: skip
def test_no_user_is_guessed(value: object, error: type[TokenError]) -> None:
    with pytest.raises(error):
        _verified({"user_id": "oid"}, oid=value)


@pytest.mark.parametrize(
    ("names", "claims", "expected"),
    [
        pytest.param(["a.scopes"], {"a": {"scopes": "x y"}}, {"x", "y"}, id="path"),
        pytest.param(["permissions", "scope"], {"permissions": ["p"], "scope": "s"}, {"p", "s"}, id="all-of-them"),
        pytest.param([f"{URI}.scopes"], {URI: {"scopes": ["x"]}}, {"x"}, id="below-a-uri"),
    ],
)
def test_scopes_are_read_from_paths(names: list[str], claims: dict[str, object], expected: set[str]) -> None:
    assert _verified({"scope": names}, **claims)[1] == expected


def test_the_tests_issuer_is_untouched_by_another_issuers_names() -> None:
    assert static_verifier().verify(sign(good_claims(NOW, tenant_id=TENANT))).issuer == ISSUER

"""Roles and scopes as verification yields them: from which claims, and no more than the issuer may give."""

from __future__ import annotations

import json

import pytest

from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.principal import Principal
from tests.fixtures.tokens.issuer import NOW, TENANT, good_claims, policy_of, sign, static_verifier

OTHER, OTHER_TENANT = "https://other.example.test", "org-11111111-2222-4333-8444-555555555555"
ZITADEL = "urn:zitadel:iam:org:project:roles"


def _principal(claims: dict[str, object], **variables: str) -> Principal:
    return _credential(variables).principal(sign(good_claims(NOW, **claims)))


def _credential(variables: dict[str, str]) -> BearerCredential:
    return BearerCredential(static_verifier(None, clock=None, **variables), policy_of(**variables))


def _given(principal: Principal) -> tuple[set[str], set[str]]:
    return set(principal.scopes), set(principal.roles)


def _of_other(entry: dict[str, object], **claims: object) -> Principal:
    whole = {"issuer": OTHER, "audiences": ["other-api"], "tenants": [TENANT], **entry}
    return _principal({"iss": OTHER, "aud": "other-api", **claims}, trusted_issuers=json.dumps([whole]))


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        pytest.param({"roles": ["a", "b"]}, {"a", "b"}, id="list"),
        pytest.param({"roles": "a"}, {"a"}, id="text"),
        pytest.param({"roles": "a b"}, {"a b"}, id="a-blank-is-part-of-a-role"),
        pytest.param({"roles": ["a"], "groups": ["g"], "cognito:groups": ["c"]}, {"a", "g", "c"}, id="union-of-all"),
        pytest.param({"roles": {"admin": {}, "clerk": {}}}, {"admin", "clerk"}, id="object-of-objects"),
        pytest.param({"roles": {"admin\n": {}, "": {}, "clerk": {}}}, {"clerk"}, id="object-with-other-values"),
        pytest.param({"roles": {"admin": True, "clerk": "x", "x": None}}, set(), id="object-of-others"),
        pytest.param({"roles": ["a\n", "", None, 1, True, "b"]}, {"1", "b"}, id="other-values-are-left-out"),
        pytest.param({"roles": [["a"]]}, set(), id="list-in-a-list"),
        pytest.param({"roles": True, "groups": 1.5}, set(), id="neither-list-nor-text"),
        pytest.param({"realm_access": {"roles": ["admin"]}}, set(), id="a-claim-that-no-setting-names"),
        pytest.param({}, set(), id="none"),
    ],
)
def test_reads_roles_from_the_default_claims(claims: dict[str, object], expected: set[str]) -> None:
    assert _principal(claims).roles == expected


def test_jwt_roles_claim_name_says_where_roles_are() -> None:
    names = "realm_access.roles,https://example.com/claims.roles, resource_access.orders.roles"
    claims: dict[str, object] = {
        "realm_access": {"roles": ["a"]},
        "https://example.com/claims": {"roles": ["b"]},
        "resource_access": {"orders": {"roles": ["c"]}, "billing": {"roles": ["d"]}},
        "roles": ["not-asked"],
    }
    assert _principal(claims, jwt_roles_claim_name=names).roles == {"a", "b", "c"}


def test_an_issuers_entry_may_have_its_own_role_claims() -> None:
    entry: dict[str, object] = {"claims": {"roles": ["o.rol"]}, "roles": "*"}
    assert _of_other(entry, o={"rol": "org:admin"}, roles=["x"]).roles == {"org:admin"}


class TestZitadel:
    """Roles are an object: role → the organizations that gave it, by id, with their domains."""

    def _roles(self, claim: object, **claims: object) -> frozenset[str]:
        return _principal({ZITADEL: claim, **claims}, jwt_roles_claim_name=ZITADEL).roles

    def test_the_names_of_the_members_are_the_roles(self) -> None:
        claim = {"admin": {TENANT: "acme.example.test"}, "clerk": {TENANT: "acme.example.test"}}
        assert self._roles(claim) == {"admin", "clerk"}

    def test_a_tenant_may_be_known_by_its_domain(self) -> None:
        claim = {"admin": {"123": TENANT}}
        assert self._roles(claim) == {"admin"}

    def test_a_role_that_another_organization_gave_its_guest_does_not_count_at_home(self) -> None:
        claim = {"admin": {OTHER_TENANT: "globex.example.test"}, "clerk": {TENANT: "a", OTHER_TENANT: "b"}}
        assert self._roles(claim) == {"clerk"}


BOTH: dict[str, object] = {"scope": "orders:read admin", "roles": ["clerk", "owner"]}


class TestAllowLists:
    def test_a_tenants_issuer_gives_nothing_unless_its_entry_says_what(self) -> None:
        principal = _of_other({}, **BOTH)
        assert _given(principal) == (set(), set())

    def test_what_is_beyond_the_lists_is_dropped_and_not_refused(self) -> None:
        principal = _of_other({"scopes": ["orders:read", "orders:write"], "roles": ["clerk"]}, **BOTH)
        assert _given(principal) == ({"orders:read"}, {"clerk"})

    @pytest.mark.parametrize("scopes", [["*"], ["orders:*"], []])
    def test_a_star_within_a_list_is_a_role(self, scopes: list[str]) -> None:
        assert _of_other({"scopes": scopes}, **BOTH).scopes == frozenset()

    def test_all_is_written_out(self) -> None:
        principal = _of_other({"scopes": "*", "roles": "*"}, **BOTH)
        assert _given(principal) == ({"orders:read", "admin"}, {"clerk", "owner"})

    def test_an_issuer_of_all_tenants_gives_all_unless_its_entry_says_less(self) -> None:
        assert _of_other({"tenants": "*"}, **BOTH).scopes == {"orders:read", "admin"}
        principal = _of_other({"tenants": "*", "scopes": ["admin"], "roles": []}, **BOTH)
        assert _given(principal) == ({"admin"}, set())

    def test_the_login_issuer_gives_all(self) -> None:
        principal = _principal(BOTH)
        assert _given(principal) == ({"orders:read", "admin"}, {"clerk", "owner"})

    def test_an_entry_for_the_login_issuer_binds_it_as_any_other(self) -> None:
        own = {"issuer": "https://issuer.example.test/tenantgate", "audiences": ["tenantgate-api"], "tenants": [TENANT]}
        assert _principal(BOTH, trusted_issuers=json.dumps([own])).scopes == frozenset()

    @pytest.mark.parametrize(
        ("entry", "claims"),
        [
            pytest.param({}, {"roles": ["owner"]}, id="roles"),
            pytest.param({}, {"groups": ["owner"]}, id="groups"),
            pytest.param({}, {"scp": ["owner"]}, id="scp"),
            pytest.param({"claims": {"roles": ["a.b.roles"]}}, {"a": {"b": {"roles": ["owner"]}}}, id="path"),
            pytest.param({"claims": {"roles": ["a.b.roles"]}}, {"a.b": {"roles": ["owner"]}}, id="dotted-name"),
            pytest.param({"claims": {"roles": ["r"]}}, {"roles": ["owner"]}, id="the-defaults-and-its-own"),
            pytest.param({"claims": {"scope": ["permissions"]}}, {"permissions": ["owner"]}, id="mapped-scopes"),
            pytest.param({"scopes": "*", "roles": []}, {"scope": "owner"}, id="a-list-of-roles-is-enough"),
            pytest.param({"scopes": [], "roles": "*"}, {"roles": ["owner"]}, id="a-list-of-scopes-is-enough"),
        ],
    )  # fmt: skip
    def test_what_was_dropped_cannot_be_read_from_the_claims(
        self, entry: dict[str, object], claims: dict[str, object]
    ) -> None:
        principal = _of_other(entry, **{"scope": None, "acr": "mfa", **claims})
        assert "owner" not in json.dumps({**principal.claims})
        assert principal.claims["acr"] == "mfa"

    def test_the_tenant_may_be_in_a_claim_that_is_withheld(self) -> None:
        entry: dict[str, object] = {"claims": {"roles": ["app.roles"], "tenant": ["app.tenant"]}}
        principal = _of_other(entry, app={"roles": ["owner"], "tenant": TENANT}, tenant_id=None)
        assert (principal.tenant_id, principal.roles) == (TENANT, frozenset())
        assert "app" not in principal.claims

    def test_a_remembered_token_is_bounded_the_second_time_too(self) -> None:
        entry = {"issuer": OTHER, "audiences": ["other-api"], "tenants": [TENANT], "roles": ["clerk"]}
        variables = {"trusted_issuers": json.dumps([entry])}
        credential = _credential(variables)
        token = sign(good_claims(NOW, **{"iss": OTHER, "aud": "other-api", **BOTH}))
        first, second = credential.principal(token), credential.principal(token)
        assert first == second
        assert _given(second) == (set(), {"clerk"})

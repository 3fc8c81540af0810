"""The tenant of a token: priority, dotted paths, URIs, form, and issuers bound to tenants."""

from __future__ import annotations

import json

import pytest

from tenantgate.errors.tokens import TenantMalformed, TenantMissing, TenantNotAllowed, TokenError
from tenantgate.tokens.policy import parse_tenant_id_pattern
from tenantgate.tokens.tenant import DEPLOYMENT, TenantExtractor
from tenantgate.tokens.wiring import tenant_extractor
from tests.fixtures.tokens.issuer import ISSUER, TENANT, policy_of

OTHER = "org-11111111-2222-4333-8444-555555555555"
URI = "https://tenantgate.example.test/tenant"


def _extractor(*names: str) -> TenantExtractor:
    return TenantExtractor(names, parse_tenant_id_pattern("org-{uuid}"))


@pytest.mark.parametrize(
    ("names", "claims", "expected"),
    [
        pytest.param(["tenant_id"], {"tenant_id": TENANT}, TENANT, id="plain"),
        pytest.param(["a", "b"], {"b": OTHER, "a": TENANT}, TENANT, id="priority-is-the-settings-not-the-tokens"),
        pytest.param(["a", "b"], {"b": TENANT}, TENANT, id="second-name"),
        pytest.param(["a", "b"], {"a": None, "b": TENANT}, TENANT, id="null-is-absent"),
        pytest.param(["org.id"], {"org": {"id": TENANT}}, TENANT, id="dotted-path"),
        pytest.param(["a.b.c"], {"a": {"b": {"c": TENANT}}}, TENANT, id="longer-path"),
        pytest.param(
            ["org.id"], {"org.id": TENANT, "org": {"id": OTHER}}, TENANT, id="a-claim-with-exactly-that-name-first"
        ),
        pytest.param([URI], {URI: TENANT}, TENANT, id="uri"),
        pytest.param(["custom:tenant_id"], {"custom:tenant_id": TENANT}, TENANT, id="cognito-attribute"),
        pytest.param(["a.b", "c"], {"a": "text", "c": TENANT}, TENANT, id="a-path-through-a-text-leads-nowhere"),
        pytest.param(["a.b", "c"], {"a": ["b"], "c": TENANT}, TENANT, id="a-path-through-a-list-leads-nowhere"),
    ],
)
def test_finds_the_tenant(names: list[str], claims: dict[str, object], expected: str) -> None:
    assert _extractor(*names).tenant_of(claims) == expected


@pytest.mark.parametrize(
    ("names", "claims", "error"),
    [
        pytest.param(["tenant_id"], {}, TenantMissing, id="no-claims"),
        pytest.param(["tenant_id"], {"Tenant_id": TENANT}, TenantMissing, id="other-case"),
        pytest.param(["tenant_id"], {"tenant_id": None}, TenantMissing, id="null"),
        pytest.param(["a.b"], {"a": {}}, TenantMissing, id="path-ends-early"),
        pytest.param([URI], {"https://tenantgate": {"example": TENANT}}, TenantMissing, id="a-uri-with-dots"),
        pytest.param(["a", "b"], {"a": "", "b": TENANT}, TenantMalformed, id="an-invalid-first-one-decides"),
        pytest.param(["a"], {"a": [TENANT, TENANT]}, TenantMalformed, id="two-in-a-list"),
        pytest.param(["a"], {"a": []}, TenantMalformed, id="empty-list"),
        pytest.param(["a"], {"a": {"id": TENANT}}, TenantMalformed, id="object"),
        pytest.param(["a"], {"a": 7}, TenantMalformed, id="number"),
        pytest.param(["a"], {"a": False}, TenantMalformed, id="false"),
        pytest.param(["a"], {"a": TENANT + "\n"}, TenantMalformed, id="line-break-after"),
        pytest.param(["a"], {"a": " " + TENANT}, TenantMalformed, id="blank-before"),
        pytest.param(["a"], {"a": TENANT.upper()}, TenantMalformed, id="upper-case"),
        pytest.param(["a"], {"a": f"{TENANT},{OTHER}"}, TenantMalformed, id="two"),
        pytest.param(["a"], {"a": TENANT.replace("-", "\u2010")}, TenantMalformed, id="another-hyphen"),
        pytest.param(["a"], {"a": "org-' OR ''='"}, TenantMalformed, id="sql"),
        pytest.param(["a"], {"a": "x" * 100000}, TenantMalformed, id="huge"),
    ],
)
def test_refuses_with_auth_005(names: list[str], claims: dict[str, object], error: type[TokenError]) -> None:
    with pytest.raises(TokenError) as refusal:
        _extractor(*names).tenant_of(claims)
    assert type(refusal.value) is error
    assert refusal.value.error.code == "AUTH_005"
    assert refusal.value.http_status == 403


def test_a_tenant_id_has_at_most_128_characters_under_any_pattern() -> None:
    extractor = TenantExtractor(("a",), parse_tenant_id_pattern("^x+$"))
    assert extractor.tenant_of({"a": "x" * 128}) == "x" * 128
    with pytest.raises(TenantMalformed):
        extractor.tenant_of({"a": "x" * 129})


@pytest.mark.parametrize("pattern", ["^.*$", "^:deployment$", "^.{1,128}$"])
def test_no_token_names_the_deployments_own_log_under_any_pattern(pattern: str) -> None:
    bound = {"issuer": "https://bound.example.test", "audiences": ["a"], "tenants": [DEPLOYMENT]}
    policy = policy_of(trusted_issuers=json.dumps([bound]), tenant_id_pattern=pattern)
    for issuer in (ISSUER, bound["issuer"]):
        for claim in (DEPLOYMENT, [DEPLOYMENT]):
            with pytest.raises(TenantMalformed):
                tenant_extractor(policy).tenant_of({"iss": issuer, "tenant_id": claim})


def test_an_issuer_may_issue_tokens_only_for_its_own_tenants() -> None:
    bound = {"issuer": "https://bound.example.test", "audiences": ["a"], "tenants": [OTHER]}
    extractor = tenant_extractor(policy_of(trusted_issuers=json.dumps([bound])))
    assert extractor.tenant_of({"iss": bound["issuer"], "tenant_id": OTHER}) == OTHER
    assert extractor.tenant_of({"iss": ISSUER, "tenant_id": TENANT}) == TENANT
    with pytest.raises(TenantNotAllowed) as refusal:
        extractor.tenant_of({"iss": bound["issuer"], "tenant_id": TENANT})
    assert refusal.value.error.code == "AUTH_005"


def test_an_issuer_may_have_its_own_claim_names() -> None:
    own = {"issuer": "https://own.example.test", "audiences": ["a"], "tenants": "*", "claims": {"tenant": ["org.id"]}}
    extractor = tenant_extractor(policy_of(trusted_issuers=json.dumps([own])))
    assert extractor.tenant_of({"iss": own["issuer"], "org": {"id": OTHER}, "tenant_id": TENANT}) == OTHER
    with pytest.raises(TenantMissing):
        extractor.tenant_of({"iss": own["issuer"], "tenant_id": TENANT})

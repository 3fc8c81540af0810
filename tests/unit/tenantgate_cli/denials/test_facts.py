"""The facts about a denial, word by word, with names for the expected and the actual value."""

from __future__ import annotations

import pytest

from tenantgate.tokens.forms import parse_tenant_id_pattern
from tenantgate_cli.denials.facts import facts_of

PATTERN = parse_tenant_id_pattern("org-{uuid}").pattern
FACTS = [
    (
        "wrong_audience",
        {"finding": "aud names another audience", "claim": "aud", "expected": ["orders-api"], "actual": "billing-api"},
        {
            "cause": "The token is for another audience.",
            "finding": "aud names another audience",
            "claim": "aud",
            "expected": "the accepted audiences: orders-api",
            "actual": "the token's audience: billing-api",
            "remedy": "Request the token for an accepted audience, or add the token's audience to `OIDC_AUDIENCE`.",
        },
    ),
    (
        "tenant_malformed",
        {"claim": "tenant_id", "expected": PATTERN, "actual": "acme"},
        {
            "cause": "The tenant in the token doesn't have the configured form.",
            "claim": "tenant_id",
            "expected": "the pattern for tenants: org-{uuid}",
            "actual": "the token's tenant: acme",
            "remedy": (
                "Correct the tenant at the provider, or set `TENANT_ID_PATTERN` to the form of your tenant ids."
            ),
        },
    ),
    (
        "tenant_missing",
        {"expected": ["tenant_id", "org_id"]},
        {
            "cause": "The token names no tenant.",
            "expected": "the claims for a tenant: org_id, tenant_id",
            "actual": "the token's value: none",
            "remedy": (
                "Have the provider add one of these claims to its access tokens, or name its own claim in "
                "`JWT_TENANT_CLAIM_NAME`."
            ),
        },
    ),
    (
        "missing_role",
        {"rule": "GET /parcels/{id}", "expected": ["clerk"], "actual": []},
        {
            "cause": "The caller has none of the roles of which the rule requires one.",
            "rule": "GET /parcels/{id}",
            "expected": "the rule's roles, one of: clerk",
            "actual": "the token's roles: none",
            "remedy": (
                "Grant the user one of these roles at the provider (on your machine: `tenantgate token --role`), or "
                "change `roles` of the rule. A role counts only from the claims in `JWT_ROLES_CLAIM_NAME`."
            ),
        },
    ),
    (
        "no_rule",
        {"rule": None, "expected": "a rule for the route", "actual": "GET /x"},
        {
            "cause": "No route rule covers the request, and a request without a rule is denied.",
            "expected": "a rule for the route",
            "actual": "the request: GET /x",
            "remedy": "Add a rule for the route to the rules file, in the block of this API.",
        },
    ),
    (
        "token_expired",
        {"expected": "before 1000 + 60", "actual": 1100},
        {
            "cause": "The token has expired.",
            "expected": "the time of the request (epoch seconds): before 1000 + 60",
            "actual": "the time of the check: 1100",
            "remedy": "Sign in again or refresh the token, then repeat the request.",
        },
    ),
    (
        "unsupported_header",
        {"actual": ["jwk"]},
        {
            "cause": "The token's header has a member that is never accepted.",
            "actual": "the header's member: jwk",
            "remedy": "Have the provider issue plain signed access tokens, without this member.",
        },
    ),
    (
        "invalid_signature",
        {},
        {
            "cause": "The signature doesn't belong to this token and the issuer's key.",
            "remedy": (
                "Send the token exactly as the issuer returned it; a changed or shortened token never verifies."
            ),
        },
    ),
    ("of_the_future", {"expected": 1, "actual": 2}, {"expected": "1", "actual": "2"}),
]


@pytest.mark.parametrize(("reason", "context", "facts"), FACTS)
def test_facts(reason: str, context: dict[str, object], facts: dict[str, str]) -> None:
    assert facts_of(reason, context) == facts
    assert list(facts_of(reason, context)) == list(facts)

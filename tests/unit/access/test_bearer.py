"""From the Authorization header to the principal (RFC 6750 §2.1)."""

from __future__ import annotations

import pytest

from tenantgate.access.bearer import BearerCredential, bearer_token
from tenantgate.errors import AuthenticationRequired, TenantMissing, TokenExpired
from tests.support.tokens import ISSUER, NOW, TENANT, good_claims, policy_of, sign, static_verifier


@pytest.mark.parametrize("header", ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer  a.b.c", "Bearer a.b.c "])
def test_takes_the_token_out_of_the_header(header: str) -> None:
    assert bearer_token(header) == "a.b.c"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearera.b.c",
        "Basic dXNlcjpwYXNz",
        "DPoP a.b.c",
        "a.b.c",
        " Bearer a.b.c",
        "Bearer\ta.b.c",
        "Bearer a.b.c d.e.f",
        "Bearer a.b.c,Bearer d.e.f",
        "Bearer a.b.c, Basic x",
        "Basic x, Bearer a.b.c",
        'Bearer "a.b.c"',
        "Bearer a.b.c\n",
        "Bearer a.b.c\r\nX-Injected: yes",
        "Bearer a.b.c\u0000",
        "Bearer é.b.c",
        "Bearer " + "A" * 16385,
        "Bearer " + " " * 70000,
    ],
)
def test_refuses_anything_else_with_auth_007(header: str | None) -> None:
    with pytest.raises(AuthenticationRequired) as refusal:
        bearer_token(header)
    assert refusal.value.error.code == "AUTH_007"


def _credential() -> BearerCredential:
    return BearerCredential(static_verifier(), policy_of())


def test_makes_the_principal_that_the_token_proves() -> None:
    principal = _credential().principal(sign(good_claims()))
    assert principal == (
        "user-1",
        TENANT,
        ISSUER,
        frozenset({"orders:read", "orders:write"}),
        NOW + 600,
        "bearer",
        good_claims(),
        frozenset(),
    )


def test_hands_on_what_verification_and_tenant_say() -> None:
    with pytest.raises(TokenExpired):
        _credential().principal(sign(good_claims(exp=NOW - 60, iat=NOW - 600)))
    with pytest.raises(TenantMissing):
        _credential().principal(sign(good_claims(tenant_id=None)))

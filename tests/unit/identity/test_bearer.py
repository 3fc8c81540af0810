"""Bearer tokens, from the Authorization header to the principal (RFC 6750 §2.1)."""

from __future__ import annotations

import pytest

from tenantgate.errors.access import AuthenticationRequired
from tenantgate.errors.tokens import TenantMissing, TokenExpired
from tenantgate.identity.bearer import BearerCredential, bearer_token
from tenantgate.tokens.jws import MAX_TOKEN_LENGTH
from tenantgate.tokens.verifier import KeyFetchNeeded
from tenantgate.tokens.wiring import token_verifier
from tests.fixtures.tokens.issuer import ISSUER, NOW, TENANT, good_claims, policy_of, sign, static_verifier


@pytest.mark.parametrize("header", ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer  a.b.c", "Bearer a.b.c "])
def test_the_header_contains_the_token(header: str) -> None:
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
def test_any_other_header_is_rejected_with_auth_007(header: str | None) -> None:
    with pytest.raises(AuthenticationRequired) as error:
        bearer_token(header)
    assert error.value.error.code == "AUTH_007"


@pytest.mark.parametrize("token", ["X", "aX", "Xa.b.cX", "B", "bearer", "~", "a" * (MAX_TOKEN_LENGTH - 1) + "X"])
def test_the_token_is_unchanged(token: str) -> None:
    assert bearer_token(f"Bearer {token}") == token


def test_the_longest_token_is_accepted() -> None:
    longest = "A" * MAX_TOKEN_LENGTH
    assert bearer_token(f"Bearer   {longest}  ") == longest
    with pytest.raises(AuthenticationRequired) as error:
        bearer_token(f"Bearer {longest}A")
    assert error.value.private == {"expected": MAX_TOKEN_LENGTH, "actual": MAX_TOKEN_LENGTH + 1}


def test_nothing_is_fetched_without_permission() -> None:
    policy = policy_of()
    with pytest.raises(KeyFetchNeeded):
        BearerCredential(token_verifier(policy), policy).principal(sign(good_claims()), fetch=False)


def _credential() -> BearerCredential:
    return BearerCredential(static_verifier(), policy_of())


def test_a_valid_token_becomes_a_principal() -> None:
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
        None,
        None,
    )


@pytest.mark.parametrize(
    ("claim", "expected"),
    [(NOW - 60, NOW - 60), (0, 0), *((other, None) for other in (None, str(NOW), True, -1, 1.5, 10**12))],
)
def test_the_time_of_the_sign_in_is_known_if_the_claim_is_a_time(claim: object, expected: int | None) -> None:
    assert _credential().principal(sign(good_claims(auth_time=claim))).auth_time == expected


def test_errors_of_the_verification_and_of_the_tenant_pass_through() -> None:
    with pytest.raises(TokenExpired):
        _credential().principal(sign(good_claims(exp=NOW - 60, iat=NOW - 600)))
    with pytest.raises(TenantMissing):
        _credential().principal(sign(good_claims(tenant_id=None)))

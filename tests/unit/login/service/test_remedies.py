"""Every check has its own remedy, which names the settings to change."""

from __future__ import annotations

import pytest

from tenantgate.errors.tokens import IdTokenRefused, LifetimeTooLong, MalformedToken, MissingClaim, TokenError
from tenantgate.login.service.remedies import ACCESS_TOKEN, access_token_remedy, id_token_remedy
from tenantgate_cli.checks.registry import token_reasons


def _every(kind: type[TokenError]) -> list[type[TokenError]]:
    return [found for below in kind.__subclasses__() for found in (below, *_every(below))]


def test_every_token_error_has_a_remedy() -> None:
    assert set(_every(TokenError)) == set(ACCESS_TOKEN)
    assert len(token_reasons()) == len(ACCESS_TOKEN)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.__name__) for kind in _every(TokenError)])
def test_a_remedy_belongs_to_the_failed_check(kind: type[TokenError]) -> None:
    remedy = access_token_remedy(kind("why", claim="aud"), "a.b.c")
    assert remedy
    assert "{" not in remedy
    others = {other: access_token_remedy(other("why", claim="aud"), "a.b.c") for other in _every(TokenError)}
    assert [other for other, text in others.items() if text == remedy] == [kind]


def test_the_remedy_of_a_long_lifetime_does_not_name_the_resource() -> None:
    remedy = access_token_remedy(LifetimeTooLong("token lives too long"), "a.b.c")
    assert "JWT_MAX_LIFETIME_MINUTES" in remedy
    assert "OIDC_RESOURCE" not in remedy


def test_an_opaque_token_and_a_malformed_jwt_have_different_remedies() -> None:
    assert "opaque" in access_token_remedy(MalformedToken("x"), "2YotnFZFEjr1zCsicMWpAA")
    assert "opaque" not in access_token_remedy(MalformedToken("x"), "a.b.c")


def test_a_claims_remedy_names_the_claim_and_never_a_value() -> None:
    assert "claim aud" in access_token_remedy(MissingClaim("x", claim="aud"), "a.b.c")
    assert "secret" not in access_token_remedy(MissingClaim("x", claim=["secret"]), "a.b.c")


@pytest.mark.parametrize(
    ("check", "named"),
    [
        ("WrongIssuer", "OIDC_ISSUER_URL"),
        ("WrongAudience", "OIDC_CLIENT_ID"),
        ("IssuedInFuture", "JWT_LEEWAY_SECONDS"),
        ("InvalidClaim", "log line"),
    ],
)
def test_an_id_tokens_remedy_belongs_to_the_failed_check(check: str, named: str) -> None:
    refusal = IdTokenRefused("x")
    refusal.private = {"check": check}
    assert named in id_token_remedy(refusal)


def test_a_subclass_has_the_remedy_of_its_nearest_base() -> None:
    later = type("Later", (LifetimeTooLong,), {})
    try:
        assert access_token_remedy(later("x"), "a.b.c") == ACCESS_TOKEN[LifetimeTooLong]
    finally:
        del later
        import gc  # noqa: PLC0415  (a class is part of a cycle; the tests above count subclasses)

        gc.collect()
